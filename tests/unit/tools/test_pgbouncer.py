"""`make pgbouncer` finds a PgBouncer or names what to install; nothing is downloaded here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import PROJECT
from tools import pgbouncer


def write_program(path: Path, output: str) -> Path:
    path.write_text(f"#!/bin/sh\necho '{output}'\n")
    path.chmod(0o755)
    return path


def test_the_environment_variable_names_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = write_program(tmp_path / "mine", "PgBouncer 1.18.0")
    monkeypatch.setenv(pgbouncer.VARIABLE, str(program))
    assert pgbouncer.find() == program


def test_a_named_program_that_is_none_is_an_error_and_nothing_is_fetched(tmp_path: Path) -> None:
    other = write_program(tmp_path / "other", "nginx")
    done = subprocess.run(
        [sys.executable, "-m", "tools.pgbouncer"],
        cwd=PROJECT,
        env={**os.environ, pgbouncer.VARIABLE: str(other), "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{pgbouncer.VARIABLE}={other} is not a PgBouncer that runs here.\n"


def test_without_pgbouncer_and_apt_the_message_names_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgbouncer, "FOLDER", tmp_path)
    monkeypatch.setattr(pgbouncer.shutil, "which", lambda *_arguments, **_named: None)
    monkeypatch.delenv(pgbouncer.VARIABLE, raising=False)
    with pytest.raises(pgbouncer.NoPgBouncer, match="Debian: apt-get install pgbouncer"):
        pgbouncer.find()
    with pytest.raises(pgbouncer.NoPgBouncer, match="no apt-get"):
        pgbouncer.unpack()
