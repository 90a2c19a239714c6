"""Find the library that gives a process another clock; on Debian, unpack its package into .venv.

This runs before any package is installed, so it uses the standard library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.apt import apt_unpack

FOLDER = Path(sys.prefix) / "faketime"
LOG = Path(sys.prefix) / "faketime.log"
VARIABLE = "SENTINEL_FAKETIME"
_SECONDS = 300  # 9 MB of package lists
_LIBRARY = "usr/lib/*/faketime/libfaketimeMT.so.1"


def find() -> Path | None:
    """Return the library that SENTINEL_FAKETIME names, or one of this machine; None without one."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    for root in (FOLDER, Path("/")):
        for library in sorted(root.glob(_LIBRARY)):
            return library
    return None


def main() -> int:
    """Unpack the library if it is missing; return 0, or 1 after one sentence on stderr."""
    if find() is None and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        print("Fetching libfaketime for the runs that move the clock ...", flush=True)
        try:
            apt_unpack(("libfaketime",), FOLDER, LOG, _SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            print(f"apt-get could not fetch libfaketime (see {LOG}).", file=sys.stderr)
    if find() is None:
        print(
            "There is no libfaketime here, so the chaos runs leave the clock as it is: install it"
            f" (Debian: apt-get install libfaketime), or name the library with {VARIABLE}=/path.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
