"""The windows of events that are about to be scored, from the past that Postgres keeps.

Training computes the same windows over a file with the same code
(`scoring/windows/point_in_time.py`), so that a feature has the same bits in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import numpy as np
from sqlalchemy import Engine

from persistence.history.reader import EntitySpan, Past, StoredEvent, read_past
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
NOTHING = Past([], frozenset())
"""Past of events without an entity."""


class History:
    """Reads the past events of entities and computes windows of them.

    Args:
        engine: database pool of the payment path.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def windows(
        self,
        tenant_id: int,
        features: ModelFeatures,
        events: Sequence[AnyEvent],
        *,
        are_new: bool = True,
    ) -> list[FloatArray]:
        """Return the windows of n events.

        Args:
            tenant_id: tenant whose events they are.
            features: features whose windows are computed.
            events: n >= 1 events of an event type with a time, by arrival.
            are_new: whether the events are about to be stored, so that each sees those before it.
                One whose external id is stored already, or is that of an event before it, will
                not be: it is not seen, and its values are missing, since the decision that is
                stored answers it.

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
        # No row comes after a single one.
        ids = [e.external_id for e in own if e.external_id] if are_new and len(own) > 1 else []
        past = read_past(self._engine, tenant_id, wanted, ids) if wanted or ids else NOTHING
        rows = _first_of_each_id(own, past.stored_ids)
        found = iter(past.of_entities)
        values: dict[WindowDefinition, FloatArray] = {}
        for entity, windows in groups.items():
            of_key = {span.key: next(found) for span in spans[entity]}
            together = [rows] if are_new else _without_common_key(own, entity)
            values |= _computed(features, windows, of_key, own, together)
        return [values[window] for window in features.windows]


def _first_of_each_id(events: Sequence[Event], stored_ids: Set[str]) -> list[int]:
    """Return the rows of the events that will be stored, of which a repeated one is none."""
    rows, seen = [], set(stored_ids)
    for row, event in enumerate(events):
        if event.external_id is None or event.external_id not in seen:
            rows.append(row)
        if event.external_id is not None:
            seen.add(event.external_id)
    return rows


def _without_common_key(events: Sequence[Event], entity: str) -> list[list[int]]:
    """Return the rows in parts in which no two events have the same entity."""
    parts: list[list[int]] = []
    counts: dict[object, int] = {}
    for row, event in enumerate(events):
        key = event.values.get(entity)
        part = 0 if key is None else counts.get(key, 0)
        counts[key] = part + 1
        if part == len(parts):
            parts.append([])
        parts[part].append(row)
    return parts


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
    past: Mapping[str, Sequence[StoredEvent]],
    events: Sequence[Event],
    parts: Sequence[Sequence[int]],
) -> dict[WindowDefinition, FloatArray]:
    """Compute windows over one entity field.

    Args:
        features: features whose windows are computed.
        windows: windows over the field, or over a pair that begins with it.
        past: stored events by the entity's id.
        events: n events by arrival.
        parts: rows of events; each event sees the stored ones, and those before it in its part.

    Returns:
        Values by window, float64 (n,), missing where a row is in no part.
    """
    values = {window: np.full(len(events), np.nan) for window in windows}
    entity = windows[0].by[0]
    for rows in parts:
        if not rows:
            continue
        own = [events[row] for row in rows]
        keys = dict.fromkeys(event.values.get(entity) for event in own)
        stored = [one for key in keys if key is not None for one in past[str(key)]]
        for window, computed in _over(features, windows, stored, own).items():
            values[window][rows] = computed
    return values


def _over(
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
