"""`make chromium` finds an installed browser or says what to install; nothing is installed here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import PROJECT


def program(folder: Path, name: str, says: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def make_sure(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it where only the programs of a folder are to be found."""
    kept = {name: value for name, value in os.environ.items() if name != "SENTINEL_CHROMIUM"}
    return subprocess.run(
        [sys.executable, "-m", "tools.chromium"],
        cwd=PROJECT,
        env=kept | {"PATH": str(folder)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_an_installed_browser_is_accepted_silently(tmp_path: Path, name: str) -> None:
    program(tmp_path, name, "Chromium 156.0")
    done = make_sure(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_browser_can_be_named(tmp_path: Path) -> None:
    named = program(tmp_path, "my-browser", "Chromium 156.0")
    assert make_sure(tmp_path, SENTINEL_CHROMIUM=str(named)).returncode == 0


def test_a_named_browser_that_does_not_start_is_an_error(tmp_path: Path) -> None:
    program(tmp_path, "chromium", "Chromium 156.0")
    done = make_sure(tmp_path, SENTINEL_CHROMIUM="/no/such")
    assert done.returncode == 1
    assert done.stderr == "SENTINEL_CHROMIUM=/no/such is not a Chromium that starts here.\n"


def test_without_a_browser_and_apt_the_error_says_what_to_install(tmp_path: Path) -> None:
    program(tmp_path, "chromium-browser", "Command '/usr/bin/chromium-browser' requires a snap.")
    done = make_sure(tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "There is no Chromium here and no apt-get to install it: install it (Debian: apt-get "
        "install chromium), or name one with SENTINEL_CHROMIUM=/path.\n"
    )
