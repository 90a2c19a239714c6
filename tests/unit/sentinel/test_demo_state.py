"""The demo's settings in `demo.env` read back as they were written."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

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
