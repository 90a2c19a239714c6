"""Install Debian packages: tools for the tests that PyPI does not have.

It runs before any package is installed, so it uses the standard library only.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


def apt_install(
    packages: Sequence[str], log: Path, timeout_s: float, rights: Sequence[str] = ()
) -> bool:
    """Install packages with apt-get, which has to exist; return whether that succeeded.

    Args:
        packages: names of the packages.
        log: file that receives the output of apt-get.
        timeout_s: longest time of each of the two steps; another apt-get may hold the lock.
        rights: command that runs apt-get as root, such as `sudo -n`; empty for root.

    Raises:
        subprocess.TimeoutExpired: a step took longer.
    """
    apt = [*rights, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    options = ["-y", "--no-install-recommends", *packages]
    with log.open("w") as output:
        for command in (["update"], ["-o", "DPkg::Lock::Timeout=300", "install", *options]):
            done = subprocess.run(  # noqa: S603 - our own commands
                [*apt, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            )
    return done.returncode == 0
