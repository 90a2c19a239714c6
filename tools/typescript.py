"""Find the TypeScript compiler and client generator that the tests use; install them into .venv.

npm installs what requirements/npm/package-lock.json pins by hash, without running its scripts. On
Debian, Node.js is installed where it is missing. This runs before any package is installed, so it
uses the standard library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.apt import apt_install

ROOT = Path(__file__).resolve().parents[1]
LOCKED = ROOT / "requirements" / "npm"
FOLDER = Path(sys.prefix) / "npm"
LOG = Path(sys.prefix) / "npm.log"
_FILES = ("package.json", "package-lock.json")
_SECONDS = 300  # 13 MB to fetch
WHAT_TO_DO = "install Node.js 18 or newer with npm (Debian: apt-get install nodejs npm)."


class NoTypeScript(Exception):
    """No TypeScript compiler runs here; the message is one sentence with what to do."""


def find() -> Path:
    """Return the folder whose `node_modules` holds the pinned packages.

    Raises:
        NoTypeScript: there is no Node.js, or the packages are missing or not those of the lock.
    """
    if not (shutil.which("node") and shutil.which("npm")):
        raise NoTypeScript(f"There is no Node.js here: {WHAT_TO_DO}")
    if not _is_installed():
        raise NoTypeScript(
            "The TypeScript compiler is not installed: `make typescript` installs it."
        )
    return FOLDER


def install() -> Path:
    """Install the pinned packages, and Node.js where it is missing; return their folder.

    Raises:
        NoTypeScript: something cannot be installed here.
    """
    if not (shutil.which("node") and shutil.which("npm")):
        _install_node()
    print("Installing TypeScript for the test of the API's clients ...", flush=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    for name in _FILES:
        shutil.copyfile(LOCKED / name, FOLDER / name)
    with LOG.open("w") as output:
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],  # noqa: S607
            cwd=FOLDER,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
        )
    if done.returncode:
        (FOLDER / _FILES[1]).unlink()  # the folder does not pass for installed
        raise NoTypeScript(f"npm could not install TypeScript (see {LOG}).")
    return find()


def _is_installed() -> bool:
    copies = [FOLDER / name for name in _FILES]
    return (FOLDER / "node_modules").is_dir() and all(
        copy.is_file() and copy.read_bytes() == (LOCKED / copy.name).read_bytes() for copy in copies
    )


def _install_node() -> None:
    rights = [] if os.geteuid() == 0 else ["sudo", "-n"]  # -n: without a password prompt
    if not shutil.which("apt-get") or (rights and not shutil.which("sudo")):
        raise NoTypeScript(f"There is no Node.js here: {WHAT_TO_DO}")
    print("Installing Node.js for the test of the API's clients ...", flush=True)
    if not apt_install(["nodejs", "npm"], LOG, _SECONDS, rights):
        raise NoTypeScript(f"apt-get could not install Node.js (see {LOG}): {WHAT_TO_DO}")


def main() -> int:
    """Install what is missing; return 0, or 1 after one sentence on stderr."""
    try:
        try:
            find()
        except NoTypeScript:
            install()
    except (NoTypeScript, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
