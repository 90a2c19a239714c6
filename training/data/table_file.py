"""What any file of a table must be before its columns are looked at."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa

from sentinel.sentences import printable, shown
from training.data.csv_file import SUFFIXES
from training.errors import TrainingError

_PARQUET = ".parquet"


def is_parquet(path: Path) -> bool:
    """Return whether a file is Parquet by its name; else it is CSV."""
    return path.name.lower().endswith(_PARQUET)


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
        TrainingError: a column is missing or there twice; the message proposes a similar name.
    """
    missing = [name for name in wanted if name not in names]
    if missing:
        noun = "column" if len(missing) == 1 else "columns"
        lower = {name.lower(): name for name in names}
        near = {
            name: lower[similar[0]]
            for name in missing
            if (similar := get_close_matches(name.lower(), lower, n=1, cutoff=0.8))
        }
        hint = "".join(
            f" Rename {written!r} to {printable(name)}." for name, written in near.items()
        )
        raise TrainingError(
            f"{source} lacks the {noun} {', '.join(map(printable, missing))}; its columns are "
            f"{', '.join(map(printable, names)) or 'none'}.{hint}"
        )
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
