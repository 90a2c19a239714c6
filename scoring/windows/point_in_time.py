"""Compute windows of past events as each event would have seen them when it arrived.

For an event at time t, a window of length w with a delay d covers [t - w - d, t - d), where the
start is rounded down to a multiple of `hop_us(w)`. It sees every event that arrived earlier, has
the same key, meets the condition, and whose time lies inside: never the event itself, and never
one of the same time. A label counts if it became known by t.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from scoring.columns import FloatArray, TextColumn
from scoring.windows import kernels
from scoring.windows.definition import WindowDefinition
from scoring.windows.events import BoolArray, Events, IntArray
from scoring.windows.exact_sums import limb_span, sums_and_deviations
from scoring.windows.ranges import EntityOrder, entity_order, window_ranges

_ZERO_WHERE_EMPTY = ("count", "sum", "distinct")


def window_values(
    events: Events, definitions: Sequence[WindowDefinition]
) -> dict[WindowDefinition, FloatArray]:
    """Return the value of each window for each event.

    It takes 20 to 200 ns for an event and a window where the events of an entity arrived in order
    of time. Otherwise it takes time in proportion to the events in each window, so a file whose
    rows are in no meaningful order is sorted by time first.

    Args:
        events: n events by arrival.
        definitions: windows, without repetition.

    Returns:
        Values by definition, each float64 (n,), NaN where missing. count, sum and distinct of an
        empty window are 0, all others are missing. A missing key sees an empty window.
    """
    values: dict[WindowDefinition, FloatArray] = {}
    for by in dict.fromkeys(definition.by for definition in definitions):
        entity = _EntityWindows(events, entity_order(events.time_us, events.keys[by]))
        for definition in definitions:
            if definition.by == by:
                values[definition] = entity.values(definition)
    # A dictionary in the order of `definitions`.
    return {definition: values[definition] for definition in definitions}


class _EntityWindows:
    """Windows of the events of one kind of entity."""

    def __init__(self, events: Events, order: EntityOrder) -> None:
        self._events = events
        self._order = order
        self._ranges = cache(lambda length, delay: window_ranges(order, length, delay))
        self._sums = cache(self._computed_sums)
        self._seconds = cache(self._computed_seconds)

    def values(self, definition: WindowDefinition) -> FloatArray:
        """Return the values of a window by arrival, (n,)."""
        empty = 0.0 if definition.function in _ZERO_WHERE_EMPTY else np.nan
        values = np.full(self._events.time_us.size, empty)
        values[self._order.arrival] = self._in_order(definition)
        return values

    def _in_order(self, definition: WindowDefinition) -> FloatArray:
        length_us, delay_us = definition.length_us, definition.delay_us
        value, where = definition.value, definition.where
        match definition.function:
            case "count":
                return kernels.counts(*self._seen(length_us, delay_us, where))
            case "sum" | "mean" | "std":
                sums, numbers, deviations = self._sums(
                    length_us, delay_us, str(value), where, definition.function == "std"
                )
                if definition.function == "sum":
                    return sums
                if definition.function == "std":
                    return deviations
                with np.errstate(invalid="ignore"):
                    return sums / numbers
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

    def _seen(
        self, length_us: int, delay_us: int, where: str | None, has_value: BoolArray | None = None
    ) -> tuple[IntArray, IntArray, IntArray, BoolArray, IntArray, BoolArray]:
        """Return the first arguments of every kernel."""
        order = self._order
        low, high = self._ranges(length_us, delay_us)
        enters = np.ones(order.arrival.size, np.bool_) if has_value is None else has_value
        if where is not None:
            enters = enters & self._events.conditions[where][order.arrival]
        return low, high, order.start, order.is_sorted, order.arrival, enters

    def _numbers(self, value: str) -> tuple[FloatArray, BoolArray]:
        """Return the values of an expression by entity, and which of them are finite."""
        column = self._events.values[value]
        if isinstance(column, TextColumn):
            raise TypeError(f"'{value}' is text, which has no sum and no order")
        numbers = column[self._order.arrival] + 0.0  # -0.0 becomes 0.0
        is_finite = np.isfinite(numbers)
        return np.where(is_finite, numbers, 0.0), is_finite

    def _computed_sums(
        self, length_us: int, delay_us: int, value: str, where: str | None, deviates: bool
    ) -> tuple[FloatArray, IntArray, FloatArray]:
        numbers, is_finite = self._numbers(value)
        first, limb_count = limb_span(numbers)
        return sums_and_deviations(
            *self._seen(length_us, delay_us, where, is_finite),
            numbers.view(np.int64),
            first,
            limb_count,
            deviates,
        )

    def _computed_seconds(
        self, length_us: int, delay_us: int, where: str | None
    ) -> tuple[FloatArray, FloatArray]:
        return kernels.seconds_since(*self._seen(length_us, delay_us, where), self._order.time_us)

    def _maxima(
        self, length_us: int, delay_us: int, value: str, where: str | None, sign: float
    ) -> FloatArray:
        numbers, is_finite = self._numbers(value)
        seen = self._seen(length_us, delay_us, where, is_finite)
        return kernels.maxima(*seen, numbers * sign)

    def _distinct(self, length_us: int, delay_us: int, value: str, where: str | None) -> FloatArray:
        column = self._events.values[value]
        if isinstance(column, TextColumn):
            codes = column.codes[self._order.arrival]
            has_value, code_count = codes >= 0, len(column.values)
        else:
            numbers, has_value = self._numbers(value)
            distinct, inverse = np.unique(numbers, return_inverse=True)
            codes, code_count = inverse.astype(np.int64), distinct.size
        seen = self._seen(length_us, delay_us, where, has_value)
        return kernels.distinct_counts(*seen, codes, code_count)

    def _fraud_rate(self, length_us: int, delay_us: int, where: str | None) -> FloatArray:
        labels = self._events.labels
        if labels is None:
            raise TypeError("a fraud_rate needs labels")
        order = self._order
        seen = self._seen(length_us, delay_us, where)
        known_us = labels.known_us[order.arrival]
        frauds = np.flatnonzero(labels.is_fraud[order.arrival] & seen[-1])
        entity = np.searchsorted(order.start, frauds, side="right")
        frauds = frauds[np.lexsort((known_us[frauds], entity))]
        known = kernels.fraud_counts(*seen[:-1], order.time_us, known_us, frauds)
        with np.errstate(invalid="ignore"):
            return known / kernels.counts(*seen)
