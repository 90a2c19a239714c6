"""The rows of a file that were not imported, in a file beside it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from scoring.tables.csv_rows import Row


def rejects_path(path: Path) -> Path:
    """Return the file of the rows of a file that were not imported."""
    return path.with_name(f"{path.name}.rejected.csv")


class RejectedRows:
    """Writer of the rows that were not imported; the file is made with its first row.

    It has the columns of the import, so that it can be corrected and imported itself.

    Attributes:
        count: rows that were added.
    """

    def __init__(self, path: Path, columns: Sequence[str], fault: str) -> None:
        """Prepare the file.

        Args:
            path: file that is imported.
            columns: names of the cells of its rows.
            fault: name of the column that says what is wrong with a row.
        """
        self.count = 0
        self._path = rejects_path(path)
        self._header = [*columns, "row", "line", fault]
        self._stack = ExitStack()
        self._write: Callable[[Sequence[object]], object] | None = None

    def __enter__(self) -> RejectedRows:
        self._path.unlink(missing_ok=True)  # of an earlier run
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, row: Row, fault: str) -> None:
        """Write a row with what is wrong with it."""
        if self._write is None:
            file = self._stack.enter_context(
                self._path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
            )
            self._write = csv.writer(file).writerow
            self._write(self._header)
        self.count += 1
        self._write([*row.cells, row.number, "" if row.line is None else row.line, fault])
