"""Three events of somebody's own file that the demo scores, and the past of their entities."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import Engine

from persistence.actor import Actor
from persistence.tenants import Tenant
from scoring.columns import Columns, TextColumn
from scoring.event_type.fields import EventType
from scoring.printable import printable
from sentinel.home import write_private
from sentinel.local.demo.errors import DemoError
from sentinel.local.demo.samples import Sample

if TYPE_CHECKING:
    from scoring.windows.events import IntArray
    from training.data.labelled_events import LabelledEvents

HISTORY_DAYS = 100
"""Past before the last event that is imported: windows of 90 days behind a delay of 7."""

_SAMPLES = "demo.samples.json"


def choose(data: LabelledEvents) -> IntArray:
    """Return three of the last rows of the test part in order: one legitimate, two frauds.

    The model has learned nothing from them. They have no entity in common, where there are such
    rows, so that none is in the past of another.

    Args:
        data: labelled events.

    Raises:
        TrainingError: the events cannot be split.
    """
    # Imported late: the packages for training.
    from training.data.split import split

    test = split(data.step, data.is_fraud, scale=data.scale).test.rows
    chosen: list[int] = []
    for is_fraud in (False, True, True):
        rows = [
            int(row)
            for row in np.flatnonzero(data.is_fraud[test] == is_fraud)[::-1] + test.start
            if row not in chosen
        ]
        strangers = (row for row in rows if not _share_an_entity(data, row, chosen))
        row = next(strangers, rows[0] if rows else None)
        if row is not None:
            chosen.append(row)
    return np.array(sorted(chosen), np.int64)


def _share_an_entity(data: LabelledEvents, row: int, others: list[int]) -> bool:
    for field in data.event_type.kept.values():
        if field.kind == "entity":
            column = data.columns[field.name]
            assert isinstance(column, TextColumn)  # noqa: S101 - every entity is text
            if any(column.codes[row] == column.codes[other] >= 0 for other in others):
                return True
    return False


def samples(data: LabelledEvents, rows: IntArray) -> list[Sample]:
    """Return rows as the service takes them, each with a description."""
    # Imported late: Numba, which no other part of the demo's own process needs, takes 0.5 s.
    from sentinel.history_rows import Documents

    bodies = Documents(data.event_type, data.columns).of(rows)
    label, time = printable(data.event_type.label or ""), data.event_type.roles.get("time")
    found = []
    for row, document in zip(rows.tolist(), bodies, strict=True):
        body = json.loads(document)
        what = "a fraud" if data.is_fraud[row] else "legitimate"
        when = f", {body[time]}" if time else ""
        found.append(Sample(f"An event that is {what} by {label}{when}", body))
    return found


def import_past(
    engine: Engine,
    tenant: Tenant,
    data: LabelledEvents,
    but: IntArray,
    actor: Actor,
    progress: Callable[[int], None],
) -> int:
    """Import the events of a file as the past of their entities.

    Args:
        engine: pool of connections, of the owner of the tables.
        tenant: tenant whose events they are.
        data: labelled events with a time.
        but: rows that are left out, since they are about to be scored.
        actor: who does it.
        progress: function that receives the number of stored rows so far.

    Returns:
        Number of events, of the last HISTORY_DAYS.

    Raises:
        StoreUnavailable: Postgres is unreachable or the connection broke.
    """
    # Imported late: Numba, and the packages for training, of which this one reads a constant.
    from persistence.history.writer import import_history
    from sentinel.history_rows import past_events
    from training.data.history import LABEL_DELAY_US
    from training.data.labelled_events import taken

    if data.time_us is None:
        raise ValueError("events without a time have no past")
    first = int(np.searchsorted(data.time_us, data.time_us[-1] - HISTORY_DAYS * 86_400_000_000))
    rows = np.setdiff1d(np.arange(first, len(data)), but)
    columns: Columns = taken(data.columns, rows)
    batches = past_events(
        tenant.slug,
        data.event_type,
        columns,
        data.time_us[rows],
        data.is_fraud[rows],
        LABEL_DELAY_US,
    )
    import_history(engine, tenant.id, batches, actor, lambda done, _: progress(done))
    return rows.size


def has_entities(event_type: EventType) -> bool:
    """Return whether events of a type belong to the past of anything."""
    return any(field.kind == "entity" for field in event_type.kept.values())


def keep(home: Path, chosen: list[Sample]) -> None:
    """Write the samples into the demo's home."""
    document = [{"title": one.title, "body": one.transaction} for one in chosen]
    write_private(home / _SAMPLES, json.dumps(document) + "\n")


def kept(home: Path) -> list[Sample]:
    """Return the samples of the demo's home.

    Raises:
        DemoError: there are none that can be read.
    """
    try:
        document = json.loads((home / _SAMPLES).read_text())
        return [Sample(one["title"], one["body"]) for one in document]
    except (FileNotFoundError, ValueError, LookupError, TypeError) as error:
        raise DemoError(
            "The events that the last run scored are lost: name the file again, with DATA and "
            "LABEL."
        ) from error
