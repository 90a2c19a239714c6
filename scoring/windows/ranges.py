"""Which events each window sees, as ranges of one order of the events.

The events of one entity stand together, by time, and events of one time by arrival. A window is
then a range of positions. Where an entity's events arrived in order of time, its range never moves
back and everything in it had arrived, so that an aggregate can slide. Elsewhere (`is_sorted` False)
each range is read from its start, and events that arrived later are skipped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from scoring.windows.definition import hop_us
from scoring.windows.events import BoolArray, IntArray


@dataclass(frozen=True, slots=True)
class EntityOrder:
    """Events that have a key, by key, time and arrival.

    Attributes:
        arrival: row of each event, int64, (m,).
        time_us: time of each event in microseconds since 1970, (m,).
        start: first position of each entity, and m at the end, int64, (entities + 1,).
        is_sorted: whether an entity's events arrived in order of time, (entities,).
    """

    arrival: IntArray
    time_us: IntArray
    start: IntArray
    is_sorted: BoolArray


def entity_order(time_us: IntArray, keys: IntArray) -> EntityOrder:
    """Return the events that have a key, by key, time and arrival.

    Args:
        time_us: times in microseconds, by arrival, (n,).
        keys: codes of the entities, negative where missing, (n,).
    """
    has_key = np.flatnonzero(keys >= 0)
    arrival = has_key[np.lexsort((time_us[has_key], keys[has_key]))]
    key = keys[arrival]
    is_first = np.diff(key, prepend=-1) != 0
    start = np.append(np.flatnonzero(is_first), arrival.size).astype(np.int64)
    is_late = (np.diff(arrival, prepend=-1) < 0) & ~is_first
    is_sorted = ~np.logical_or.reduceat(is_late, start[:-1]) if arrival.size else is_late
    return EntityOrder(arrival, time_us[arrival], start, is_sorted)


def window_ranges(order: EntityOrder, length_us: int, delay_us: int) -> tuple[IntArray, IntArray]:
    """Return the range of positions in each event's window.

    Args:
        order: events by entity and time.
        length_us: length of the window before rounding, in microseconds.
        delay_us: time between the end of the window and the event, in microseconds.

    Returns:
        First position in the window and first position after it, each int64 (m,); equal where
        the window is empty.
    """
    low, high = _ranges(order.time_us, order.start, length_us, delay_us, hop_us(length_us))
    return low, high


@njit(nogil=True, cache=True)
def _ranges(
    time_us: IntArray, start: IntArray, length_us: int, delay_us: int, hop: int
) -> tuple[IntArray, IntArray]:
    low = np.empty(time_us.size, np.int64)
    high = np.empty(time_us.size, np.int64)
    for entity in range(start.size - 1):
        a = b = start[entity]
        for i in range(start[entity], start[entity + 1]):
            end = time_us[i] - delay_us
            begin = (end - length_us) // hop * hop
            while time_us[b] < end:
                b += 1
            while a < b and time_us[a] < begin:
                a += 1
            low[i], high[i] = a, b
    return low, high
