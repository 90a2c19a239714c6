"""The windows of one kind of entity, grouped by the kernel that computes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scoring.columns import FloatArray
from scoring.windows import kernels
from scoring.windows.definition import WindowDefinition, WindowFunction, hop_us
from scoring.windows.events import BoolArray, Codes, Events, IntArray
from scoring.windows.exact_sums import sums_and_deviations
from scoring.windows.ranges import EntityOrder, Ranges, window_bounds

_STATISTICS: tuple[WindowFunction, ...] = ("sum", "mean", "std")
"""Windows of sums, in the order in which `sums_and_deviations` returns them."""


class EntityPlan:
    """Computes the windows of one kind of entity.

    Args:
        by: entity field, or a pair of entity fields.
        definitions: windows by it, without repetition.
    """

    def __init__(self, by: tuple[str, ...], definitions: Sequence[WindowDefinition]) -> None:
        self.by = by
        ranges = list(dict.fromkeys(map(_range, definitions)))
        self._lengths_us = np.array([length for length, _ in ranges], np.int64)
        self._delays_us = np.array([delay for _, delay in ranges], np.int64)
        self._hops_us = np.array([hop_us(length) for length, _ in ranges], np.int64)
        self._entering = list(dict.fromkeys(map(_entering, definitions)))
        members: dict[type[_Group], list[int]] = {}
        for place, one in enumerate(definitions):
            members.setdefault(_GROUPS[one.function], []).append(place)
        self._groups: list[tuple[IntArray, _Group]] = []
        for kind, places in members.items():
            windows = [definitions[place] for place in places]
            range_of = np.array([ranges.index(_range(one)) for one in windows])
            enters_of = np.array([self._entering.index(_entering(one)) for one in windows])
            self._groups.append((np.array(places), kind(windows, range_of, enters_of)))
        self._count = len(definitions)

    def values(self, events: Events, order: EntityOrder) -> FloatArray:
        """Return the values of the windows, a row each, for the readers in their order.

        Args:
            events: n events by arrival.
            order: the same events by entity and time, with k >= 1 readers.
        """
        inputs = self._inputs(events, order)
        values = np.empty((self._count, order.readers.size))
        for places, group in self._groups:
            values[places] = group.compute(inputs)
        return values

    def _inputs(self, events: Events, order: EntityOrder) -> _Inputs:
        columns: dict[str, FloatArray | Codes] = {}
        is_known: dict[str, BoolArray] = {}
        for name in {value for _, value in self._entering if value is not None}:
            columns[name], is_known[name] = _in_order(events.values[name], order)
        enters = np.ones((len(self._entering), order.arrival.size), np.bool_)
        if events.is_seen is not None:
            enters[:] = events.is_seen[order.arrival]
        for row, (where, value) in zip(enters, self._entering, strict=True):
            if value is not None:
                row &= is_known[value]
            if where is not None:
                row &= events.conditions[where][order.arrival]
        low, high = window_bounds(
            order.time_us,
            order.start,
            order.readers,
            order.reader_start,
            self._lengths_us,
            self._delays_us,
            self._hops_us,
        )
        reader_arrival = order.arrival[order.readers]
        ranges = Ranges(
            low, high, order.reader_start, reader_arrival, order.is_sorted, order.arrival
        )
        return _Inputs(events, order, ranges, enters, columns)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What kernels read of the m events of entities.

    Attributes:
        events: events by arrival.
        order: the same events by entity and time.
        ranges: range of each window.
        enters: whether each event enters a window, a row for each condition and value.
        columns: values in `order` by their text; a number is 0.0 where it is not finite.
    """

    events: Events
    order: EntityOrder
    ranges: Ranges
    enters: BoolArray
    columns: dict[str, FloatArray | Codes]

    def numbers(self, values: Sequence[str]) -> FloatArray:
        """Return the numbers of several values, (v, m)."""
        found = []
        for value in values:
            column = self.columns[value]
            if isinstance(column, Codes):
                raise TypeError(f"'{value}' is text, which has no sum and no order")
            found.append(column)
        return np.stack(found)


def _range(window: WindowDefinition) -> tuple[int, int]:
    return window.length_us, window.delay_us


def _entering(window: WindowDefinition) -> tuple[str | None, str | None]:
    return window.where, window.value


def _in_order(
    value: FloatArray | Codes, order: EntityOrder
) -> tuple[FloatArray | Codes, BoolArray]:
    """Return a value of the ordered events, and where it is known."""
    if isinstance(value, Codes):
        codes = value.codes[order.arrival]
        return Codes(codes, value.count), codes >= 0
    numbers = value[order.arrival] + 0.0  # -0.0 becomes 0.0
    is_finite = np.isfinite(numbers)
    numbers[~is_finite] = 0.0
    return numbers, is_finite


class _Group(ABC):
    """Windows that one call of a kernel computes.

    Args:
        windows: definitions.
        range_of: row of each window's range in `Ranges.low`.
        enters_of: row of its condition and value in `_Inputs.enters`.
    """

    def __init__(
        self, windows: Sequence[WindowDefinition], range_of: IntArray, enters_of: IntArray
    ) -> None:
        self._range_of = range_of
        self._enters_of = enters_of
        texts = [str(window.value) for window in windows]
        self._values = list(dict.fromkeys(texts))
        self._value_of = np.array([self._values.index(text) for text in texts])

    @abstractmethod
    def compute(self, inputs: _Inputs) -> FloatArray:
        """Return the values of the windows, (w, k)."""


class _Counts(_Group):
    def compute(self, inputs: _Inputs) -> FloatArray:
        return kernels.counts(*inputs.ranges, self._range_of, inputs.enters, self._enters_of)


class _Sums(_Group):
    """Sum, mean and deviation of the same events are computed together."""

    def __init__(
        self, windows: Sequence[WindowDefinition], range_of: IntArray, enters_of: IntArray
    ) -> None:
        same = list(zip(range_of.tolist(), enters_of.tolist(), strict=True))
        distinct = list(dict.fromkeys(same))
        first = [same.index(one) for one in distinct]
        super().__init__([windows[i] for i in first], range_of[first], enters_of[first])
        deviating = {one for one, w in zip(same, windows, strict=True) if w.function == "std"}
        self._deviates = np.array([one in deviating for one in distinct], np.bool_)
        self._statistic_of = np.array([_STATISTICS.index(window.function) for window in windows])
        self._row_of = np.array([distinct.index(one) for one in same])

    def compute(self, inputs: _Inputs) -> FloatArray:
        found = sums_and_deviations(
            *inputs.ranges,
            self._range_of,
            inputs.enters,
            self._enters_of,
            inputs.numbers(self._values).view(np.int64),
            self._value_of,
            self._deviates,
        )
        values: FloatArray = found[self._statistic_of, self._row_of]
        return values


class _Extremes(_Group):
    def __init__(
        self, windows: Sequence[WindowDefinition], range_of: IntArray, enters_of: IntArray
    ) -> None:
        super().__init__(windows, range_of, enters_of)
        self._signs = np.array([1.0 if one.function == "max" else -1.0 for one in windows])

    def compute(self, inputs: _Inputs) -> FloatArray:
        return kernels.maxima(
            *inputs.ranges,
            self._range_of,
            inputs.enters,
            self._enters_of,
            inputs.numbers(self._values),
            self._value_of,
            self._signs,
        )


class _DistinctCounts(_Group):
    def compute(self, inputs: _Inputs) -> FloatArray:
        columns = [_coded(inputs.columns[value]) for value in self._values]
        return kernels.distinct_counts(
            *inputs.ranges,
            self._range_of,
            inputs.enters,
            self._enters_of,
            np.stack([column.codes for column in columns]),
            self._value_of,
            max(column.count for column in columns),
        )


def _coded(column: FloatArray | Codes) -> Codes:
    if isinstance(column, Codes):
        return column
    numbers, codes = np.unique(column, return_inverse=True)
    return Codes(codes.astype(np.int64), numbers.size)


class _Seconds(_Group):
    def __init__(
        self, windows: Sequence[WindowDefinition], range_of: IntArray, enters_of: IntArray
    ) -> None:
        super().__init__(windows, range_of, enters_of)
        self._of_first = np.array([one.function == "first_seen" for one in windows], np.bool_)

    def compute(self, inputs: _Inputs) -> FloatArray:
        order = inputs.order
        return kernels.seconds_since(
            *inputs.ranges,
            self._range_of,
            inputs.enters,
            self._enters_of,
            order.time_us,
            order.time_us[order.readers],
            self._of_first,
        )


class _FraudShares(_Group):
    def compute(self, inputs: _Inputs) -> FloatArray:
        labels, order = inputs.events.labels, inputs.order
        if labels is None:
            raise TypeError("a fraud_rate needs labels")
        known_us = labels.known_us[order.arrival]
        is_fraud = labels.is_fraud[order.arrival]
        frauds = np.flatnonzero(is_fraud)
        entity = np.searchsorted(order.start, frauds, side="right") - 1
        by_known = np.lexsort((known_us[frauds], entity))
        return kernels.fraud_shares(
            *inputs.ranges,
            self._range_of,
            inputs.enters,
            self._enters_of,
            order.time_us[order.readers],
            is_fraud,
            known_us,
            frauds[by_known],
            np.searchsorted(entity, np.arange(order.start.size)),
        )


_GROUPS: dict[WindowFunction, type[_Group]] = {
    "count": _Counts,
    "sum": _Sums,
    "mean": _Sums,
    "std": _Sums,
    "max": _Extremes,
    "min": _Extremes,
    "distinct": _DistinctCounts,
    "first_seen": _Seconds,
    "seconds_since_last": _Seconds,
    "fraud_rate": _FraudShares,
}
