"""Find the PgBouncer that the tests use; on Debian, unpack its package into .venv.

It is unpacked and not installed, because the package would start a pooler on the machine. This runs
before any package is installed, so it uses the standard library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.apt import apt_unpack

FOLDER = Path(sys.prefix) / "pgbouncer"
LOG = Path(sys.prefix) / "pgbouncer.log"
VARIABLE = "SENTINEL_PGBOUNCER"
_SECONDS = 300  # 9 MB of package lists
# The two libraries that a machine without PgBouncer may lack; the first names are those of Debian
# 13 and later.
_PACKAGES = ("pgbouncer", "libcares2|libc-ares2", "libevent-2.1-7t64|libevent-2.1-7")
WHAT_TO_DO = (
    f"install it (Debian: apt-get install pgbouncer), or name the program with {VARIABLE}=/path."
)


class NoPgBouncer(Exception):
    """No PgBouncer runs here; the message is one sentence with what to do."""


def find() -> Path:
    """Return the program of SENTINEL_PGBOUNCER, or else the first one that runs.

    Raises:
        NoPgBouncer: no PgBouncer runs, or that of SENTINEL_PGBOUNCER does not.
    """
    if named := os.environ.get(VARIABLE):
        if not _runs(Path(named)):
            raise NoPgBouncer(f"{VARIABLE}={named} is not a PgBouncer that runs here.")
        return Path(named)
    on_path = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    for program in (FOLDER / "usr/sbin/pgbouncer", *([Path(on_path)] if on_path else [])):
        if _runs(program):
            return program
    raise NoPgBouncer(f"There is no PgBouncer here: {WHAT_TO_DO}")


def environment() -> dict[str, str]:
    """Return the variables with which the program finds the libraries unpacked beside it."""
    libraries = [str(path) for path in sorted((FOLDER / "usr/lib").glob("*-linux-*"))]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)} if libraries else {**os.environ}


def unpack() -> Path:
    """Unpack Debian's package into the environment, and return the program.

    Raises:
        NoPgBouncer: the package cannot be downloaded here.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise NoPgBouncer(f"There is no PgBouncer here and no apt-get to get it: {WHAT_TO_DO}")
    print("Fetching PgBouncer for the tests behind a pooler ...", flush=True)
    try:
        apt_unpack(_PACKAGES, FOLDER, LOG, _SECONDS)
    except subprocess.CalledProcessError as error:
        raise NoPgBouncer(f"apt-get could not fetch PgBouncer (see {LOG}): {WHAT_TO_DO}") from error
    return find()


def _runs(program: Path) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 - a program of this machine
            [program, "--version"],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and "PgBouncer" in done.stdout


def main() -> int:
    """Unpack PgBouncer if it is missing; return 0, or 1 after one sentence on stderr."""
    try:
        try:
            find()
        except NoPgBouncer:
            if os.environ.get(VARIABLE):
                raise
            unpack()
    except (NoPgBouncer, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
