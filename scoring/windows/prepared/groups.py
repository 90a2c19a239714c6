"""Groups of windows over prepared past events, with the single events after them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from scoring.columns import FloatArray
from scoring.windows.events import Codes, IntArray
from scoring.windows.exact_sums import limb_span, sums_and_deviations_after, sums_before
from scoring.windows.groups import (
    Counts,
    DistinctCounts,
    EnteringEvents,
    Extremes,
    FraudShares,
    Group,
    KernelInputs,
    Seconds,
    Sums,
    coded,
)
from scoring.windows.prepared import kernels
from scoring.windows.structures import (
    block_maxima,
    entering_blocks,
    occurrences,
    previous_positions,
    sorted_blocks,
)

_G = TypeVar("_G", bound=Group)


class PastEvents:
    """The m past events of one entity by key and time.

    Args:
        time_us: time of each event in microseconds since 1970, (m,).
        start: first position of each key, and m at the end.
        entering: what windows aggregate of the events.
    """

    def __init__(self, time_us: IntArray, start: IntArray, entering: EnteringEvents) -> None:
        self.time_us = time_us
        self.start = start
        self.entering = entering
        self.entering_before, self.last_before, self.first_from = entering_blocks(entering.enters)


@dataclass(frozen=True, slots=True)
class Frauds:
    """The past events that are known as frauds.

    Attributes:
        positions: positions, ascending, (f,).
        known_us: time at which each of them became known, microseconds since 1970, (f,).
    """

    positions: IntArray
    known_us: IntArray


@dataclass(frozen=True, slots=True)
class PastRanges:
    """What k readers see of prepared past events.

    Attributes:
        low: first position in each reader's window, int64, (ranges, k).
        high: first position after it, equal where the window is empty, int64, (ranges, k).
        frauds: events that are known as frauds.
        codes: for each counted text the code that the past has for each code of the single events,
            -1 where none.
    """

    low: IntArray
    high: IntArray
    frauds: Frauds
    codes: dict[str, IntArray]


class PreparedGroup(ABC, Generic[_G]):
    """Windows that are computed by one call, of past events that are prepared.

    Args:
        group: the windows.
        past: past events.
    """

    def __init__(self, group: _G, past: PastEvents) -> None:
        self._group = group
        self._past = past

    @abstractmethod
    def compute(self, inputs: KernelInputs, seen: PastRanges) -> FloatArray:
        """Return the values of the windows, (w, k).

        Args:
            inputs: single events and readers.
            seen: what the readers see of the past.
        """

    def _single(self, inputs: KernelInputs) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """Return the first arguments of every kernel."""
        ranges = inputs.ranges
        return ranges.low, ranges.high, ranges.reader_arrival, ranges.arrival


class _Counts(PreparedGroup[Counts]):
    def compute(self, inputs: KernelInputs, seen: PastRanges) -> FloatArray:
        return kernels.counts_after(
            *self._single(inputs),
            self._group.range_of,
            inputs.entering.enters,
            self._group.enters_of,
            seen.low,
            seen.high,
            self._past.entering.enters,
            self._past.entering_before,
        )


@dataclass(frozen=True, slots=True)
class _SumsOfValue:
    """The sums of one value before each block; see `sums_and_deviations_after`."""

    rows: IntArray
    bits: IntArray
    first: int
    sums: IntArray
    squares: IntArray
    sums_of: IntArray


class _Sums(PreparedGroup[Sums]):
    def __init__(self, group: Sums, past: PastEvents) -> None:
        super().__init__(group, past)
        numbers = past.entering.numbers(group.values).view(np.int64)
        self._of_value = [
            self._prepared(np.flatnonzero(group.value_of == value), bits)
            for value, bits in enumerate(numbers)
        ]

    def _prepared(self, rows: IntArray, bits: IntArray) -> _SumsOfValue:
        first, limb_count = limb_span(bits)
        conditions, sums_of = np.unique(self._group.enters_of[rows], return_inverse=True)
        found = [
            sums_before(bits, self._past.entering.enters[condition], first, limb_count)
            for condition in conditions
        ]
        sums, squares = map(np.stack, zip(*found, strict=True))
        return _SumsOfValue(rows, bits, first, sums, squares, sums_of)

    def compute(self, inputs: KernelInputs, seen: PastRanges) -> FloatArray:
        group, past = self._group, self._past
        numbers = inputs.entering.numbers(group.values).view(np.int64)
        found = np.empty((3, group.range_of.size, inputs.ranges.reader_arrival.size))
        for bits, one in zip(numbers, self._of_value, strict=True):
            found[:, one.rows] = sums_and_deviations_after(
                *self._single(inputs),
                group.range_of[one.rows],
                inputs.entering.enters,
                group.enters_of[one.rows],
                bits,
                group.deviates[one.rows],
                seen.low,
                seen.high,
                past.entering.enters,
                past.entering_before,
                one.bits,
                one.first,
                one.sums,
                one.squares,
                one.sums_of,
            )
        return group.statistics(found)


class _Extremes(PreparedGroup[Extremes]):
    def __init__(self, group: Extremes, past: PastEvents) -> None:
        super().__init__(group, past)
        self._numbers = past.entering.numbers(group.values)
        keys = list(zip(group.value_of, group.enters_of, group.signs, strict=True))
        distinct = list(dict.fromkeys(keys))
        self._table_of = np.array([distinct.index(key) for key in keys])
        self._tables = np.stack(
            [
                block_maxima(self._numbers[value], past.entering.enters[condition], sign)
                for value, condition, sign in distinct
            ]
        )

    def compute(self, inputs: KernelInputs, seen: PastRanges) -> FloatArray:
        group = self._group
        return kernels.maxima_after(
            *self._single(inputs),
            group.range_of,
            inputs.entering.enters,
            group.enters_of,
            inputs.entering.numbers(group.values),
            group.value_of,
            group.signs,
            seen.low,
            seen.high,
            self._past.entering.enters,
            self._numbers,
            self._tables,
            self._table_of,
        )


class _DistinctCounts(PreparedGroup[DistinctCounts]):
    def __init__(self, group: DistinctCounts, past: PastEvents) -> None:
        super().__init__(group, past)
        pairs = np.stack([group.value_of, group.enters_of], axis=1)
        self._prepared = [
            (np.flatnonzero((pairs == pair).all(axis=1)), *self._of(*pair))
            for pair in np.unique(pairs, axis=0).tolist()
        ]

    def _of(self, value: int, condition: int) -> tuple[str, FloatArray | None, tuple[Any, ...]]:
        """Return a value's text, its sorted numbers where it is one, and its structures."""
        text = self._group.values[value]
        column = self._past.entering.columns[text]
        numbers = None if isinstance(column, Codes) else np.unique(column)
        codes, enters = coded(column), self._past.entering.enters[condition]
        previous = previous_positions(codes.codes, enters, self._past.start, codes.count)
        positions, code_start = occurrences(codes.codes, enters, codes.count)
        return text, numbers, (previous, sorted_blocks(previous), positions, code_start)

    def compute(self, inputs: KernelInputs, seen: PastRanges) -> FloatArray:
        group = self._group
        found = np.empty((group.range_of.size, inputs.ranges.reader_arrival.size))
        for rows, text, numbers, structures in self._prepared:
            column = inputs.entering.columns[text]
            past_code = seen.codes[text] if numbers is None else _places(column, numbers)
            found[rows] = kernels.distinct_counts_after(
                *self._single(inputs),
                group.range_of[rows],
                inputs.entering.enters,
                group.enters_of[rows],
                coded(column).codes,
                past_code,
                seen.low,
                seen.high,
                *structures,
            )
        return found


def _places(column: FloatArray | Codes, numbers: FloatArray) -> IntArray:
    """Return the place of each distinct number of a column in sorted numbers, -1 where none."""
    own = np.unique(np.asarray(column))
    places = np.searchsorted(numbers, own)
    is_there = np.append(numbers, np.nan)[places] == own
    return np.where(is_there, places, -1)


class _Seconds(PreparedGroup[Seconds]):
    def compute(self, inputs: KernelInputs, seen: PastRanges) -> FloatArray:
        group, order, past = self._group, inputs.order, self._past
        return kernels.seconds_since_after(
            *self._single(inputs),
            group.range_of,
            inputs.entering.enters,
            group.enters_of,
            order.time_us,
            order.time_us[order.readers],
            group.of_first,
            seen.low,
            seen.high,
            past.entering.enters,
            past.time_us,
            past.last_before,
            past.first_from,
        )


class _FraudShares(PreparedGroup[FraudShares]):
    def compute(self, inputs: KernelInputs, seen: PastRanges) -> FloatArray:
        group, order, past = self._group, inputs.order, self._past
        return kernels.fraud_shares_after(
            *self._single(inputs),
            group.range_of,
            inputs.entering.enters,
            group.enters_of,
            order.time_us[order.readers],
            *inputs.labels,
            seen.low,
            seen.high,
            past.entering.enters,
            past.entering_before,
            seen.frauds.positions,
            seen.frauds.known_us,
        )


_PREPARED: dict[type[Group], type[PreparedGroup[Any]]] = {
    Counts: _Counts,
    Sums: _Sums,
    Extremes: _Extremes,
    DistinctCounts: _DistinctCounts,
    Seconds: _Seconds,
    FraudShares: _FraudShares,
}


def prepare(group: Group, past: PastEvents) -> PreparedGroup[Any]:
    """Return a group of windows with the structures that it reads of past events."""
    return _PREPARED[type(group)](group, past)
