"""Compute windows of past events as each event would have seen them when it arrived.

For an event at time t, a window of length w with a delay d covers [t - w - d, t - d), where the
start is rounded down to a multiple of `hop_us(w)`. It sees every event that arrived earlier, has
the same key, meets the condition, and whose time lies inside: never the event itself, and never
one of the same time. A label counts if it became known by t.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import cache

import numpy as np

from scoring.columns import FloatArray, TextColumn
from scoring.windows import kernels
from scoring.windows.definition import WindowDefinition
from scoring.windows.events import BoolArray, Events
from scoring.windows.exact_sums import limb_span, sums_and_deviations
from scoring.windows.ranges import EntityOrder, entity_order, window_ranges

_ZERO_WHERE_EMPTY = ("count", "sum", "distinct")


def window_values(
    events: Events, definitions: Sequence[WindowDefinition], first_reader: int = 0
) -> dict[WindowDefinition, FloatArray]:
    """Return the value of each window for each event that is a reader.

    It takes about 0.1 us for an event and a window where the events of an entity arrived in order
    of time. Otherwise it takes time in proportion to the events in each window, so a file whose
    rows are in no meaningful order is sorted by time first.

    Args:
        events: n events by arrival.
        definitions: windows, without repetition.
        first_reader: row from which on events are readers; those before are only seen.

    Returns:
        Values by definition, each float64 (n - first_reader,), NaN where missing. count, sum and
        distinct of an empty window are 0, all others are missing. A missing key sees an empty
        window.
    """
    # Sums and deviations of one window are computed together.
    deviating = {_summed(definition) for definition in definitions if definition.function == "std"}
    entities = {
        by: _EntityWindows(
            events, entity_order(events.time_us, events.keys[by], first_reader), deviating
        )
        for by in dict.fromkeys(definition.by for definition in definitions)
    }
    return {
        definition: _by_arrival(definition, entities[definition.by], events, first_reader)
        for definition in definitions
    }


_Summed = tuple[int, int, str, str | None]
"""Length, delay, value and condition of a window of numbers."""


def _summed(definition: WindowDefinition) -> _Summed:
    return definition.length_us, definition.delay_us, str(definition.value), definition.where


def _by_arrival(
    definition: WindowDefinition, entity: _EntityWindows, events: Events, first_reader: int
) -> FloatArray:
    empty = 0.0 if definition.function in _ZERO_WHERE_EMPTY else np.nan
    values = np.full(events.time_us.size - first_reader, empty)
    values[entity.rows - first_reader] = entity.values(definition)
    return values


class _EntityWindows:
    """Windows of the events of one kind of entity."""

    def __init__(self, events: Events, order: EntityOrder, deviating: Set[_Summed]) -> None:
        self._events = events
        self._order = order
        self._deviating = deviating
        self.rows = order.arrival[order.readers]
        self._ranges = cache(lambda length, delay: window_ranges(order, length, delay))
        self._enters = cache(self._entering)
        self._numbers = cache(self._numbers_in_order)
        self._sums = cache(self._computed_sums)
        self._seconds = cache(self._computed_seconds)

    def values(self, definition: WindowDefinition) -> FloatArray:
        """Return the values of a window, in the order of `rows`."""
        length_us, delay_us = definition.length_us, definition.delay_us
        value, where = definition.value, definition.where
        match definition.function:
            case "count":
                return kernels.counts(*self._ranges(length_us, delay_us), self._enters(where))
            case "sum":
                return self._sums(_summed(definition))[0]
            case "mean":
                return self._sums(_summed(definition))[1]
            case "std":
                return self._sums(_summed(definition))[2]
            case "max":
                return self._maxima(length_us, delay_us, str(value), where, 1.0)
            case "min":
                return -self._maxima(length_us, delay_us, str(value), where, -1.0)
            case "distinct":
                return self._distinct(length_us, delay_us, str(value), where)
            case "first_seen":
                return self._seconds(length_us, delay_us, where)[0]
            case "seconds_since_last":
                return self._seconds(length_us, delay_us, where)[1]
            case "fraud_rate":
                return self._fraud_rate(length_us, delay_us, where)

    def _entering(self, where: str | None) -> BoolArray:
        if where is None:
            return np.ones(self._order.arrival.size, np.bool_)
        return self._events.conditions[where][self._order.arrival]

    def _numbers_in_order(self, value: str) -> tuple[FloatArray, BoolArray, tuple[int, int]]:
        """Return the values of an expression by entity, which are finite, and their limbs."""
        column = self._events.values[value]
        if isinstance(column, TextColumn):
            raise TypeError(f"'{value}' is text, which has no sum and no order")
        numbers = column[self._order.arrival] + 0.0  # -0.0 becomes 0.0
        is_finite = np.isfinite(numbers)
        numbers[~is_finite] = 0.0
        return numbers, is_finite, limb_span(numbers)

    def _computed_sums(self, summed: _Summed) -> tuple[FloatArray, FloatArray, FloatArray]:
        length_us, delay_us, value, where = summed
        numbers, is_finite, (first, limb_count) = self._numbers(value)
        return sums_and_deviations(
            *self._ranges(length_us, delay_us),
            self._enters(where) & is_finite,
            numbers.view(np.int64),
            first,
            limb_count,
            summed in self._deviating,
        )

    def _computed_seconds(
        self, length_us: int, delay_us: int, where: str | None
    ) -> tuple[FloatArray, FloatArray]:
        order = self._order
        return kernels.seconds_since(
            *self._ranges(length_us, delay_us),
            self._enters(where),
            order.time_us,
            order.time_us[order.readers],
        )

    def _maxima(
        self, length_us: int, delay_us: int, value: str, where: str | None, sign: float
    ) -> FloatArray:
        numbers, is_finite, _ = self._numbers(value)
        enters = self._enters(where) & is_finite
        return kernels.maxima(*self._ranges(length_us, delay_us), enters, numbers * sign)

    def _distinct(self, length_us: int, delay_us: int, value: str, where: str | None) -> FloatArray:
        column = self._events.values[value]
        if isinstance(column, TextColumn):
            codes = column.codes[self._order.arrival]
            has_value, code_count = codes >= 0, len(column.values)
        else:
            numbers, has_value, _ = self._numbers(value)
            distinct, inverse = np.unique(numbers, return_inverse=True)
            codes, code_count = inverse.astype(np.int64), distinct.size
        enters = self._enters(where) & has_value
        ranges = self._ranges(length_us, delay_us)
        return kernels.distinct_counts(*ranges, enters, codes, code_count)

    def _fraud_rate(self, length_us: int, delay_us: int, where: str | None) -> FloatArray:
        labels = self._events.labels
        if labels is None:
            raise TypeError("a fraud_rate needs labels")
        order, ranges, enters = self._order, self._ranges(length_us, delay_us), self._enters(where)
        known_us = labels.known_us[order.arrival]
        frauds = np.flatnonzero(labels.is_fraud[order.arrival] & enters)
        entity = np.searchsorted(order.start, frauds, side="right") - 1
        by_known = np.lexsort((known_us[frauds], entity))
        fraud_start = np.searchsorted(entity, np.arange(order.start.size))
        reader_time_us = order.time_us[order.readers]
        return kernels.fraud_shares(
            *ranges, enters, reader_time_us, known_us, frauds[by_known], fraud_start
        )
