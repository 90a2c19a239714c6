"""Events of every event type: PaySim's transactions and tenants' own, and their columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter, itemgetter
from typing import Any

from scoring.columns import Columns
from scoring.event_type.columns import column_of
from scoring.event_type.event import Event
from scoring.event_type.fields import EventType
from scoring.transaction import PAYSIM, WIRE_NAMES, Transaction

AnyEvent = Transaction | Event
"""What is scored: each has event_type, type_id, time_us, external_id, amount, payer and payee."""

_ATTRIBUTES = {wire: name for name, wire in WIRE_NAMES.items()}


def event_columns(events: Sequence[AnyEvent], names: Sequence[str]) -> Columns:
    """Return columns of n events.

    Args:
        events: n >= 1 events, whose event types have the fields with the same kinds.
        names: names of the fields that are needed; at least one.

    Returns:
        Column by field name, n rows each.
    """
    fields = events[0].event_type.kept
    rows: Iterable[tuple[Any, ...]]
    if len(set(map(type, events))) == 1:
        rows = map(_reader(events[0], names), events)
    else:
        rows = (_reader(event, names)(event) for event in events)
    return {
        name: column_of(fields[name].kind, column)
        for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }


def all_columns(event_type: EventType, events: Sequence[AnyEvent]) -> Columns:
    """Return every column of an event type, n rows each.

    Args:
        event_type: event type with the columns.
        events: n >= 0 events, of the event type or of versions that `has_columns_of` accepts; a
            field that an event's version lacks is missing.
    """
    if event_type is PAYSIM:
        names = tuple(PAYSIM.kept)
        rows = [_reader(event, names)(event) for event in events]
    else:
        rows = [
            tuple(event.values.get(name) for name in event_type.kept)
            for event in events
            if isinstance(event, Event)
        ]
    columns = zip(*rows, strict=True) if rows else [()] * len(event_type.kept)
    return {
        name: column_of(field.kind, column)
        for (name, field), column in zip(event_type.kept.items(), columns, strict=True)
    }


def has_columns_of(stored: EventType, event_type: EventType) -> bool:
    """Return whether events of one event type can be read as events of another.

    Args:
        stored: event type of the events, such as an earlier version.
        event_type: event type that they are read as.
    """
    if PAYSIM in (stored, event_type):
        return stored == event_type
    return stored.name == event_type.name and all(
        stored.kept[name].kind == field.kind if name in stored.kept else field.optional
        for name, field in event_type.kept.items()
    )


def _reader(event: AnyEvent, names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return the function from an event of the same class to its values."""
    if isinstance(event, Transaction):
        attributes = attrgetter(*(_ATTRIBUTES[name] for name in names))
        return attributes if len(names) > 1 else lambda one: (attributes(one),)
    values = itemgetter(*names)
    if len(names) > 1:
        return lambda one: values(one.values)
    return lambda one: (values(one.values),)
