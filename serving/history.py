"""The windows of events that are about to be scored, from the past that Postgres keeps.

Training computes the same windows over a file with the same code
(`scoring/windows/point_in_time.py`), so that a feature has the same bits in both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sqlalchemy import Engine

from persistence.history.reader import EntitySpan, StoredEvent, read_history
from scoring.columns import FloatArray
from scoring.event import AnyEvent
from scoring.event_type.event import Event, stored_event
from scoring.feature_set.model_features import ModelFeatures
from scoring.feature_set.window_inputs import window_events
from scoring.windows.definition import WindowDefinition, bounds_us
from scoring.windows.events import Labels
from scoring.windows.point_in_time import window_values

NEVER_US = np.iinfo(np.int64).max
"""Time at which a label became known that did not."""


class History:
    """Reads the past events of entities and computes windows of them.

    Args:
        engine: database pool of the payment path.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def windows(
        self, tenant_id: int, features: ModelFeatures, events: Sequence[AnyEvent]
    ) -> list[FloatArray]:
        """Return the windows of n events, which see each other in order.

        Args:
            tenant_id: tenant whose events they are.
            features: features whose windows are computed.
            events: n >= 1 events of an event type with a time, by arrival.

        Returns:
            Values of each window, float64 (n,), in the order of `features.windows`. None is read
            for features without windows.

        Raises:
            StoreUnavailable: Postgres is unreachable, or the connection broke.
        """
        if not features.windows:
            return []
        own = [event for event in events if isinstance(event, Event)]
        # A window over a pair reads the past of its first entity.
        groups: dict[str, list[WindowDefinition]] = {}
        for window in features.windows:
            groups.setdefault(window.by[0], []).append(window)
        spans = {entity: _spans(entity, windows, own) for entity, windows in groups.items()}
        wanted = [span for of_entity in spans.values() for span in of_entity]
        past = iter(read_history(self._engine, tenant_id, wanted) if wanted else [])
        values: dict[WindowDefinition, FloatArray] = {}
        for entity, windows in groups.items():
            found = [stored for _ in spans[entity] for stored in next(past)]
            values |= _computed(features, windows, found, own)
        return [values[window] for window in features.windows]


def _spans(
    entity: str, windows: Sequence[WindowDefinition], events: Sequence[Event]
) -> list[EntitySpan]:
    """Return the past of each entity of a field that windows of events see."""
    times: dict[str, list[int]] = {}
    for event in events:
        key = event.values.get(entity)
        if key is not None and event.time_us is not None:
            times.setdefault(str(key), []).append(event.time_us)
    spans = []
    for key, moments in times.items():
        first, last = min(moments), max(moments)
        since = min(bounds_us(first, w.length_us, w.delay_us)[0] for w in windows)
        spans.append(EntitySpan(entity, key, since, last))
    return spans


def _computed(
    features: ModelFeatures,
    windows: Sequence[WindowDefinition],
    stored: Sequence[StoredEvent],
    events: Sequence[Event],
) -> dict[WindowDefinition, FloatArray]:
    """Compute windows of events over stored ones, and over the events before each."""
    event_type = events[0].event_type
    type_id = events[0].type_id or 0
    # Fields that the features do not use are not read: earlier versions may have had others.
    used = set(features.compiled.fields)
    past = [
        stored_event(event_type, type_id, {k: v for k, v in one.fields.items() if k in used}, None)
        for one in stored
    ]
    everything = [*past, *events]
    time_us = np.array([*(one.time_us for one in stored), *(e.time_us for e in events)], np.int64)
    known_us = np.array(
        [
            *(NEVER_US if one.fraud_known_us is None else one.fraud_known_us for one in stored),
            *([NEVER_US] * len(events)),
        ],
        np.int64,
    )
    labels = Labels(known_us != NEVER_US, known_us)
    columns = features.columns_of(everything)
    inputs = window_events(features, columns, time_us, labels)
    return window_values(inputs, windows, first_reader=len(past))
