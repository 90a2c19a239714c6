"""Find the Prometheus and promtool that the tests use; on Debian, unpack its package into .venv.

It is unpacked and not installed, because the package would start a server on the machine. That
needs no root rights. This runs before any package is installed, so it uses the standard library
only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.apt import apt_unpack

FOLDER = Path(sys.prefix) / "prometheus"
LOG = Path(sys.prefix) / "prometheus.log"
VARIABLE = "SENTINEL_PROMETHEUS"
PROGRAMS = ("prometheus", "promtool")
_SECONDS = 300  # 9 MB of lists and a package of 19 MB
WHAT_TO_DO = (
    f"install it (Debian: apt-get install prometheus), or name its folder with {VARIABLE}=/path."
)


class NoPrometheus(Exception):
    """No Prometheus runs here; the message is one sentence with what to do."""


def find() -> Path:
    """Return the folder of SENTINEL_PROMETHEUS, or else one that holds both programs.

    Raises:
        NoPrometheus: no folder holds both programs, or that of SENTINEL_PROMETHEUS does not.
    """
    if named := os.environ.get(VARIABLE):
        if not _runs(Path(named)):
            raise NoPrometheus(f"{VARIABLE}={named} holds no prometheus and promtool that run.")
        return Path(named)
    on_path = shutil.which("promtool")
    for folder in (FOLDER, *([Path(on_path).parent] if on_path else [])):
        if _runs(folder):
            return folder
    raise NoPrometheus(f"There is no Prometheus here: {WHAT_TO_DO}")


def unpack() -> Path:
    """Unpack Debian's package into the environment, and return the folder of its programs.

    Raises:
        NoPrometheus: the package cannot be downloaded here.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise NoPrometheus(f"There is no Prometheus here and no apt-get to get it: {WHAT_TO_DO}")
    print("Fetching Prometheus for the tests of metrics and alerts ...", flush=True)
    with tempfile.TemporaryDirectory() as root:
        try:
            apt_unpack(["prometheus"], Path(root), LOG, _SECONDS)
        except subprocess.CalledProcessError as error:
            raise NoPrometheus(
                f"apt-get could not fetch Prometheus (see {LOG}): {WHAT_TO_DO}"
            ) from error
        FOLDER.mkdir(exist_ok=True)
        for program in PROGRAMS:
            shutil.move(Path(root) / "usr/bin" / program, FOLDER / program)
    return find()


def _runs(folder: Path) -> bool:
    """Whether both programs start; those for another architecture do not."""
    try:
        results = [
            subprocess.run(  # noqa: S603 - a program of this machine
                [folder / program, "--version"], capture_output=True, timeout=60, check=False
            )
            for program in PROGRAMS
        ]
    except (OSError, subprocess.TimeoutExpired):
        return False
    return all(done.returncode == 0 for done in results)


def main() -> int:
    """Unpack Prometheus if it is missing; return 0, or 1 after one sentence on stderr."""
    try:
        try:
            find()
        except NoPrometheus:
            if os.environ.get(VARIABLE):
                raise
            unpack()
    except (NoPrometheus, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
