"""Windows of one kind of entity that one call of a kernel computes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scoring.columns import FloatArray
from scoring.windows import kernels
from scoring.windows.definition import WindowDefinition, WindowFunction
from scoring.windows.events import BoolArray, Codes, Events, IntArray
from scoring.windows.exact_sums import sums_and_deviations
from scoring.windows.ranges import EntityOrder, Ranges

_STATISTICS: tuple[WindowFunction, ...] = ("sum", "mean", "std")
"""Windows of sums, in the order in which `sums_and_deviations` returns them."""


@dataclass(frozen=True, slots=True)
class EnteringEvents:
    """What windows aggregate of m events in one order.

    Attributes:
        enters: whether each event enters a window, a row for each condition and value.
        columns: values by their text; a number is 0.0 where it is not finite.
    """

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


@dataclass(frozen=True, slots=True)
class KernelInputs:
    """What kernels read of the m events of entities.

    Attributes:
        events: events by arrival.
        order: the same events by entity and time.
        ranges: range of each window.
        entering: what windows aggregate of them, in `order`.
    """

    events: Events
    order: EntityOrder
    ranges: Ranges
    entering: EnteringEvents

    @property
    def labels(self) -> tuple[BoolArray, IntArray]:
        """Whether each event in `order` is a fraud, and when it became known, (m,) both.

        Raises:
            TypeError: the events have no labels.
        """
        labels = self.events.labels
        if labels is None:
            raise TypeError("a fraud_rate needs labels")
        arrival = self.order.arrival
        return labels.is_fraud[arrival], labels.known_us[arrival]


class Group(ABC):
    """Windows that one call of a kernel computes.

    Args:
        windows: definitions.
        range_of: row of each window's range in `Ranges.low`.
        enters_of: row of its condition and value in `EnteringEvents.enters`.
    """

    def __init__(
        self, windows: Sequence[WindowDefinition], range_of: IntArray, enters_of: IntArray
    ) -> None:
        self.range_of = range_of
        self.enters_of = enters_of
        texts = [str(window.value) for window in windows]
        self.values = list(dict.fromkeys(texts))
        self.value_of = np.array([self.values.index(text) for text in texts])

    @abstractmethod
    def compute(self, inputs: KernelInputs) -> FloatArray:
        """Return the values of the windows, (w, k)."""


class Counts(Group):
    """Windows that count events."""

    def compute(self, inputs: KernelInputs) -> FloatArray:
        """Return the values of the windows, (w, k)."""
        return kernels.counts(*inputs.ranges, self.range_of, inputs.entering.enters, self.enters_of)


class Sums(Group):
    """Windows of sums, means and deviations; those of the same events are computed together."""

    def __init__(
        self, windows: Sequence[WindowDefinition], range_of: IntArray, enters_of: IntArray
    ) -> None:
        same = list(zip(range_of.tolist(), enters_of.tolist(), strict=True))
        distinct = list(dict.fromkeys(same))
        first = [same.index(one) for one in distinct]
        super().__init__([windows[i] for i in first], range_of[first], enters_of[first])
        deviating = {one for one, w in zip(same, windows, strict=True) if w.function == "std"}
        self.deviates = np.array([one in deviating for one in distinct], np.bool_)
        self.statistic_of = np.array([_STATISTICS.index(window.function) for window in windows])
        self.row_of = np.array([distinct.index(one) for one in same])

    def compute(self, inputs: KernelInputs) -> FloatArray:
        """Return the values of the windows, (w, k)."""
        found = sums_and_deviations(
            *inputs.ranges,
            self.range_of,
            inputs.entering.enters,
            self.enters_of,
            inputs.entering.numbers(self.values).view(np.int64),
            self.value_of,
            self.deviates,
        )
        return self.statistics(found)

    def statistics(self, found: FloatArray) -> FloatArray:
        """Return the value of each window, (w, k), from sums, means and deviations, (3, s, k)."""
        values: FloatArray = found[self.statistic_of, self.row_of]
        return values


class Extremes(Group):
    """Windows of the largest and the smallest value."""

    def __init__(
        self, windows: Sequence[WindowDefinition], range_of: IntArray, enters_of: IntArray
    ) -> None:
        super().__init__(windows, range_of, enters_of)
        self.signs = np.array([1.0 if one.function == "max" else -1.0 for one in windows])

    def compute(self, inputs: KernelInputs) -> FloatArray:
        """Return the values of the windows, (w, k)."""
        return kernels.maxima(
            *inputs.ranges,
            self.range_of,
            inputs.entering.enters,
            self.enters_of,
            inputs.entering.numbers(self.values),
            self.value_of,
            self.signs,
        )


class DistinctCounts(Group):
    """Windows that count distinct values."""

    def compute(self, inputs: KernelInputs) -> FloatArray:
        """Return the values of the windows, (w, k)."""
        columns = [coded(inputs.entering.columns[value]) for value in self.values]
        return kernels.distinct_counts(
            *inputs.ranges,
            self.range_of,
            inputs.entering.enters,
            self.enters_of,
            np.stack([column.codes for column in columns]),
            self.value_of,
            max(column.count for column in columns),
        )


def coded(column: FloatArray | Codes) -> Codes:
    """Return a column as codes: of a number, its place among the sorted distinct numbers."""
    if isinstance(column, Codes):
        return column
    numbers, codes = np.unique(column, return_inverse=True)
    return Codes(codes.astype(np.int64), numbers.size)


class Seconds(Group):
    """Windows of the time since the first or the last event."""

    def __init__(
        self, windows: Sequence[WindowDefinition], range_of: IntArray, enters_of: IntArray
    ) -> None:
        super().__init__(windows, range_of, enters_of)
        self.of_first = np.array([one.function == "first_seen" for one in windows], np.bool_)

    def compute(self, inputs: KernelInputs) -> FloatArray:
        """Return the values of the windows, (w, k)."""
        order = inputs.order
        return kernels.seconds_since(
            *inputs.ranges,
            self.range_of,
            inputs.entering.enters,
            self.enters_of,
            order.time_us,
            order.time_us[order.readers],
            self.of_first,
        )


class FraudShares(Group):
    """Windows of the share of events that are known as frauds."""

    def compute(self, inputs: KernelInputs) -> FloatArray:
        """Return the values of the windows, (w, k)."""
        order = inputs.order
        is_fraud, known_us = inputs.labels
        frauds = np.flatnonzero(is_fraud)
        entity = np.searchsorted(order.start, frauds, side="right") - 1
        by_known = np.lexsort((known_us[frauds], entity))
        return kernels.fraud_shares(
            *inputs.ranges,
            self.range_of,
            inputs.entering.enters,
            self.enters_of,
            order.time_us[order.readers],
            is_fraud,
            known_us,
            frauds[by_known],
            np.searchsorted(entity, np.arange(order.start.size)),
        )


GROUPS: dict[WindowFunction, type[Group]] = {
    "count": Counts,
    "sum": Sums,
    "mean": Sums,
    "std": Sums,
    "max": Extremes,
    "min": Extremes,
    "distinct": DistinctCounts,
    "first_seen": Seconds,
    "seconds_since_last": Seconds,
    "fraud_rate": FraudShares,
}
