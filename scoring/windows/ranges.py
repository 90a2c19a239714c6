"""Which events each window sees, as ranges of one order of the events.

The events of one entity stand together, by time, and events of one time by arrival. A window is
then a range of positions. Where an entity's events arrived in order of time, its range never moves
back and everything in it had arrived, so that an aggregate can slide. Elsewhere (`is_sorted` False)
each range is read from its start, and events that arrived later are skipped.

A reader is an event whose windows are computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from scoring.windows.definition import hop_us
from scoring.windows.events import BoolArray, IntArray


@dataclass(frozen=True, slots=True)
class EntityOrder:
    """Events that have a key, by key, time and arrival; only of entities that have a reader.

    Attributes:
        arrival: row of each event, int64, (m,).
        time_us: time of each event in microseconds since 1970, (m,).
        start: first position of each entity, and m at the end, int64, (entities + 1,).
        is_sorted: whether an entity's events arrived in order of time, (entities,).
        readers: positions of the readers, int64, ascending, (k,).
        reader_start: first reader of each entity, and k at the end, int64, (entities + 1,).
    """

    arrival: IntArray
    time_us: IntArray
    start: IntArray
    is_sorted: BoolArray
    readers: IntArray
    reader_start: IntArray


class Ranges(NamedTuple):
    """The first arguments of every kernel.

    Attributes:
        low: first position in each reader's window, int64, (k,).
        high: first position after it, equal where the window is empty, int64, (k,).
        reader_start: as in `EntityOrder`.
        reader_arrival: row of each reader, int64, (k,).
        is_sorted: as in `EntityOrder`.
        arrival: as in `EntityOrder`.
    """

    low: IntArray
    high: IntArray
    reader_start: IntArray
    reader_arrival: IntArray
    is_sorted: BoolArray
    arrival: IntArray


def entity_order(time_us: IntArray, keys: IntArray, first_reader: int) -> EntityOrder:
    """Return the events of the entities that have a reader, by key, time and arrival.

    Args:
        time_us: times in microseconds, by arrival, (n,).
        keys: codes of the entities, negative where missing, (n,).
        first_reader: first row that is a reader; all later ones are too.
    """
    used = np.flatnonzero(keys >= 0)
    if first_reader:
        has_reader = np.zeros(keys.max(initial=0) + 1, np.bool_)
        has_reader[keys[first_reader:][keys[first_reader:] >= 0]] = True
        used = used[has_reader[keys[used]]]
    arrival = used[np.argsort(keys[used], kind="stable")]
    start, is_in_order, is_sorted = _entities(keys[arrival], time_us[arrival], arrival)
    if not is_in_order:
        # Twice the time of one sort, and needed only where events arrived late.
        arrival = arrival[np.lexsort((time_us[arrival], keys[arrival]))]
        start, _, is_sorted = _entities(keys[arrival], time_us[arrival], arrival)
    readers = np.flatnonzero(arrival >= first_reader)
    reader_start = np.searchsorted(readers, start)
    return EntityOrder(arrival, time_us[arrival], start, is_sorted, readers, reader_start)


@njit(nogil=True, cache=True)
def _entities(
    keys: IntArray, time_us: IntArray, arrival: IntArray
) -> tuple[IntArray, bool, BoolArray]:
    """Return where entities start, whether each is in order of time, and in order of arrival."""
    start = np.empty(keys.size + 1, np.int64)
    is_sorted = np.ones(keys.size, np.bool_)
    is_in_order = True
    entities = 0
    for i in range(keys.size):
        if i == 0 or keys[i] != keys[i - 1]:
            start[entities] = i
            entities += 1
        else:
            is_in_order = is_in_order and time_us[i] >= time_us[i - 1]
            if arrival[i] < arrival[i - 1]:
                is_sorted[entities - 1] = False
    start[entities] = keys.size
    return start[: entities + 1].copy(), is_in_order, is_sorted[:entities].copy()


def window_ranges(order: EntityOrder, length_us: int, delay_us: int) -> Ranges:
    """Return the range of positions in each reader's window.

    Args:
        order: events by entity and time.
        length_us: length of the window before rounding, in microseconds.
        delay_us: time between the end of the window and the event, in microseconds.
    """
    low, high = _bounds(
        order.time_us,
        order.start,
        order.readers,
        order.reader_start,
        length_us,
        delay_us,
        hop_us(length_us),
    )
    reader_arrival = order.arrival[order.readers]
    return Ranges(low, high, order.reader_start, reader_arrival, order.is_sorted, order.arrival)


@njit(nogil=True, cache=True)
def _bounds(
    time_us: IntArray,
    start: IntArray,
    readers: IntArray,
    reader_start: IntArray,
    length_us: int,
    delay_us: int,
    hop: int,
) -> tuple[IntArray, IntArray]:
    low = np.empty(readers.size, np.int64)
    high = np.empty(readers.size, np.int64)
    for entity in range(start.size - 1):
        a = b = start[entity]
        for r in range(reader_start[entity], reader_start[entity + 1]):
            end = time_us[readers[r]] - delay_us
            begin = (end - length_us) // hop * hop
            while time_us[b] < end:
                b += 1
            while a < b and time_us[a] < begin:
                a += 1
            low[r], high[r] = a, b
    return low, high
