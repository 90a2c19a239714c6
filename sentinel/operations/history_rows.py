"""Past events of entities from the columns of a file: their JSON, and ids that repeat.

The id of an event is a hash of its tenant, event type and content, so that the same file again adds
nothing. Events with the same content, such as two equal payments in one second, are numbered.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from persistence.history.writer import PastEvent
from scoring.columns import BoolArray, Column, Columns, TextColumn
from scoring.event_type.fields import EventType, Field

BATCH_ROWS = 50_000
"""Rows of a transaction. With 5,000 an import took a fifth longer."""

Int64Array = NDArray[np.int64]


def past_events(
    tenant: str,
    event_type: EventType,
    columns: Columns,
    time_us: Int64Array,
    is_fraud: BoolArray,
    label_delay_us: int,
) -> Iterator[list[PastEvent]]:
    """Yield batches of the past events of each entity, by field, entity and time.

    In this order the rows of an entity lie together in the table: windows then read few pages.

    Args:
        tenant: slug of the tenant.
        event_type: event type of the events.
        columns: column by field name, n rows each.
        time_us: microseconds since 1970, non-decreasing, int64 (n,).
        is_fraud: whether each event is a fraud, bool (n,).
        label_delay_us: time from an event until its label is known, microseconds.
    """
    seed = blake2b(f"{tenant}\0{event_type.name}\0".encode(), digest_size=16)
    fields = event_type.kept
    for entity in (field for field in fields.values() if field.kind == "entity"):
        column = columns[entity.name]
        assert isinstance(column, TextColumn)  # noqa: S101 - every entity is text
        order = np.argsort(column.codes, kind="stable")
        order = order[np.searchsorted(column.codes[order], 0) :]
        last: tuple[str, int] | None = None
        seen: dict[bytes, int] = {}
        for start in range(0, len(order), BATCH_ROWS):
            rows = order[start : start + BATCH_ROWS]
            batch = []
            for document, key, at_us, fraud in zip(
                documents(columns, fields.values(), rows),
                (column.values[code] for code in column.codes[rows].tolist()),
                time_us[rows].tolist(),
                is_fraud[rows].tolist(),
                strict=True,
            ):
                if (key, at_us) != last:
                    last, seen = (key, at_us), {}
                seen[document] = number = seen.get(document, 0) + 1
                event_id = seed.copy()
                event_id.update(document)
                event_id.update(b"" if number == 1 else b"\0%d" % number)
                batch.append(
                    PastEvent(
                        entity.name,
                        key,
                        at_us,
                        _uuid(event_id.hexdigest()),
                        document.decode(),
                        at_us + label_delay_us if fraud else None,
                    )
                )
            yield batch


def _uuid(digest: str) -> str:
    """Return 32 hexadecimal digits as those of a UUIDv8, the version for hashes of other kinds."""
    return f"{digest[:12]}8{digest[13:16]}8{digest[17:]}"


def documents(columns: Columns, fields: Any, rows: Int64Array) -> Iterator[bytes]:  # noqa: ANN401
    """Yield the JSON that `scoring.event_type.event.Event.document` has for each of some rows."""
    names = [field.name for field in fields]
    cells = [_cells(field, columns[field.name], rows) for field in fields]
    for values in zip(*cells, strict=True):
        present = {
            name: value for name, value in zip(names, values, strict=True) if value is not None
        }
        yield orjson.dumps(present)


def _cells(field: Field, column: Column, rows: Int64Array) -> list[Any]:
    """Return the values of a field as in JSON, None where missing."""
    if isinstance(column, TextColumn):
        values = (*column.values, None)  # the code -1 points to the last one
        return [values[code] for code in column.codes[rows].tolist()]
    numbers = column[rows]
    missing = np.flatnonzero(np.isnan(numbers)).tolist()
    cells: list[Any]
    match field.kind:
        case "timestamp":
            # float64 holds microseconds exactly until the year 2255.
            us = np.rint(np.nan_to_num(numbers) * 1e6).astype("datetime64[us]")
            cells = [f"{text}Z".replace(".000000Z", "Z") for text in np.datetime_as_string(us)]
        case "integer":
            cells = np.nan_to_num(numbers).astype(np.int64).tolist()
        case "boolean":
            cells = (numbers == 1).tolist()
        case _:
            cells = numbers.tolist()
    for place in missing:
        cells[place] = None
    return cells
