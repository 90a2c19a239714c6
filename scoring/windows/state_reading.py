"""Read the windows of an event that arrives now from the state of its entity.

The values are, bit for bit, what `window_values` gives for an event that arrives after all that
the state holds. Where tiles have taken the place of events, some late reads cannot be answered: a
window that ends inside of a tile. The windows are then computed from the stored events. A read at
or after the time of the last compaction is always answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from scoring.columns import FloatArray
from scoring.windows.definition import WindowDefinition, bounds_us
from scoring.windows.events import IntArray
from scoring.windows.exact_sums import limb_span, limbs_of_groups, rounded
from scoring.windows.state import EntityState, PastEvent
from scoring.windows.tiles import Tiles


class TileDivided(Exception):
    """A window begins or ends inside of a tile, or before the events that are kept."""


def state_values(
    state: EntityState, time_us: int, definitions: Sequence[WindowDefinition]
) -> list[float]:
    """Return the values of windows for an event that arrives now.

    Args:
        state: history of the event's entity.
        time_us: time of the event in microseconds since 1970.
        definitions: windows over this kind of entity, which the state's schema was made for.

    Raises:
        TileDivided: the state does not have what one of the windows sees.
    """
    reader = _Reader(state, time_us)
    return [reader.value(definition) for definition in definitions]


class _Reader:
    """Reads windows of one state at one time."""

    def __init__(self, state: EntityState, time_us: int) -> None:
        self._state = state
        self._time_us = time_us
        self._times = np.array([event.time_us for event in state.events], np.int64)
        # Windows of several functions share their tiles and sums: a third of the time.
        self._tiles_in = cache(self._find_tiles)
        self._sums = cache(self._find_sums)

    def value(self, definition: WindowDefinition) -> float:
        """Return the value of one window."""
        state = self._state
        begin_us, end_us = bounds_us(self._time_us, definition.length_us, definition.delay_us)
        tiles = state.tiles
        is_in = self._tiles_in(begin_us, end_us)
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
                return self._aggregate(definition, seen, (begin_us, end_us), condition)

    def _find_tiles(self, begin_us: int, end_us: int) -> NDArray[np.bool_]:
        """Return which tiles are in a window; raise TileDivided where one is in it in part."""
        tiles = self._state.tiles
        is_in = (tiles.start_us >= begin_us) & (tiles.end_us <= end_us)
        is_out = (tiles.end_us <= begin_us) | (tiles.start_us >= end_us)
        if not (is_in | is_out).all() or begin_us < self._state.kept_since_us:
            raise TileDivided
        return is_in

    def _find_sums(
        self, begin_us: int, end_us: int, group: int, values: tuple[float, ...], count: int
    ) -> tuple[float, float]:
        is_in = self._tiles_in(begin_us, end_us)
        return _sum_and_deviation(self._state.tiles, is_in, group, np.array(values), count)

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
        bounds: tuple[int, int],
        condition: int,
    ) -> float:
        tiles, schema, is_in = self._state.tiles, self._state.schema, self._tiles_in(*bounds)
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
        total, deviation = self._sums(*bounds, group, tuple(values.tolist()), count)
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
            first, end = min(first, tiles.first_limb), max(end, first + limb_count)
        else:
            first = tiles.first_limb
        limb_count = end - first
    tiles = tiles.with_limbs(first, limb_count)
    groups = np.zeros(values.size, np.int64)
    sums, squares = limbs_of_groups(values.view(np.int64), groups, 1, first, limb_count)
    sums_in: IntArray = tiles.sums[is_in, group].sum(axis=0) + sums[0]
    squares_in: IntArray = tiles.squares[is_in, group].sum(axis=0) + squares[0]
    total, deviation = rounded(sums_in, squares_in, count, first)
    return float(total), float(deviation)
