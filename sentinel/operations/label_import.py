"""Import a file of labels: batch by batch, each in a transaction of its own.

A label that is stored already is not stored again, so an import that was interrupted is repeated
from the beginning and continues where it ended.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import Engine

from persistence.actor import Actor
from persistence.labels.writer import NewLabel, store_labels
from persistence.tenancy import tenant_transaction
from scoring.labels import early_fault
from sentinel.operations.label_files import Row, read_rows
from sentinel.operations.label_rows import COLUMNS, BadRow, parse_row

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


def rejects_path(path: Path) -> Path:
    """Return the file of the rows of a file that were not imported."""
    return path.with_name(f"{path.name}.rejected.csv")


def import_labels(
    engine: Engine,
    tenant_id: int,
    path: Path,
    actor: Actor,
    progress: Callable[[ImportCounts], None] = lambda _counts: None,
) -> ImportCounts:
    """Import a file; write the rows that are not valid, with the reason, to `rejects_path`.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose events they are.
        path: CSV or Parquet file with the columns of `label_rows.COLUMNS`.
        actor: who imports it.
        progress: function that receives the counts after each batch.

    Raises:
        LabelFileError: the file cannot be read; earlier batches stay stored.
        StoreUnavailable: Postgres is unreachable or the connection broke; likewise.
    """
    now = datetime.now(UTC)
    counts = ImportCounts()
    rows = read_rows(path)
    with _Rejects(rejects_path(path)) as rejects:
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


class _Rejects:
    """Writer of the rows that were not imported; the file is made with its first row.

    It has the columns of the import, so that it can be corrected and imported itself.

    Attributes:
        count: rows that were added.
    """

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._path = path
        self._stack = ExitStack()
        self._write: Callable[[Sequence[object]], object] | None = None

    def __enter__(self) -> _Rejects:
        self._path.unlink(missing_ok=True)  # of an earlier run
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, row: Row, reason: str) -> None:
        """Write a row with its reason."""
        if self._write is None:
            file = self._stack.enter_context(
                self._path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
            )
            self._write = csv.writer(file).writerow
            self._write([*COLUMNS, "row", "line", "reason"])
        self.count += 1
        self._write([*row.cells, row.number, "" if row.line is None else row.line, reason])
