"""A disk of limited size that can be full for a while: a tmpfs, where one can be mounted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


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
        """
        if not self._is_mounted:
            raise CannotMount
        self._resize(self._used())
        try:
            yield
        finally:
            self._resize(self._size)

    def _used(self) -> int:
        status = os.statvfs(self.path)
        return (status.f_blocks - status.f_bfree) * status.f_frsize

    def _resize(self, size: int) -> None:
        _run("mount", "-o", f"remount,size={max(size, 4096)}", str(self.path))


def _run(*command: str) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0
