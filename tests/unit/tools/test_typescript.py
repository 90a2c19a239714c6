"""`make typescript` installs what a lock file pins, or says what to install; nothing is here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import PROJECT
from tools import typescript

LOCK = json.loads((typescript.LOCKED / "package-lock.json").read_text())
DECLARED = json.loads((typescript.LOCKED / "package.json").read_text())["dependencies"]


def test_without_node_and_apt_the_error_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.typescript"],
        cwd=PROJECT,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "There is no Node.js here: install Node.js 18 or newer with npm (Debian: apt-get install "
        "nodejs npm).\n"
    )


def test_packages_of_another_lock_file_do_not_pass_for_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(typescript, "FOLDER", tmp_path)
    (tmp_path / "node_modules").mkdir()
    for name in ("package.json", "package-lock.json"):
        (tmp_path / name).write_bytes((typescript.LOCKED / name).read_bytes())
    assert typescript.find() == tmp_path
    (tmp_path / "package-lock.json").write_text("{}")
    with pytest.raises(typescript.NoTypeScript, match="make typescript"):
        typescript.find()


def test_every_package_is_pinned_and_hashed_and_no_registry_is_written_down() -> None:
    packages = {name: entry for name, entry in LOCK["packages"].items() if name}
    assert LOCK["packages"][""]["dependencies"] == DECLARED
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in DECLARED.values())
    assert {f"node_modules/{name}" for name in DECLARED} <= set(packages)
    for name, entry in packages.items():
        assert entry["integrity"].startswith("sha512-"), name
        assert "resolved" not in entry, name
        assert not entry.get("hasInstallScript"), name
