"""The code of the last release, which runs beside this release's.

`release_<revision>.tar.xz` has it, as its commit did, so that a test needs no history of git.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.releases.statements import RELEASES
from tests.support.stack import KEY_SECRET, Service, serving

ARCHIVE = Path(__file__).parent / f"{RELEASES[-1].stem}.tar.xz"


@dataclass(frozen=True)
class ReleasedCode:
    """The last release, in a directory of its own and in this environment's packages.

    Args:
        directory: directory of its packages.
        database: URL of the database that it uses.
        tracking_uri: address of MLflow.
        home: directory of what its processes keep.
    """

    directory: Path
    database: str
    tracking_uri: str
    home: Path

    def run(self, module: str, *arguments: str) -> str:
        """Run one of its commands, such as `sentinel`; return what it prints."""
        environment = {
            **os.environ,
            "DATABASE_URL": self.database,
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "SENTINEL_HOME": str(self.home),
            "SENTINEL_KEY_SECRET": KEY_SECRET.decode(),
            "NO_COLOR": "1",
        }
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.directory, env=environment,
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def serving(self, home: Path, port: int) -> Iterator[Service]:
        """Run its service until the block ends; it accepts requests then."""
        with serving(
            self.database, self.tracking_uri, home, port, directory=self.directory
        ) as service:
            yield service


def released_code(directory: Path, database: str, tracking_uri: str) -> ReleasedCode:
    """Unpack the last release's code.

    Args:
        directory: empty directory for the code and what its processes keep.
        database: URL of the database that it uses.
        tracking_uri: address of MLflow.
    """
    packages, home = directory / "release", directory / "home"
    home.mkdir()
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(packages, filter="data")
    return ReleasedCode(packages, database, tracking_uri, home)
