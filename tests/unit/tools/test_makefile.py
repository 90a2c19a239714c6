"""Values on the command line of make arrive as typed, and `make clean` names what it deletes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import PROJECT

AWKWARD = "a$b $(x) 50% 'q' \"d\" #h [bold] `e` ü.csv"
SHOW = "include Makefile\nshow:\n\t@printenv DATA || echo unset\n"


def make(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        ["make", "--silent", *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        env={key: value for key, value in os.environ.items() if key != "DATA"} | environment,
    )
    return done.stdout + done.stderr


@pytest.fixture
def show(tmp_path: Path) -> str:
    (tmp_path / "Makefile").write_text(SHOW)
    return f"--file={tmp_path}/Makefile"


def test_the_name_of_a_data_file_is_taken_as_typed(show: str) -> None:
    assert make(show, "show", f"DATA={AWKWARD}") == f"{AWKWARD}\n"
    assert make(show, "show", DATA=AWKWARD) == f"{AWKWARD}\n"
    assert make(show, "show") == "unset\n"


def test_the_path_of_a_python_may_have_spaces_and_quotes(tmp_path: Path) -> None:
    python, venv = tmp_path / "it's a" / "python3", tmp_path / "venv"
    output = make(f"PYTHON={python}", f"VENV={venv}", f"{venv}/bin/python")
    assert f"(tried: {python}): install one" in output


def test_clean_names_what_it_has_deleted_and_keeps_the_rest(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "Makefile", tmp_path)
    for name in (".sentinel/logs", ".mypy_cache", "sentinel/__pycache__", ".venv/__pycache__"):
        (tmp_path / name).mkdir(parents=True)
    clean = f"--directory={tmp_path}", "clean"
    assert make(*clean) == "Deleted .sentinel, .mypy_cache, every __pycache__; .venv stays.\n"
    assert {path.name for path in tmp_path.iterdir()} == {"Makefile", "sentinel", ".venv"}
    assert not list((tmp_path / "sentinel").iterdir())
    assert list((tmp_path / ".venv").iterdir())
    assert make(*clean) == "Deleted every __pycache__; .venv stays.\n"


@pytest.mark.parametrize("events", ["abc", "1e5", "0", "-1", "1.5", "$(x)'"])
def test_a_number_of_events_that_is_none_is_named_before_anything_is_run(events: str) -> None:
    installed = "--old-file=.venv/.installed"
    output = make(installed, "test-history", f"EVENTS={events}")
    assert f"EVENTS is a number of payments, such as EVENTS=100000, not '{events}'." in output
    assert "Traceback" not in output
