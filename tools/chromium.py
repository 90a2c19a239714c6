"""Find the Chromium that the browser test and `make screens` drive; on Debian, install it.

Runs before anything is installed: standard library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.apt import apt_install

LOG = Path(sys.prefix) / "chromium.log"
VARIABLE = "SENTINEL_CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_APT_SECONDS = 900  # 100 MB to fetch, and another apt-get may hold the lock
WHAT_TO_DO = f"install it (Debian: apt-get install chromium), or name one with {VARIABLE}=/path."


class NoChromium(Exception):
    """There is no browser that starts; the message is one sentence that says what to do."""


def find() -> Path:
    """The browser that SENTINEL_CHROMIUM names, or else the first one here that starts.

    Raises:
        NoChromium: there is none, or the named one does not start.
    """
    if named := os.environ.get(VARIABLE):
        if not _starts(named):
            raise NoChromium(f"{VARIABLE}={named} is not a Chromium that starts here.")
        return Path(named)
    for path in filter(None, map(shutil.which, _NAMES)):
        if _starts(path):
            return Path(path)
    raise NoChromium(f"There is no Chromium here: {WHAT_TO_DO}")


def install() -> Path:
    """Install Debian's, and return it.

    Raises:
        NoChromium: it cannot be installed here.
    """
    if not shutil.which("apt-get"):
        raise NoChromium(f"There is no Chromium here and no apt-get to install it: {WHAT_TO_DO}")
    rights = [] if os.geteuid() == 0 else ["sudo", "-n"]  # never asks for a password
    if rights and not shutil.which("sudo"):
        raise NoChromium(f"There is no Chromium here and only root can install it: {WHAT_TO_DO}")
    print("Installing Chromium for the browser test ...", flush=True)
    if not apt_install(["chromium"], LOG, _APT_SECONDS, rights):
        raise NoChromium(f"apt-get could not install Chromium ({LOG} says why): {WHAT_TO_DO}")
    return find()


def _starts(path: str) -> bool:
    """Whether it runs: on Ubuntu `chromium-browser` may only say that there is a snap."""
    try:
        told = subprocess.run(  # noqa: S603 - a browser of this machine
            [path, "--version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return told.returncode == 0 and "Chrom" in told.stdout


def main() -> int:
    """Make sure that there is one; 0, or 1 after one sentence."""
    try:
        try:
            find()
        except NoChromium:
            if os.environ.get(VARIABLE):
                raise
            install()
    except (NoChromium, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
