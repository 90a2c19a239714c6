"""The demo's settings in `demo.env` read back as they were written."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from sentinel.local.demo.fortnight import places
from sentinel.local.demo.state import read_environment, write_environment


@pytest.mark.parametrize(
    "text", ["plain", "with 'quotes' and $dollars", "p@/x?host=/a b&port=1", "ü \udce9 \n%"]
)
def test_settings_read_back_equal_from_the_file_and_from_a_shell(tmp_path: Path, text: str) -> None:
    path = tmp_path / "demo.env"
    write_environment(path, {"NAME": text})
    assert read_environment(path) == {"NAME": text}
    sourced = f'. {shlex.quote(str(path))}; printf %s "$NAME"'
    done = subprocess.run(["sh", "-c", sourced], capture_output=True, check=True)
    assert done.stdout == os.fsencode(text)


def test_a_fortnight_that_was_interrupted_is_known_in_the_next_run(tmp_path: Path) -> None:
    assert not places.is_partial(tmp_path)
    places.begin(tmp_path)
    assert places.is_partial(tmp_path)
    assert places.kept(tmp_path) == places.ALWAYS
    places.keep(tmp_path, [places.Place("Queue", "/console/queue", "3 payments that wait")])
    assert not places.is_partial(tmp_path)
    assert [one.what for one in places.kept(tmp_path)] == ["3 payments that wait"]
