"""Show how many rows of a file have been read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from scoring.counted import counted
from sentinel.local.terminal import console

_LINE_ROWS = 100_000
"""Rows between two lines of progress where the output is no terminal."""


@contextmanager
def row_progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows the rows that were read, and those that were rejected.

    Args:
        title: what is done, such as `Importing`.
    """
    if console.is_terminal:
        with console.status(f"{title} ...") as status:
            yield lambda rows, rejected: status.update(_so_far(rows, rejected))
        return
    lines = 0

    def show(rows: int, rejected: int) -> None:
        nonlocal lines
        if rows // _LINE_ROWS > lines:
            lines = rows // _LINE_ROWS
            click.echo(_so_far(rows, rejected))

    yield show


def report_rejects(rows: int, rejected: int, file: str) -> None:
    """Print how many rows were rejected, and end the command with status 1 if any was.

    Args:
        rows: rows that were read.
        rejected: rows that were rejected.
        file: file of the rejects, as it is shown.
    """
    if rejected:
        click.echo(f"Rejected {rejected:,} of {counted(rows, 'row')}: {file}.", err=True)
        raise click.exceptions.Exit(1)


def _so_far(rows: int, rejected: int) -> str:
    return f"{counted(rows, 'row')}, {rejected:,} rejected ..."
