"""`sentinel labels`: import labels of events from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from persistence import tenants
from persistence.engine import OPERATOR_TIMEOUT_S
from scoring.counted import counted
from sentinel.cli.connection import actor, connected_database
from sentinel.local.terminal import console
from sentinel.operations.label_import import ImportCounts, import_labels, rejects_path
from sentinel.sentences import shown

_LINE_ROWS = 100_000
"""Rows between two lines of progress where the output is no terminal."""


@click.group("labels")
def labels_group() -> None:
    """Import labels of events: what they turned out to be."""


@labels_group.command("import")
@click.option("--tenant", required=True, help="The tenant's slug.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_file(tenant: str, file: Path) -> None:
    """Import the labels of FILE, CSV or Parquet.

    Columns: external_id or transaction_id; label (fraud, legitimate); source (chargeback, analyst,
    customer, rule, import); occurred_at, when it became known, with an offset; and, where wanted,
    amount_lost and reversed (true: the source withdraws its label).

    Safe to repeat: what is stored is not stored again. Rows that cannot be imported go to
    FILE.rejected.csv with the reason; exit status 1 if there are any.
    """
    with connected_database(OPERATOR_TIMEOUT_S) as (engine, _):
        owner = tenants.find_tenant(engine, tenant)
        with _progress() as progress:
            counts = import_labels(engine, owner.id, file, actor(), progress)
    click.echo(
        f"Stored {counted(counts.stored, 'label')}; "
        f"{counted(counts.known, 'was', 'were')} stored before."
    )
    if counts.rejected:
        click.echo(
            f"Rejected {counts.rejected:,} of {counted(counts.rows, 'row')}: "
            f"{shown(rejects_path(file))}.",
            err=True,
        )
        raise click.exceptions.Exit(1)


@contextmanager
def _progress() -> Iterator[Callable[[ImportCounts], None]]:
    """Yield a function that shows the rows read so far."""
    if console.is_terminal:
        with console.status("Importing ...") as status:
            yield lambda counts: status.update(_so_far(counts))
        return
    lines = 0

    def show(counts: ImportCounts) -> None:
        nonlocal lines
        if counts.rows // _LINE_ROWS > lines:
            lines = counts.rows // _LINE_ROWS
            click.echo(_so_far(counts))

    yield show


def _so_far(counts: ImportCounts) -> str:
    return f"{counted(counts.rows, 'row')}, {counts.rejected:,} rejected ..."
