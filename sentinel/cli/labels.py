"""`sentinel labels`: import labels of events from a file."""

from __future__ import annotations

from pathlib import Path

import click

from persistence import tenants
from persistence.engine import OPERATOR_TIMEOUT_S
from scoring.counted import counted
from sentinel.cli.connection import actor, connected_database
from sentinel.cli.row_progress import report_rejects, row_progress
from sentinel.operations.label_import import import_labels
from sentinel.operations.rejected_rows import rejects_path
from sentinel.sentences import shown


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
        with row_progress("Importing") as progress:
            counts = import_labels(
                engine, owner.id, file, actor(), lambda c: progress(c.rows, c.rejected)
            )
    click.echo(
        f"Stored {counted(counts.stored, 'label')}; "
        f"{counted(counts.known, 'was', 'were')} stored before."
    )
    report_rejects(counts.rows, counts.rejected, shown(rejects_path(file)))
