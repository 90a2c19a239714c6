"""The history of one entity, from which its windows are read when an event arrives.

A state holds events, and tiles of older events once it was compacted. Reading gives, bit for bit,
what `window_values` gives for an event that arrives after all that the state holds, whatever the
order in which they came. An entity with few events is never compacted; one with many has at most
about 1,200 tiles.

Where tiles have taken the place of events, some late reads cannot be answered: a window that ends
inside of a tile. Reading then raises `TileDivided`, and the windows are computed from the stored
events. A read at or after the time of the last compaction is always answered.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoring.columns import FloatArray
from scoring.windows.definition import WindowDefinition, bounds_us
from scoring.windows.events import IntArray
from scoring.windows.exact_sums import limb_span, limbs_of_groups, rounded
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
_EVERY = 0
"""Column of `meets` for windows without a condition."""


class TileDivided(Exception):
    """A window begins or ends inside of a tile, or before the events that are kept."""


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

    def values(self, time_us: int, definitions: Sequence[WindowDefinition]) -> list[float]:
        """Return the values of windows for an event that arrives now.

        Args:
            time_us: time of that event in microseconds since 1970.
            definitions: windows over this kind of entity, which `schema` was made for.

        Raises:
            TileDivided: the state does not have what one of the windows sees.
        """
        reader = _Reader(self, time_us)
        return [reader.value(definition) for definition in definitions]


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


class _Reader:
    """Reads windows of one state at one time."""

    def __init__(self, state: EntityState, time_us: int) -> None:
        self._state = state
        self._time_us = time_us
        self._times = np.array([event.time_us for event in state.events], np.int64)

    def value(self, definition: WindowDefinition) -> float:
        """Return the value of one window."""
        state = self._state
        begin_us, end_us = bounds_us(self._time_us, definition.length_us, definition.delay_us)
        tiles = state.tiles
        is_in = (tiles.start_us >= begin_us) & (tiles.end_us <= end_us)
        is_out = (tiles.end_us <= begin_us) | (tiles.start_us >= end_us)
        if not (is_in | is_out).all() or begin_us < state.kept_since_us:
            raise TileDivided
        condition = state.schema.conditions.index(definition.where)
        low, high = np.searchsorted(self._times, [begin_us, end_us]).tolist()
        seen = [event for event in state.events[low:high] if event.meets[condition]]
        match definition.function:
            case "count":
                return float(int(tiles.counts[is_in, condition].sum()) + len(seen))
            case "first_seen" | "seconds_since_last":
                return self._seconds(definition.function, seen, is_in, condition)
            case "distinct":
                field = state.schema.fields.index(str(definition.value))
                if (tiles.start_us >= end_us).any():
                    raise TileDivided  # a value's latest time may be after the window
                values = {
                    value
                    for (f, c, value), time in state.last_seen.items()
                    if f == field and c == condition and time >= begin_us
                }
                values.update(event.fields[field] for event in seen)
                return float(len(values - {None}))
            case "fraud_rate":
                count = int(tiles.counts[is_in, condition].sum()) + len(seen)
                older = [
                    event
                    for event in state.frauds.values()
                    if event.meets[condition] and begin_us <= event.time_us < end_us
                ]
                known = sum(event.known_us <= self._time_us for event in [*older, *seen])
                return known / count if count else np.nan
            case _:
                return self._aggregate(definition, seen, is_in, condition)

    def _seconds(
        self,
        function: str,
        seen: Sequence[PastEvent],
        is_in: NDArray[np.bool_],
        condition: int,
    ) -> float:
        tiles = self._state.tiles
        has_events = is_in & (tiles.counts[:, condition] > 0)
        times = [event.time_us for event in seen]
        bound = tiles.first_us if function == "first_seen" else tiles.last_us
        times += bound[has_events, condition].tolist()
        if not times:
            return np.nan
        time_us = min(times) if function == "first_seen" else max(times)
        return (self._time_us - time_us) / 1e6

    def _aggregate(
        self,
        definition: WindowDefinition,
        seen: Sequence[PastEvent],
        is_in: NDArray[np.bool_],
        condition: int,
    ) -> float:
        tiles, schema = self._state.tiles, self._state.schema
        number = schema.numbers.index(str(definition.value))
        group = number * len(schema.conditions) + condition
        values = np.array([event.numbers[number] for event in seen], np.float64) + 0.0
        values = values[np.isfinite(values)]
        count = int(tiles.value_counts[is_in, group].sum()) + values.size
        if not count:
            return 0.0 if definition.function == "sum" else np.nan
        match definition.function:
            case "max":
                highest = tiles.highest[is_in, group]
                return float(max(values.max(initial=-np.inf), highest.max(initial=-np.inf)))
            case "min":
                lowest = tiles.lowest[is_in, group]
                return float(min(values.min(initial=np.inf), lowest.min(initial=np.inf)))
        total, deviation = _sum_and_deviation(tiles, is_in, group, values, count)
        match definition.function:
            case "sum":
                return total
            case "mean":
                return total / count
            case _:
                return deviation


def _sum_and_deviation(
    tiles: Tiles, is_in: NDArray[np.bool_], group: int, values: FloatArray, count: int
) -> tuple[float, float]:
    first, limb_count = limb_span(values)
    if tiles.squares.any():
        end = tiles.first_limb + tiles.sums.shape[2]
        if values.any():
            end = max(end, first + limb_count)
            first = min(first, tiles.first_limb)
        else:
            first = tiles.first_limb
        limb_count = end - first
        tiles = tiles.with_limbs(first, limb_count)
    else:
        tiles = tiles.with_limbs(first, limb_count)
    groups = np.zeros(values.size, np.int64)
    sums, squares = limbs_of_groups(values.view(np.int64), groups, 1, first, limb_count)
    sums_in: IntArray = tiles.sums[is_in, group].sum(axis=0) + sums[0]
    squares_in: IntArray = tiles.squares[is_in, group].sum(axis=0) + squares[0]
    total, deviation = rounded(sums_in, squares_in, count, first)
    return float(total), float(deviation)
