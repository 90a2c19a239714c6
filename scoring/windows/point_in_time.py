"""Compute windows of past events as each event would have seen them when it arrived.

For an event at time t, a window of length w with a delay d covers [t - w - d, t - d), where the
start is rounded down to a multiple of `hop_us(w)`. It sees every event that arrived earlier, has
the same key, meets the condition, and whose time lies inside: never the event itself, and never
one of the same time. A label counts if it became known by t.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from scoring.columns import FloatArray
from scoring.windows.definition import WindowDefinition
from scoring.windows.entity_plan import EntityPlan, PreparedWindows, ReadersPast
from scoring.windows.events import Events
from scoring.windows.ranges import EntityOrder, entity_order

_ZERO_WHERE_EMPTY = ("count", "sum", "distinct")


class WindowPlan:
    """Computes windows together; made once for a feature set.

    Args:
        definitions: windows, without repetition.
    """

    def __init__(self, definitions: Sequence[WindowDefinition]) -> None:
        zeros = [one.function in _ZERO_WHERE_EMPTY for one in definitions]
        self._empty = np.where(zeros, 0.0, np.nan).reshape(-1, 1)
        places: dict[tuple[str, ...], list[int]] = {}
        for place, one in enumerate(definitions):
            places.setdefault(one.by, []).append(place)
        self._entities = [
            (np.array(of_entity), EntityPlan(by, [definitions[place] for place in of_entity]))
            for by, of_entity in places.items()
        ]

    def values(self, events: Events, first_reader: int = 0) -> FloatArray:
        """Return the value of each window for each event that is a reader.

        It takes about 0.1 us for an event and a window where the events of an entity arrived in
        order of time. Otherwise it takes time in proportion to the events in each window, so a file
        whose rows are in no meaningful order is sorted by time first.

        Args:
            events: n events by arrival.
            first_reader: row from which on events are readers; those before are only seen.

        Returns:
            A row for each window, float64 (windows, n - first_reader), NaN where missing. count,
            sum and distinct of an empty window are 0, all others are missing. A missing key sees an
            empty window.
        """
        return self._each(events, first_reader, lambda plan, order: plan.values(events, order))

    def prepare(self, events: Events) -> dict[tuple[str, ...], PreparedWindows]:
        """Return windows with the structures that they read of past events, by their `by`.

        Args:
            events: m past events of one entity by arrival, whose keys are codes from 0 up.
        """
        return {plan.by: plan.prepare(events) for _, plan in self._entities}

    def values_after(
        self,
        prepared: Mapping[tuple[str, ...], PreparedWindows],
        readers_past: Mapping[tuple[str, ...], ReadersPast],
        events: Events,
        first_reader: int,
    ) -> FloatArray:
        """Return the values as `values` does, of an entity whose past is prepared.

        Args:
            prepared: past events, which arrived before `events`.
            readers_past: how the readers refer to them, by the windows' `by`.
            events: n events by arrival; all are of the entity.
            first_reader: row from which on events are readers; those before are only seen.
        """

        def of_plan(plan: EntityPlan, order: EntityOrder) -> FloatArray:
            return plan.values_after(prepared[plan.by], readers_past[plan.by], events, order)

        return self._each(events, first_reader, of_plan)

    def _each(
        self,
        events: Events,
        first_reader: int,
        of_plan: Callable[[EntityPlan, EntityOrder], FloatArray],
    ) -> FloatArray:
        values = np.repeat(self._empty, events.time_us.size - first_reader, axis=1)
        for places, plan in self._entities:
            order = entity_order(events.time_us, events.keys[plan.by], first_reader)
            if order.readers.size:
                rows = order.arrival[order.readers] - first_reader
                values[places[:, np.newaxis], rows] = of_plan(plan, order)
        return values
