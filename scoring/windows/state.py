"""The history of one entity, from which its windows are read when an event arrives.

A state holds events, and tiles of older events once it was compacted. It gives the same windows
whatever the order in which events came. An entity with few events is never compacted; one with
many has at most about 1,200 tiles. `scoring.windows.state_reading` reads it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from scoring.windows.definition import WindowDefinition
from scoring.windows.tiles import (
    NO_TILE,
    Tiles,
    empty_tiles,
    joined_tiles,
    tile_lengths_us,
    tiles_of_events,
)

NOT_KNOWN = np.iinfo(np.int64).max
"""`known_us` of an event that is not known as a fraud."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What a state keeps of each event.

    Attributes:
        numbers: aggregated expressions, see `WindowDefinition.value`.
        fields: counted fields of distinct.
        conditions: None, then the conditions, see `WindowDefinition.where`.
        longest_delay_us: longest delay of a window in microseconds.
    """

    numbers: tuple[str, ...]
    fields: tuple[str, ...]
    conditions: tuple[str | None, ...]
    longest_delay_us: int

    @classmethod
    def of(cls, definitions: Sequence[WindowDefinition]) -> Schema:
        """Return what windows of one kind of entity need."""
        numbers = {d.value for d in definitions if d.value and d.function != "distinct"}
        fields = {d.value for d in definitions if d.value and d.function == "distinct"}
        conditions = {d.where for d in definitions if d.where}
        delay_us = max((d.delay_us for d in definitions), default=0)
        return cls(
            tuple(sorted(numbers)),
            tuple(sorted(fields)),
            (None, *sorted(conditions)),
            delay_us,
        )


@dataclass(frozen=True, slots=True)
class PastEvent:
    """An event as a state keeps it.

    Attributes:
        id: id of the event, unique in its tenant.
        time_us: time in microseconds since 1970.
        numbers: values of `Schema.numbers`; NaN or infinite where missing.
        fields: values of `Schema.fields`, each a text or a number; None where missing.
        meets: whether it meets each of `Schema.conditions`; the first is True.
        known_us: time at which it became known as a fraud, or NOT_KNOWN.
    """

    id: int
    time_us: int
    numbers: tuple[float, ...]
    fields: tuple[Hashable, ...]
    meets: tuple[bool, ...]
    known_us: int = NOT_KNOWN


LastSeen = dict[tuple[int, int, Hashable], int]
"""Latest time of a value in tiles, by field, condition and value."""


@dataclass(frozen=True, slots=True)
class EntityState:
    """The history of one entity.

    Attributes:
        schema: what is kept of each event.
        events: events that no tile has, by time and arrival.
        tiles: aggregates of older events.
        last_seen: latest time of each counted value in tiles. Its size is that of the distinct
            values of an entity; all else is bounded.
        frauds: events in tiles that are known as frauds, by id.
        kept_since_us: time from which on events are kept, in microseconds since 1970.
    """

    schema: Schema
    events: tuple[PastEvent, ...]
    tiles: Tiles
    last_seen: LastSeen
    frauds: dict[int, PastEvent]
    kept_since_us: int

    @classmethod
    def empty(cls, schema: Schema) -> EntityState:
        """Return the state of an entity without history."""
        conditions = len(schema.conditions)
        tiles = empty_tiles(0, conditions, len(schema.numbers) * conditions, 1)
        return cls(schema, (), tiles, {}, {}, np.iinfo(np.int64).min)

    def with_event(self, event: PastEvent) -> EntityState:
        """Return the state after one more event arrived."""
        return replace(self, events=_in_order([*self.events, event]))

    def with_label(self, event: PastEvent, known_us: int) -> EntityState:
        """Return the state after an event that it holds became known as a fraud at `known_us`.

        NOT_KNOWN takes the label back.
        """
        labelled = replace(event, known_us=known_us)
        if any(kept.id == event.id for kept in self.events):
            events = (labelled if kept.id == event.id else kept for kept in self.events)
            return replace(self, events=tuple(events))
        frauds = {**self.frauds, event.id: labelled}
        if known_us == NOT_KNOWN:
            del frauds[event.id]
        return replace(self, frauds=frauds)

    def merged(self, other: EntityState) -> EntityState:
        """Return the state that holds the events of both, which have none in common."""
        return EntityState(
            schema=self.schema,
            events=_in_order([*self.events, *other.events]),
            tiles=joined_tiles(self.tiles, other.tiles),
            last_seen=_latest(self.last_seen, other.last_seen),
            frauds={**self.frauds, **other.frauds},
            kept_since_us=max(self.kept_since_us, other.kept_since_us),
        )

    def compacted(self, now_us: int) -> EntityState:
        """Return the state with tiles in place of older events.

        Args:
            now_us: time from which on every read is answered.
        """
        horizon_us = now_us - self.schema.longest_delay_us
        times = np.array([event.time_us for event in self.events], np.int64)
        lengths = tile_lengths_us(times, horizon_us)
        old = [e for e, length in zip(self.events, lengths, strict=True) if length != NO_TILE]
        tiles = self.tiles
        if old:
            meets = np.array([event.meets for event in old], np.bool_)
            numbers = np.array([event.numbers for event in old], np.float64)
            numbers = numbers.reshape(len(old), len(self.schema.numbers))
            is_old = lengths != NO_TILE
            tiles = joined_tiles(
                tiles, tiles_of_events(times[is_old], lengths[is_old], meets, numbers)
            )
        lengths_us = np.maximum(tile_lengths_us(tiles.start_us, horizon_us), tiles.length_us)
        frauds = {event.id: event for event in old if event.known_us != NOT_KNOWN}
        return replace(
            self,
            events=tuple(e for e, n in zip(self.events, lengths, strict=True) if n == NO_TILE),
            tiles=tiles.added_up(tiles.start_us // lengths_us * lengths_us, lengths_us),
            last_seen=_latest(self.last_seen, _last_seen(old)),
            frauds={**self.frauds, **frauds},
        )

    def pruned(self, since_us: int) -> EntityState:
        """Return the state without what no window from `since_us` on sees.

        Args:
            since_us: earliest start of a window that will be read, in microseconds since 1970.
        """
        return replace(
            self,
            events=tuple(event for event in self.events if event.time_us >= since_us),
            tiles=self.tiles.selected(self.tiles.end_us > since_us),
            last_seen={key: time for key, time in self.last_seen.items() if time >= since_us},
            frauds={id_: event for id_, event in self.frauds.items() if event.time_us >= since_us},
            kept_since_us=max(self.kept_since_us, since_us),
        )


def _in_order(events: Sequence[PastEvent]) -> tuple[PastEvent, ...]:
    return tuple(sorted(events, key=lambda event: event.time_us))


def _latest(one: LastSeen, other: LastSeen) -> LastSeen:
    both = dict(one)
    for key, time in other.items():
        both[key] = max(time, both.get(key, time))
    return both


def _last_seen(events: Sequence[PastEvent]) -> LastSeen:
    found: LastSeen = {}
    for event in events:
        for field, value in enumerate(event.fields):
            for condition, is_met in enumerate(event.meets):
                if is_met and value is not None:
                    key = (field, condition, value)
                    found[key] = max(event.time_us, found.get(key, event.time_us))
    return found
