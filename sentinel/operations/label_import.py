"""Import a file of labels: batch by batch, each in a transaction of its own.

A label that is stored already is not stored again, so an import that was interrupted is repeated
from the beginning and continues where it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import Engine

from persistence.actor import Actor
from persistence.labels.writer import NewLabel, store_labels
from persistence.tenancy import tenant_transaction
from scoring.labels import early_fault
from scoring.tables.csv_rows import Row
from sentinel.operations.label_files import read_rows
from sentinel.operations.label_rows import COLUMNS, BadRow, parse_row
from sentinel.operations.rejected_rows import RejectedRows

BATCH_ROWS = 5000
_UNKNOWN = "no decision of the tenant has this id"


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """Numbers of rows of an import.

    Attributes:
        rows: rows that were read.
        stored: labels that are new.
        rejected: rows that were not imported.
    """

    rows: int = 0
    stored: int = 0
    rejected: int = 0

    @property
    def known(self) -> int:
        """Labels that were stored before."""
        return self.rows - self.stored - self.rejected


def import_labels(
    engine: Engine,
    tenant_id: int,
    path: Path,
    actor: Actor,
    progress: Callable[[ImportCounts], None] = lambda _counts: None,
) -> ImportCounts:
    """Import a file; write the rows that are not valid, with the reason, beside it.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose events they are.
        path: CSV or Parquet file with the columns of `label_rows.COLUMNS`.
        actor: who imports it.
        progress: function that receives the counts after each batch.

    Raises:
        TableFileError: the file cannot be read; earlier batches stay stored.
        StoreUnavailable: Postgres is unreachable or the connection broke; likewise.
    """
    now = datetime.now(UTC)
    counts = ImportCounts()
    rows = read_rows(path)
    with RejectedRows(path, COLUMNS, "reason") as rejects:
        while batch := list(islice(rows, BATCH_ROWS)):
            valid: list[tuple[Row, NewLabel]] = []
            reasons: dict[int, str] = {}
            for row in batch:
                try:
                    valid.append((row, _parse(row, now)))
                except BadRow as error:
                    reasons[row.number] = str(error)
            stored = _store(engine, tenant_id, valid, actor, reasons)
            for row in batch:
                if (reason := reasons.get(row.number)) is not None:
                    rejects.add(row, reason)
            counts = ImportCounts(counts.rows + len(batch), counts.stored + stored, rejects.count)
            progress(counts)
    return counts


def _parse(row: Row, now: datetime) -> NewLabel:
    if row.fault:
        raise BadRow(row.fault)
    return parse_row(row.cells, now)


def _store(
    engine: Engine,
    tenant_id: int,
    valid: Sequence[tuple[Row, NewLabel]],
    actor: Actor,
    reasons: dict[int, str],
) -> int:
    """Store the labels whose events exist and are not later; return how many are new.

    Add to `reasons` why the others are rejected, by the number of the row.
    """
    labels = [label for _, label in valid]
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        stored = store_labels(connection, tenant_id, labels, actor)
    for place in stored.unknown:
        reasons[valid[place][0].number] = _UNKNOWN
    for place, event_at in stored.early.items():
        reasons[valid[place][0].number] = f"occurred_at {early_fault(event_at)}"
    return stored.new
