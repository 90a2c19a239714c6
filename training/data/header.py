"""Check the names of a file's columns."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from sentinel.sentences import printable
from training.errors import TrainingError


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
        hint = "".join(f" Rename {written!r} to {name}." for name, written in near.items())
        raise TrainingError(
            f"{source} lacks the {noun} {', '.join(missing)}; its columns are "
            f"{', '.join(map(printable, names)) or 'none'}.{hint}"
        )
    twice = [name for name in wanted if names.count(name) > 1]
    if twice:
        raise TrainingError(f"{source} has the column {twice[0]} more than once.")


def ignored_columns(names: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that are not read, without a data frame's index, which has no name."""
    return tuple(
        printable(name)
        for name in names
        if name and name not in wanted and not name.startswith("__index_")
    )
