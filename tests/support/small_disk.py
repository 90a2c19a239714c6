"""A file system of a few megabytes, which a test fills: a real ENOSPC."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_mount = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None,
    reason="mounting a file system of its own needs root",
)


class SmallDisk:
    """A tmpfs that is mounted at a folder.

    Attributes:
        path: folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def full(self) -> Iterator[None]:
        """Leave no byte free while the block runs."""
        filler = self.path / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(b"\0" * 4096):
                    pass
            except OSError:
                pass
        try:
            yield
        finally:
            filler.unlink()


@contextmanager
def small_disk(path: Path, kilobytes: int) -> Iterator[SmallDisk]:
    """Mount an empty file system at a folder until the block ends.

    Args:
        path: folder; what it held is hidden meanwhile.
        kilobytes: size of the file system.
    """
    size = f"size={kilobytes}k,mode=0755"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(path)]
    made = subprocess.run(mount, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
