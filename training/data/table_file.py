"""What any file of a table must be before its columns are looked at."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa

from scoring.printable import printable
from sentinel.sentences import shown
from training.data.csv_file import SUFFIXES
from training.errors import TrainingError

_PARQUET = ".parquet"


def is_parquet(path: Path) -> bool:
    """Return whether a file is Parquet by its name; else it is CSV."""
    return path.name.lower().endswith(_PARQUET)


_SHOWN_NAMES = 30
"""Most names of columns in a sentence."""


class MissingColumns(TrainingError):
    """A file lacks columns.

    Attributes:
        source: name of the file.
        names: names of its columns.
        missing: names of those that it lacks.
    """

    def __init__(self, source: str, names: Sequence[str], missing: Sequence[str]) -> None:
        self.source, self.names, self.missing = source, names, missing
        near = {name: found[0] for name in missing if (found := _similar(name, names, 0.8))}
        hint = "".join(
            f" Rename {written!r} to {printable(name)}." for name, written in near.items()
        )
        super().__init__(f"{self._sentence()}{hint}")

    def with_names_meant(self) -> str:
        """Return the sentence where the name is the one to change, not the file."""
        hints = []
        for name in self.missing:
            found = _similar(name, self.names, 0.6)
            if found:
                hints.append(f" Did you mean {' or '.join(map(printable, found))}?")
        return self._sentence() + "".join(hints)

    def _sentence(self) -> str:
        noun = "column" if len(self.missing) == 1 else "columns"
        named = [name for name in self.names if name]
        shown = ", ".join(map(printable, named[:_SHOWN_NAMES])) or "none"
        rest = len(named) - _SHOWN_NAMES
        more = f" and {rest:,} more" if rest > 0 else ""
        return (
            f"{self.source} lacks the {noun} {', '.join(map(printable, self.missing))}; its "
            f"columns are {shown}{more}."
        )


def _similar(name: str, names: Sequence[str], cutoff: float) -> list[str]:
    lower = {other.lower(): other for other in names if other}
    return [lower[near] for near in get_close_matches(name.lower(), lower, n=2, cutoff=cutoff)]


@contextmanager
def readable(path: Path) -> Iterator[str]:
    """Check that a path names a file that can be read, and translate what fails while it is read.

    Args:
        path: path of a CSV or Parquet file.

    Yields:
        The name of the file for error messages.

    Raises:
        TrainingError: it is not a file, has another suffix, or cannot be read.
    """
    source = shown(path.name)
    if not path.name.lower().endswith((*SUFFIXES, _PARQUET)):
        raise TrainingError(f"{source} must end in {', '.join(SUFFIXES)} or .parquet.")
    if path.is_dir():
        raise TrainingError(f"{shown(path)} is a directory; name one file.")
    if not path.is_file():
        raise TrainingError(f"{shown(path)} is not a file.")
    try:
        yield source
    except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise TrainingError(f"{source} cannot be read: {reason}.") from error


def require_columns(source: str, names: Sequence[str], wanted: Sequence[str]) -> None:
    """Require that every wanted column is there once.

    Args:
        source: name of the file in error messages.
        names: names of its columns.
        wanted: names of the columns that are read.

    Raises:
        MissingColumns: a column is missing; the message proposes a similar name.
        TrainingError: a column is there twice.
    """
    missing = [name for name in wanted if name not in names]
    if missing:
        raise MissingColumns(source, names, missing)
    twice = [name for name in wanted if names.count(name) > 1]
    if twice:
        raise TrainingError(f"{source} has the column {printable(twice[0])} more than once.")


def ignored_columns(names: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that are not read, without a data frame's index, which has no name."""
    return tuple(
        printable(name)
        for name in names
        if name and name not in wanted and not name.startswith("__index_")
    )
