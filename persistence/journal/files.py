"""The files of a journal: folders with a lock each, segments in them, and what was set aside.

SENTINEL_JOURNAL_DIR/           mode 0700
0/, 1/ ...                    one for each process of this folder
lock                        held with flock while a process lives
00000000000000000001.journal    a segment, named by its first frame's number
quarantine/                 records that Postgres refuses, and damaged bytes
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from persistence.journal.errors import QuarantineFull

SUFFIX = ".journal"
QUARANTINE = "quarantine"
TORN = ".torn"
"""Suffix of the end of a write that no reply waited for any more."""
QUARANTINE_BYTES = 64 << 20
"""Size of the quarantines of a machine. With the journal's 256 MB it fits the volume of the base
deployment, 384 MB."""
_LOCK = "lock"
_MOST_FOLDERS = 1024


class LockedFolder:
    """The folder of one process; no other process writes to it or drains it meanwhile.

    Attributes:
        path: folder.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def try_lock(cls, path: Path) -> Self | None:
        """Lock a folder, which is made where it is missing; None where a process holds it."""
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return cls(path, descriptor)

    def unlock(self) -> None:
        """Give the folder to another process."""
        os.close(self._descriptor)


def folders(root: Path) -> list[Path]:
    """Return the folders of processes, also of those that have ended."""
    if not root.is_dir():
        return []
    return sorted(
        (path for path in root.iterdir() if path.name.isdecimal() and path.is_dir()),
        key=lambda path: int(path.name),
    )


def lock_all(root: Path) -> list[LockedFolder]:
    """Lock every folder that no process holds, and at least one, for a process that begins.

    Raises:
        OSError: the folder cannot be written to.
    """
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    locked = [one for path in folders(root) if (one := LockedFolder.try_lock(path))]
    number = 0
    while not locked and number < _MOST_FOLDERS:
        if (one := LockedFolder.try_lock(root / str(number))) is not None:
            locked.append(one)
        number += 1
    if not locked:
        raise OSError(f"{root} has {_MOST_FOLDERS} folders of running processes")
    return locked


def is_locked(path: Path) -> bool:
    """Whether a process holds a folder."""
    try:
        descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def segments(folder: Path) -> list[Path]:
    """Return the segments of a folder, the oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def segment_path(folder: Path, first_number: int) -> Path:
    """Return the path of the segment that begins with a frame's number."""
    return folder / f"{first_number:020d}{SUFFIX}"


def quarantined(folder: Path) -> list[Path]:
    """Return the records that were set aside in a folder, the oldest first; no torn tails."""
    found = (folder / QUARANTINE).glob("*")
    return sorted(path for path in found if path.suffix != TORN and not path.name.endswith("~"))


def set_aside(folder: Path, name: str, content: bytes) -> Path:
    """Write a file to the quarantine, durable on return; one of the same name is replaced."""
    directory = folder / QUARANTINE
    directory.mkdir(exist_ok=True, mode=0o700)
    path = directory / name
    unfinished = directory / f"{name}~"
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        write_all(descriptor, content)
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()  # a part of it takes room from the journal
        raise
    finally:
        os.close(descriptor)
    unfinished.replace(path)
    sync_folder(directory)
    return path


def aside_bytes(root: Path) -> int:
    """Return the size of all files that were set aside, torn tails among them."""
    return sum(total_bytes((path / QUARANTINE).glob("*")) for path in folders(root))


class Quarantine:
    """Writes files to the quarantine up to a size; one thread at a time.

    Args:
        root: folder of all journals of this machine.
        max_bytes: largest size of all files that were set aside.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self._used = aside_bytes(root)

    def write(self, folder: Path, name: str, content: bytes) -> Path:
        """Write a file, durable on return; one of the same name is replaced.

        Args:
            folder: folder of a process.
            name: name of the file.
            content: content of the file.

        Raises:
            QuarantineFull: there is no room.
            OSError: the disk does not take it.
        """
        if self._used + len(content) > self._max_bytes:
            self._used = aside_bytes(self._root)  # an operator may have removed some
            if self._used + len(content) > self._max_bytes:
                raise QuarantineFull(self._max_bytes)
        path = set_aside(folder, name, content)
        self._used += len(content)
        return path


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, content: bytes) -> None:
    """Write all bytes to a file.

    Raises:
        OSError: the disk is full, or another fault; some of them may be written.
    """
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


class SegmentWriter:
    """Appends to one segment.

    Args:
        path: file that does not exist yet.
        header: first bytes of the file.
    """

    def __init__(self, path: Path, header: bytes) -> None:
        self.path = path
        self.definitions: set[str] = set()
        self._descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        self.size = 0
        try:
            write_all(self._descriptor, header)
            sync_folder(path.parent)
        except OSError:
            self.close()
            with suppress(OSError):
                path.unlink()
            raise
        self.size = len(header)

    def append(self, content: bytes) -> None:
        """Write bytes and make them durable.

        Raises:
            OSError: they are not; the segment must not be used any more.
        """
        try:
            write_all(self._descriptor, content)
            os.fdatasync(self._descriptor)
        except OSError:
            # What was not acknowledged is taken off, so that nobody takes it for damage.
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(content)

    def close(self) -> None:
        """Close the file; what was appended is durable."""
        os.close(self._descriptor)


def total_bytes(paths: Iterator[Path] | list[Path]) -> int:
    """Return the size of files that still exist."""
    total = 0
    for path in paths:
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total
