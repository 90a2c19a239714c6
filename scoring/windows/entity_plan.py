"""The windows of one kind of entity, grouped by the kernel that computes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.columns import FloatArray
from scoring.windows.definition import WindowDefinition, hop_us
from scoring.windows.events import BoolArray, Codes, Events, IntArray
from scoring.windows.groups import GROUPS, EnteringEvents, Group, KernelInputs
from scoring.windows.prepared.groups import Frauds, PastEvents, PastRanges, PreparedGroup, prepare
from scoring.windows.prepared.kernels import past_bounds
from scoring.windows.ranges import EntityOrder, Ranges, window_bounds


@dataclass(frozen=True, slots=True)
class PreparedWindows:
    """The windows of one kind of entity, with the past events of one entity.

    Attributes:
        past: past events by key and time.
        groups: groups of windows, in the order of the plan's.
        position: position of each past event in that order, by arrival, (m,).
    """

    past: PastEvents
    groups: tuple[PreparedGroup[Any], ...]
    position: IntArray

    def frauds(self, rows: IntArray, known_us: IntArray) -> Frauds:
        """Return frauds by position.

        Args:
            rows: events that are known as frauds, by arrival, (f,).
            known_us: time at which each of them became known, in microseconds, (f,).
        """
        positions = self.position[rows]
        by_position = np.argsort(positions)[np.count_nonzero(positions < 0) :]
        return Frauds(positions[by_position], known_us[by_position])


@dataclass(frozen=True, slots=True)
class ReadersPast:
    """How readers refer to the prepared past of their entity.

    Attributes:
        keys: key that the past has for each reader in the order of arrival, -1 where none, (k,).
        codes: as in `PastRanges`.
        frauds: its events that are known as frauds.
    """

    keys: IntArray
    codes: dict[str, IntArray]
    frauds: Frauds


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
        members: dict[type[Group], list[int]] = {}
        for place, one in enumerate(definitions):
            members.setdefault(GROUPS[one.function], []).append(place)
        self._groups: list[tuple[IntArray, Group]] = []
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

    def prepare(self, events: Events) -> PreparedWindows:
        """Return the windows with the structures that they read of past events.

        Args:
            events: m past events of one entity by arrival, whose keys are codes from 0 up.
        """
        keys = events.keys[self.by]
        arrival = np.lexsort((events.time_us, keys))[np.count_nonzero(keys < 0) :]
        start = np.searchsorted(keys[arrival], np.arange(keys.max(initial=-1) + 2))
        past = PastEvents(events.time_us[arrival], start, self._entering_events(events, arrival))
        position = np.full(keys.size, -1)
        position[arrival] = np.arange(arrival.size)
        groups = tuple(prepare(group, past) for _, group in self._groups)
        return PreparedWindows(past, groups, position)

    def values_after(
        self,
        prepared: PreparedWindows,
        readers_past: ReadersPast,
        events: Events,
        order: EntityOrder,
    ) -> FloatArray:
        """Return the values of the windows as `values` does, of an entity whose past is prepared.

        Args:
            prepared: past events, which arrived before `events`.
            readers_past: how the readers refer to them.
            events: single events by arrival; all are of the entity.
            order: the same events by entity and time, with k >= 1 readers.
        """
        inputs = self._inputs(events, order)
        past = prepared.past
        first_reader = events.time_us.size - readers_past.keys.size
        low, high = past_bounds(
            past.time_us,
            past.start,
            readers_past.keys[inputs.ranges.reader_arrival - first_reader],
            order.time_us[order.readers],
            self._lengths_us,
            self._delays_us,
            self._hops_us,
        )
        seen = PastRanges(low, high, readers_past.frauds, readers_past.codes)
        values = np.empty((self._count, order.readers.size))
        for (places, _), group in zip(self._groups, prepared.groups, strict=True):
            values[places] = group.compute(inputs, seen)
        return values

    def _entering_events(self, events: Events, arrival: IntArray) -> EnteringEvents:
        columns: dict[str, FloatArray | Codes] = {}
        is_known: dict[str, BoolArray] = {}
        for name in {value for _, value in self._entering if value is not None}:
            columns[name], is_known[name] = _in_order(events.values[name], arrival)
        enters = np.ones((len(self._entering), arrival.size), np.bool_)
        if events.is_seen is not None:
            enters[:] = events.is_seen[arrival]
        for row, (where, value) in zip(enters, self._entering, strict=True):
            if value is not None:
                row &= is_known[value]
            if where is not None:
                row &= events.conditions[where][arrival]
        return EnteringEvents(enters, columns)

    def _inputs(self, events: Events, order: EntityOrder) -> KernelInputs:
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
        entering = self._entering_events(events, order.arrival)
        return KernelInputs(events, order, ranges, entering)


def _range(window: WindowDefinition) -> tuple[int, int]:
    return window.length_us, window.delay_us


def _entering(window: WindowDefinition) -> tuple[str | None, str | None]:
    return window.where, window.value


def _in_order(value: FloatArray | Codes, arrival: IntArray) -> tuple[FloatArray | Codes, BoolArray]:
    """Return a value of the ordered events, and where it is known."""
    if isinstance(value, Codes):
        codes = value.codes[arrival]
        return Codes(codes, value.count), codes >= 0
    numbers = value[arrival] + 0.0  # -0.0 becomes 0.0
    is_finite = np.isfinite(numbers)
    numbers[~is_finite] = 0.0
    return numbers, is_finite
