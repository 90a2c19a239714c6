"""`make prometheus` finds an installed Prometheus or says what to install; it downloads nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import PROJECT
from tools.prometheus import VARIABLE, find

SCRIPT = PROJECT / "tools" / "prometheus.py"


def program(folder: Path, name: str, status: int = 0) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\nexit {status}\n")
    path.chmod(0o755)


def make_sure(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it in an environment that has none, where a folder's programs alone are found."""
    kept = {name: value for name, value in os.environ.items() if name != VARIABLE}
    outside = (
        "import runpy, sys; sys.prefix = sys.argv[1]; runpy.run_path(sys.argv[2], None, '__main__')"
    )
    return subprocess.run(
        [sys.executable, "-c", outside, folder, SCRIPT],
        cwd=PROJECT,
        env=kept | {"PATH": str(folder)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_installed_prometheus_is_accepted_silently(tmp_path: Path) -> None:
    program(tmp_path, "prometheus")
    program(tmp_path, "promtool")
    done = make_sure(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_prometheus_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "prometheus")
    program(tmp_path, "promtool")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert find() == tmp_path


def test_a_named_prometheus_that_does_not_run_is_an_error(tmp_path: Path) -> None:
    program(tmp_path, "prometheus")
    program(tmp_path, "promtool")
    broken = tmp_path / "broken"
    broken.mkdir()
    program(broken, "prometheus")
    program(broken, "promtool", status=1)
    done = make_sure(tmp_path, **{VARIABLE: str(broken)})
    assert done.returncode == 1
    assert done.stderr == f"{VARIABLE}={broken} holds no prometheus and promtool that run.\n"


def test_without_prometheus_and_apt_the_error_says_what_to_install(tmp_path: Path) -> None:
    done = make_sure(tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "There is no Prometheus here and no apt-get to get it: install it (Debian: apt-get install "
        f"prometheus), or name its folder with {VARIABLE}=/path.\n"
    )
