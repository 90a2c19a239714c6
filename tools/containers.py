"""Find the tools with which `make test-image` builds and runs the image; on Debian, install them.

It runs before any package is installed, so it uses the standard library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.apt import apt_install

LOG = Path(sys.prefix) / "containers.log"
TOOLS = ("buildah", "podman", "runc", "mmdebstrap")
"""buildah builds the image on a base that mmdebstrap makes; podman runs it with runc."""
_APT_SECONDS = 600  # 40 MB to fetch, and another apt-get may hold the lock


class NoContainers(Exception):
    """The image cannot be tested here; the message is one sentence with the reason."""


def ensure() -> None:
    """Install the tools that are missing.

    Raises:
        NoContainers: the tools cannot be installed here, or containers cannot run.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        raise NoContainers("The image is not tested here: building it without a daemon takes root.")
    # Containers are built and run in mount namespaces, which a sandbox may deny even to root.
    if not (shutil.which("unshare") and _may_mount()):
        raise NoContainers("The image is not tested here: this machine allows no mounts.")
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise NoContainers(
            f"The image is not tested here: there is no {missing[0]}, and no apt-get to install it."
        )
    print(f"Installing {', '.join(missing)} to test the image ...", flush=True)
    if not apt_install(missing, LOG, _APT_SECONDS):
        raise NoContainers(
            f"The image is not tested here: apt-get could not install {', '.join(missing)}"
            f" (see {LOG})."
        )


def _may_mount() -> bool:
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)  # noqa: S607
    return done.returncode == 0


def main() -> int:
    """Install the missing tools; return 0, or 1 after one sentence on stderr."""
    try:
        ensure()
    except (NoContainers, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
