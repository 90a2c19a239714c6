"""The folder of exported heads: a file a head, which is written once and never changed.

An object store that refuses overwriting (WORM) can be mounted there, or the folder be copied to
one. The name of a file is the size of its tree, so names are in the order of time.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from persistence.sealing.errors import SealError
from scoring.tenant import is_slug

_NAME = re.compile(r"(?!0{20})[0-9]{20}")
"""Name of a head: its size, which is at least 1, in 20 digits."""


class HeadFiles:
    """Writes and reads heads.

    Args:
        root: folder with a folder a tenant.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def slugs(self) -> list[str]:
        """Return the tenants that have heads, sorted.

        Folders of other names, such as lost+found, are not looked into.

        Raises:
            SealError: the folder cannot be read.
        """
        with self._reading(self.root):
            named = sorted(path.name for path in self.root.iterdir() if is_slug(path.name))
        return [slug for slug in named if self._is_used(slug)]

    def sizes(self, slug: str) -> list[int]:
        """Return the sizes of a tenant's heads, ascending.

        Raises:
            SealError: the folder cannot be read.
        """
        return sorted(int(name) for name in self._names(slug) if _NAME.fullmatch(name))

    def strays(self, slug: str) -> list[str]:
        """Return the names of a tenant's files that look like a head's and are none, sorted.

        Raises:
            SealError: the folder cannot be read.
        """
        return sorted(
            name for name in self._names(slug) if name.isdigit() and not _NAME.fullmatch(name)
        )

    def _is_used(self, slug: str) -> bool:
        try:
            return bool(self.sizes(slug) or self.strays(slug))
        except SealError:
            return True  # Whoever verifies the tenant hears of it.

    def _names(self, slug: str) -> list[str]:
        folder = self.root / slug
        with self._reading(folder):
            return [path.name for path in folder.iterdir()] if folder.is_dir() else []

    @contextmanager
    def _reading(self, folder: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SealError(f"The folder of heads {folder} cannot be read: {error}.") from error

    def read(self, slug: str, size: int) -> str:
        """Return the note of a head.

        Raises:
            SealError: the file cannot be read.
        """
        path = self.path(slug, size)
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SealError(f"The head {path} cannot be read: {error}.") from error

    def newest(self, slug: str) -> int:
        """Return the size of a tenant's newest head that has content; 0: there is none.

        Raises:
            SealError: the folder cannot be read.
        """
        sizes = reversed(self.sizes(slug))
        with self._reading(self.root / slug):
            return next((size for size in sizes if self.path(slug, size).stat().st_size), 0)

    def write(self, slug: str, size: int, note: str) -> None:
        """Write a head durably, unless there is one of that size.

        The file has its final name from the beginning, as a mounted object store may have no
        renaming. A kill can leave it empty; an empty file is no head, and is written again.

        Raises:
            SealError: it cannot be written.
        """
        path = self.path(slug, size)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            is_unfinished = path.exists() and not path.stat().st_size
            with path.open("w" if is_unfinished else "x", encoding="utf-8") as file:
                file.write(note)
                file.flush()
                os.fsync(file.fileno())
            _sync_folder(path.parent)
        except FileExistsError:
            return
        except OSError as error:
            raise SealError(f"The head {path} cannot be written: {error}.") from error

    def path(self, slug: str, size: int) -> Path:
        """Return the path of a head."""
        return self.root / slug / f"{size:020d}"


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where its file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
