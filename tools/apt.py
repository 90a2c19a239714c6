"""Installing Debian's packages, for the tools that the tests use and PyPI does not have.

Runs before anything is installed: standard library only.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


def apt_install(
    packages: Sequence[str], log: Path, timeout_s: float, rights: Sequence[str] = ()
) -> bool:
    """Install packages with apt-get, which has to be there; whether it did.

    Args:
        packages: their names.
        log: what apt-get says goes there.
        timeout_s: for each of its two steps; another apt-get may hold the lock.
        rights: a command that lends root's, where they are missing.

    Raises:
        subprocess.TimeoutExpired: it took longer.
    """
    apt = [*rights, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    wanted = ["-y", "--no-install-recommends", *packages]
    with log.open("w") as told:
        for command in (["update"], ["-o", "DPkg::Lock::Timeout=300", "install", *wanted]):
            done = subprocess.run(  # noqa: S603 - our own commands
                [*apt, *command],
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            )
    return done.returncode == 0
