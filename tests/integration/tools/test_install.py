"""The installation of a lock file; no network is used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.paths import PROJECT


def test_a_package_without_a_wheel_here_is_named_in_one_sentence(tmp_path: Path) -> None:
    lock = tmp_path / "some.lock"
    lock.write_text(f"no-such-package==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    done = subprocess.run(
        [sys.executable, PROJECT / "tools/install.py", lock],
        env={**os.environ, "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("There is no prebuilt no-such-package==1.0 for this machine")
    assert len(done.stderr.splitlines()) == 1
