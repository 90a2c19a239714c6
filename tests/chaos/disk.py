"""A disk of limited size that can be full for a while: a tmpfs, where one can be mounted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_TRIES = 50


class CannotMount(Exception):
    """This process may mount nothing: it is not root, or its container forbids it."""


class SmallDisk:
    """A folder on a tmpfs of its own, or a plain folder where none can be mounted.

    Args:
        path: folder, which is made.
        megabytes: size.
        stack: stack that unmounts it.
    """

    def __init__(self, path: Path, megabytes: int, stack: ExitStack) -> None:
        self.path = path
        self._size = megabytes << 20
        path.mkdir()
        options = f"size={self._size},mode=0755"
        self._is_mounted = _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path))
        if self._is_mounted:
            stack.callback(_run, "umount", "--lazy", str(path))

    @contextmanager
    def full(self) -> Iterator[None]:
        """Leave no free byte while the block runs.

        Raises:
            CannotMount: it is a plain folder.
            RuntimeError: it cannot be filled, or not be given back its size.
        """
        if not self._is_mounted:
            raise CannotMount
        # What is written in between makes it larger than it may become.
        if not any(self._resize(self._used()) for _ in range(_TRIES)):
            raise RuntimeError(f"{self.path} cannot be made as small as what it holds")
        try:
            yield
        finally:
            if not self._resize(self._size):
                raise RuntimeError(f"{self.path} does not get its size back")

    def _used(self) -> int:
        status = os.statvfs(self.path)
        return (status.f_blocks - status.f_bfree) * status.f_frsize

    def _resize(self, size: int) -> bool:
        return _run("mount", "-o", f"remount,size={max(size, 4096)}", str(self.path))


def _run(*command: str) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0
