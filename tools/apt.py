"""Install or unpack Debian packages: tools for the tests that PyPI does not have.

It runs before any package is installed, so it uses the standard library only.
"""

from __future__ import annotations

import subprocess
import tempfile
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


def apt_unpack(packages: Sequence[str], into: Path, log: Path, timeout_s: float) -> None:
    """Download packages with package lists of their own, and unpack their files into a folder.

    Nothing is installed, so no server of a package starts, and no root rights are needed.

    Args:
        packages: names of the packages; `a|b` is the first of them that exists.
        into: folder that receives the files, such as `usr/bin/promtool`.
        log: file that receives the output.
        timeout_s: longest time of each step.

    Raises:
        subprocess.CalledProcessError: a package cannot be downloaded or unpacked.
        subprocess.TimeoutExpired: a step took longer.
    """
    with tempfile.TemporaryDirectory() as name, log.open("w") as output:
        scratch = Path(name)
        for folder in ("lists/partial", "cache/archives/partial"):
            (scratch / folder).mkdir(parents=True)

        def run(*command: str, check: bool = True) -> int:
            return subprocess.run(  # noqa: S603 - our own commands
                command,
                cwd=scratch,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=check,
            ).returncode

        own = ["-o", f"Dir::State::lists={scratch}/lists", "-o", f"Dir::Cache={scratch}/cache"]
        apt = ["apt-get", "-qq", *own, "-o", "APT::Sandbox::User="]
        run(*apt, "update")
        for package in packages:
            *others, last = package.split("|")
            if not any(run(*apt, "download", other, check=False) == 0 for other in others):
                run(*apt, "download", last)
        for file in scratch.glob("*.deb"):
            run("dpkg-deb", "-x", str(file), str(into))
