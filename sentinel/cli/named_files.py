"""Arguments that are a value or a file of values: what names a file is a file."""

from __future__ import annotations

from pathlib import Path

import click

from sentinel.sentences import shown

_FILES = (".csv", ".tsv", ".txt", ".parquet")
"""Ends of what is taken for the name of a file, also where there is no such file."""


def named_file(text: str, argument: str) -> Path | None:
    """Return the file that an argument names, or None where it is a value.

    Args:
        text: argument.
        argument: its name, for the error.

    Raises:
        BadParameter: it ends as the name of a file does, and there is no such file.
    """
    path = Path(text)
    try:
        if path.exists() and not path.is_dir():
            return path
    except (OSError, ValueError):  # too long for a name
        return None
    if path.suffix.lower() in _FILES:
        raise click.BadParameter(
            f"There is no file {shown(path)}. A value that ends so is added with a file.",
            param_hint=f"'{argument}'",
        )
    return None
