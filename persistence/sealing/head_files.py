"""The folder of exported heads: a file a head, which is written once and never changed.

An object store that refuses overwriting (WORM) can be mounted there, or the folder be copied to
one. The name of a file is the size of its tree, so names are in the order of time.
"""

from __future__ import annotations

import os
from pathlib import Path

from persistence.sealing.errors import SealError


class HeadFiles:
    """Writes and reads heads.

    Args:
        root: folder with a folder a tenant.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def slugs(self) -> list[str]:
        """Return the tenants that have a folder, sorted.

        Raises:
            SealError: the folder cannot be read.
        """
        try:
            return sorted(path.name for path in self.root.iterdir() if path.is_dir())
        except OSError as error:
            raise SealError(f"The folder of heads {self.root} cannot be read: {error}.") from error

    def sizes(self, slug: str) -> list[int]:
        """Return the sizes of a tenant's heads, ascending."""
        folder = self.root / slug
        if not folder.is_dir():
            return []
        return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())

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

    def write(self, slug: str, size: int, note: str) -> None:
        """Write a head durably, unless there is one of that size.

        Raises:
            SealError: it cannot be written.
        """
        path = self.path(slug, size)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                return
            with unfinished.open("w", encoding="utf-8") as file:
                file.write(note)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise SealError(f"The head {path} cannot be written: {error}.") from error

    def path(self, slug: str, size: int) -> Path:
        """Return the path of a head."""
        return self.root / slug / f"{size:020d}"
