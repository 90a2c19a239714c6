"""Import the past events of a file, and write the rows that are not valid beside it.

An event that is stored already is not stored again, so an import that was interrupted is repeated
from the beginning and completes what is missing. It gets the label that the file has.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import Engine

from persistence.actor import Actor
from persistence.event_types import current_event_type
from persistence.history.writer import StoredPast, import_history
from persistence.tenants import Tenant
from scoring.columns import Column, TextColumn
from scoring.errors import CommandError
from scoring.event_type.limits import MAX_FUTURE_US
from sentinel.history_rows import past_events
from sentinel.operations.rejected_rows import rejects_path

if TYPE_CHECKING:
    from training.event_types.past_events import PastEvents


class NoEventType(CommandError):
    """The tenant has no event type of its own."""


@dataclass(frozen=True, slots=True)
class ImportedHistory:
    """Numbers of an import.

    Attributes:
        events: valid events of the file that were not later than asked for.
        later: valid events that were later, and so not imported.
        rejected: rows of the file that are not valid.
        frauds: frauds among `events`.
        entities: fields whose histories were written.
        entries: past events of entities: one for each entity of an event.
        stored: those of `entries` that are new, and the labels of others that changed.
    """

    events: int
    later: int
    rejected: int
    frauds: int
    entities: tuple[str, ...]
    entries: int
    stored: StoredPast


def import_events(
    engine: Engine,
    tenant: Tenant,
    path: Path,
    actor: Actor,
    *,
    label_delay_us: int,
    until_us: int | None = None,
    progress: Callable[[int, int], None] = lambda _rows, _of: None,
) -> ImportedHistory:
    """Import a file; write the rows that are not valid, with the reason, to `rejects_path`.

    Args:
        engine: pool of connections.
        tenant: tenant whose events they are.
        path: CSV or Parquet file of events of the tenant's event type.
        actor: who imports it.
        label_delay_us: time from an event until its label is known, microseconds.
        until_us: time from which on events are left out, microseconds since 1970; None: none is.
        progress: function that receives the numbers of entries: written, and in all.

    Raises:
        NoEventType: the tenant has no event type of its own.
        TrainingError: see `training.event_types.past_events.load_past_events`.
        StoreUnavailable: Postgres is unreachable or the connection broke; what was written before
            stays.
    """
    # Imported late: Arrow takes 0.3 s to load, and the service's image lacks it.
    from training.event_types.past_events import load_past_events

    found = current_event_type(engine, tenant.id)
    if found is None:
        raise NoEventType(
            f"The tenant {tenant.slug} has no event type of its own; apply one with `sentinel "
            "event-types apply`. PaySim's transactions have no windows."
        )
    event_type = found.event_type
    data = load_past_events(path, event_type, time_ns() // 1000 + MAX_FUTURE_US)
    _write_rejected(path, data)
    used = data if until_us is None else data.before(until_us)
    fields = tuple(f.name for f in event_type.kept.values() if f.kind == "entity")
    entries = sum(_count(used.columns[name]) for name in fields)
    batches = past_events(
        tenant.slug,
        event_type,
        used.columns,
        used.time_us,
        used.is_fraud,
        label_delay_us,
        used.is_labelled,
    )
    stored = import_history(
        engine, tenant.id, batches, actor, lambda read, _stored: progress(read, entries)
    )
    return ImportedHistory(
        len(used),
        len(data) - len(used),
        len(data.rejected),
        int(np.count_nonzero(used.is_fraud)),
        fields,
        entries,
        stored,
    )


def _count(column: Column) -> int:
    """Return how many events name an entity."""
    return int(np.count_nonzero(column.codes >= 0)) if isinstance(column, TextColumn) else 0


def _write_rejected(path: Path, data: PastEvents) -> None:
    """Write the rejected rows with the columns of the file, so that they can be corrected."""
    target = rejects_path(path)
    target.unlink(missing_ok=True)  # of an earlier run
    if not data.rejected:
        return
    with target.open("w", encoding="utf-8", newline="") as file:
        write = csv.writer(file).writerow
        write([*data.names, "row", "line", "reason"])
        for one in data.rejected:
            write([*one.cells, one.row, "" if one.line is None else one.line, one.reason])
