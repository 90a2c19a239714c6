"""The windows by one entity, from the records of its past events."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.columns import BoolArray, Column, FloatArray
from scoring.event_type.event import Event
from scoring.event_type.fields import EventType, Kind
from scoring.event_type.records import record_of
from scoring.event_type.timestamps import Timestamp
from scoring.event_type.values import Value
from scoring.expressions import Categories
from scoring.feature_set.prepared_entity import PreparedEntity
from scoring.feature_set.window_inputs import WindowColumns, WindowInputs
from scoring.windows.definition import WindowDefinition, hop_us
from scoring.windows.events import MISSING, Codes, IntArray, Labels
from scoring.windows.fraud_times import NEVER_US, known_times
from scoring.windows.past_columns import PastColumns
from scoring.windows.records import (
    NO_ID,
    EntityPast,
    ReadRecords,
    RecordReader,
)

_NUMBERS: tuple[Kind, ...] = ("number", "integer", "boolean")
_TEXTS: tuple[Kind, ...] = ("category", "entity", "text")
_ANY_TEXT = "any"
_ANY_VALUE: dict[Kind, Value] = {
    "number": 1.0,
    "integer": 1,
    "boolean": True,
    "category": _ANY_TEXT,
    "timestamp": Timestamp("1970-01-01T00:00:00Z", 0),
    "entity": _ANY_TEXT,
    "text": _ANY_TEXT,
}


class EntityWindows:
    """Computes the windows by one entity, and by pairs that begin with it.

    Args:
        entity: field that names the entity.
        places: places of its windows among those of the feature set.
        windows: windows, without repetition.
        event_type: event type of the events.
        categories: learned values of open categories.

    Attributes:
        entity: field that names the entity.
        places: places of its windows among those of the feature set.
        reach_us: time before an event from which on its windows may see others, microseconds.
    """

    def __init__(
        self,
        entity: str,
        places: Sequence[int],
        windows: Sequence[WindowDefinition],
        event_type: EventType,
        categories: Categories,
    ) -> None:
        self.entity = entity
        self.places = list(places)
        self._event_type = event_type
        self._inputs = WindowInputs(windows, event_type, categories)
        self.reach_us = max(
            window.delay_us + window.length_us + hop_us(window.length_us) for window in windows
        )
        fields = self._inputs.fields
        if entity not in self._inputs.texts:
            fields = tuple(name for name in fields if name != entity)

        def of_kinds(*kinds: Kind) -> tuple[str, ...]:
            return tuple(name for name in fields if event_type.kept[name].kind in kinds)

        self._reader = RecordReader(
            event_type.roles["time"], of_kinds(*_NUMBERS), of_kinds("timestamp"), of_kinds(*_TEXTS)
        )

    def spans(self, events: Sequence[Event]) -> dict[str, tuple[int, int]]:
        """Return the time of each entity's past that windows of events see.

        Args:
            events: events of which some may lack the entity.

        Returns:
            First time and time after the last one, microseconds since 1970, by the entity's id.
        """
        moments: dict[str, list[int]] = {}
        for event in events:
            key = event.values.get(self.entity)
            if key is not None and event.time_us is not None:
                moments.setdefault(str(key), []).append(event.time_us)
        return {key: (min(us) - self.reach_us, max(us)) for key, us in moments.items()}

    def compile(self) -> None:
        """Compile the code of the windows, which takes seconds where it was never compiled."""
        values = {name: _ANY_VALUE[field.kind] for name, field in self._event_type.kept.items()}
        event = Event(self._event_type, values, 0)
        record = NO_ID + record_of(event)
        past = EntityPast(1, record, NO_ID + bytes(8))
        prepared = self.prepare(past, 0)
        for one in (None, prepared):
            self.values([past], [_ANY_TEXT], [one], [event], [record], np.ones(1, np.bool_))

    def prepare(
        self, past: EntityPast, since_us: int, before: PreparedEntity | None = None
    ) -> PreparedEntity:
        """Return past events of one entity with structures from which windows are read.

        Args:
            past: past events, and all frauds of the entity.
            since_us: time from which on all its events are in `past` or `before`, microseconds
                since 1970.
            before: other past events that are prepared already.
        """
        read = self._reader.read([past.records], [past.events])
        columns = before.columns.with_events(read) if before else PastColumns.of(read)
        columns = columns.since(since_us)
        given: dict[str, Column | Codes] = {**columns.numbers}
        given |= {
            name: Codes(codes, len(columns.texts[name])) for name, codes in columns.codes.items()
        }
        given |= {name: columns.text(name) for name in self._inputs.texts}
        given.setdefault(self.entity, Codes(np.zeros_like(columns.time_us), 1))
        windows = self._inputs.prepare(given, columns.time_us)
        return PreparedEntity.of(columns, since_us, windows, past.frauds)

    def values(
        self,
        past: Sequence[EntityPast],
        keys: Sequence[str],
        prepared: Sequence[PreparedEntity | None],
        events: Sequence[Event],
        records: Sequence[bytes],
        is_seen: BoolArray,
    ) -> FloatArray:
        """Return the windows of events, which see the past and each other in order.

        Args:
            past: past events of each entity that are not prepared.
            keys: id of each of them.
            prepared: prepared past events of each of them; None where there are none.
            events: n >= 1 events by arrival.
            records: record of each of them, after 16 bytes.
            is_seen: whether those after it see each of them, bool (n,).

        Returns:
            A row for each window, float64 (windows, n), NaN where missing.
        """
        place = {key: i for i, key in enumerate(keys)}
        group = np.array(
            [
                place[str(key)] if (key := event.values.get(self.entity)) is not None else MISSING
                for event in events
            ]
        )
        values = np.empty((len(self.places), len(events)))
        single = [i for i, one in enumerate(prepared) if one is None]
        rows = np.flatnonzero(np.isin(group, single) | (group == MISSING))
        if rows.size:
            of_single = np.full(len(keys) + 1, MISSING)
            of_single[single] = np.arange(len(single))
            values[:, rows] = self._values(
                [past[i] for i in single],
                of_single[group[rows]],
                [records[row] for row in rows.tolist()],
                is_seen[rows],
            )
        for i, one in enumerate(prepared):
            if one is not None:
                rows = np.flatnonzero(group == i)
                own = [records[row] for row in rows.tolist()]
                values[:, rows] = self._values_after(one, past[i], own, is_seen[rows])
        return values

    def _values(
        self,
        past: Sequence[EntityPast],
        group: IntArray,
        records: Sequence[bytes],
        is_seen: BoolArray,
    ) -> FloatArray:
        """Return the windows of events, given the place of each one's entity in `past`."""
        read = self._reader.read(
            [*(one.records for one in past), *records],
            [*(one.events for one in past), *([1] * len(records))],
        )
        first = read.time_us.size - len(records)
        read.group[first:] = group
        read = read.in_time(first)
        known_us = known_times(read.ids, b"".join(one.frauds for one in past))
        return self._inputs.values(
            self._columns(read, len(past)),
            read.time_us,
            Labels(known_us != NEVER_US, known_us),
            first,
            np.concatenate([np.ones(first, np.bool_), is_seen]),
        )

    def _values_after(
        self,
        prepared: PreparedEntity,
        past: EntityPast,
        records: Sequence[bytes],
        is_seen: BoolArray,
    ) -> FloatArray:
        """Return the windows of events of one entity."""
        prepared = prepared.with_frauds(past.frauds)
        read = self._reader.read([past.records, *records], [past.events, *([1] * len(records))])
        first = past.events
        read.group[:] = 0
        read = read.in_time(first)
        known_us = known_times(read.ids, prepared.other_frauds)
        past_codes = {name: prepared.columns.codes_of(name, read) for name in read.codes}
        past_codes.setdefault(self.entity, np.zeros(1, np.int64))
        return self._inputs.values_after(
            prepared.windows,
            prepared.frauds,
            past_codes,
            self._columns(read, 1),
            read.time_us,
            Labels(known_us != NEVER_US, known_us),
            first,
            np.concatenate([np.ones(first, np.bool_), is_seen]),
        )

    def _columns(self, read: ReadRecords, entities: int) -> WindowColumns:
        columns: dict[str, Column | Codes] = {**read.numbers, **read.codes}
        columns |= {name: read.text(name) for name in self._inputs.texts}
        # The groups are the entities, so their texts need no codes.
        columns.setdefault(self.entity, Codes(read.group, entities))
        return columns
