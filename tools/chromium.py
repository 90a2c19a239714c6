"""Find the Chromium that the browser test and `make screens` drive; on Debian, install it.

It runs before any package is installed, so it uses the standard library only.
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
    """No browser starts here; the message is one sentence with what to do."""


def find() -> Path:
    """Return the browser of SENTINEL_CHROMIUM, or else the first installed one that starts.

    Raises:
        NoChromium: no browser starts, or that of SENTINEL_CHROMIUM does not.
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
    """Install Debian's Chromium, and return its path.

    Raises:
        NoChromium: Chromium cannot be installed here.
    """
    if not shutil.which("apt-get"):
        raise NoChromium(f"There is no Chromium here and no apt-get to install it: {WHAT_TO_DO}")
    rights = [] if os.geteuid() == 0 else ["sudo", "-n"]  # -n: without a password prompt
    if rights and not shutil.which("sudo"):
        raise NoChromium(f"There is no Chromium here and only root can install it: {WHAT_TO_DO}")
    print("Installing Chromium for the browser test ...", flush=True)
    if not apt_install(["chromium"], LOG, _APT_SECONDS, rights):
        raise NoChromium(f"apt-get could not install Chromium (see {LOG}): {WHAT_TO_DO}")
    return find()


def _starts(path: str) -> bool:
    """Whether a browser runs: on Ubuntu `chromium-browser` may only print a hint about a snap."""
    try:
        done = subprocess.run(  # noqa: S603 - a browser of this machine
            [path, "--version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and "Chrom" in done.stdout


def main() -> int:
    """Install Chromium if it is missing; return 0, or 1 after one sentence on stderr."""
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
