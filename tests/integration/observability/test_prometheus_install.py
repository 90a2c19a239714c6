"""Which Prometheus is found, and the message when there is none; nothing is downloaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import PROJECT
from tools.prometheus import VARIABLE, find

SCRIPT = PROJECT / "tools" / "prometheus.py"


def write_program(folder: Path, name: str, status: int = 0) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\nexit {status}\n")
    path.chmod(0o755)


def run_script(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script where only the folder's programs are on PATH and no environment has one."""
    kept = {name: value for name, value in os.environ.items() if name != VARIABLE}
    program = (
        "import runpy, sys; sys.prefix = sys.argv[1]; runpy.run_path(sys.argv[2], None, '__main__')"
    )
    return subprocess.run(
        [sys.executable, "-c", program, folder, SCRIPT],
        cwd=PROJECT,
        env=kept | {"PATH": str(folder)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_installed_prometheus_is_used_without_output(tmp_path: Path) -> None:
    write_program(tmp_path, "prometheus")
    write_program(tmp_path, "promtool")
    done = run_script(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_environment_variable_names_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(tmp_path, "prometheus")
    write_program(tmp_path, "promtool")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert find() == tmp_path


def test_a_named_folder_whose_programs_fail_is_an_error(tmp_path: Path) -> None:
    write_program(tmp_path, "prometheus")
    write_program(tmp_path, "promtool")
    broken = tmp_path / "broken"
    broken.mkdir()
    write_program(broken, "prometheus")
    write_program(broken, "promtool", status=1)
    done = run_script(tmp_path, **{VARIABLE: str(broken)})
    assert done.returncode == 1
    assert done.stderr == f"{VARIABLE}={broken} holds no prometheus and promtool that run.\n"


def test_without_prometheus_and_apt_the_message_names_what_to_do(tmp_path: Path) -> None:
    done = run_script(tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "There is no Prometheus here and no apt-get to get it: install it (Debian: apt-get install "
        f"prometheus), or name its folder with {VARIABLE}=/path.\n"
    )
