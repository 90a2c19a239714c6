"""The windows of events that are about to be scored, from the past that Postgres keeps.

Training computes the same windows over a file with the same code
(`scoring/windows/point_in_time.py`), so that a feature has the same bits in both.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from typing import NamedTuple, Protocol

import numpy as np
from sqlalchemy import Engine

from persistence.history.folding import FOLD_FROM
from persistence.history.reader import EntitySpan, read_history
from scoring.columns import BoolArray, FloatArray
from scoring.event import AnyEvent
from scoring.event_type.event import Event
from scoring.event_type.records import record_of
from scoring.feature_set.entity_windows import EntityWindows
from scoring.feature_set.history_windows import PastWindows
from scoring.windows.fraud_times import FRAUD_BYTES
from scoring.windows.records import NO_ID, EntityPast
from serving.prepared_entities import PREPARE_FROM, PreparedEntities, PreparedPast

MANY_FRAUDS_BYTES = 256 * FRAUD_BYTES
"""Changes of frauds from which the past of an entity is prepared again."""


class Folder(Protocol):
    """What moves the recent events of entities to their segments."""

    def add(self, tenant_id: int, entities: Collection[tuple[str, str]]) -> None:
        """Move the events of some entities of a tenant, soon."""


class _Entity(NamedTuple):
    """An entity of a batch, with the windows by it and its past where that is prepared."""

    windows: EntityWindows
    span: EntitySpan
    prepared: PreparedPast | None


class History:
    """Reads the past events of entities and computes windows of them.

    Args:
        engine: database pool of the payment path.
        folder: receiver of the entities that have many recent events.
        prepared: past events of entities that have very many.
        prepare_from: number of events that are read of an entity from which it is prepared.
    """

    def __init__(
        self,
        engine: Engine,
        folder: Folder,
        prepared: PreparedEntities,
        prepare_from: int = PREPARE_FROM,
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._prepared = prepared
        self._prepare_from = prepare_from

    def windows(
        self,
        tenant_id: int,
        asked: PastWindows,
        events: Sequence[AnyEvent],
        *,
        are_new: bool = True,
    ) -> list[FloatArray]:
        """Return the windows of n events.

        Args:
            tenant_id: tenant whose events they are.
            asked: windows that are computed.
            events: n >= 1 events of an event type with a time, by arrival.
            are_new: whether the events are about to be stored, so that each sees those before it.
                One whose external id is stored already, or is that of an event before it, will not
                be, so it is not seen.

        Returns:
            Values of each window, float64 (n,), in the order of `asked.windows`. None is read
            where there are none.

        Raises:
            StoreUnavailable: Postgres is unreachable, or the connection broke.
        """
        if not asked.windows:
            return []
        own = [event for event in events if isinstance(event, Event)]
        entities = [
            _Entity(one, EntitySpan(one.entity, key, *span), prepared)
            for one in asked.by_entity
            for key, span in one.spans(own).items()
            for prepared in [self._prepared.get(tenant_id, one, key, span[0])]
        ]
        spans = [
            one.span._replace(known=one.prepared.known) if one.prepared else one.span
            for one in entities
        ]
        # No event comes after a single one.
        has_others = are_new and len(own) > 1
        past = read_history(
            self._engine,
            tenant_id,
            spans,
            with_frauds=asked.has_frauds,
            external_ids=[e.external_id for e in own if e.external_id] if has_others else (),
        )
        if past.removed:
            for i in past.removed:
                self._prepared.remove(tenant_id, entities[i].windows, entities[i].span.key)
            return self.windows(tenant_id, asked, events, are_new=are_new)
        self._fold(tenant_id, spans, past.entities)
        for entity, found in zip(entities, past.entities, strict=True):
            has_many_changes = entity.prepared and len(found.frauds) >= MANY_FRAUDS_BYTES
            if found.events >= self._prepare_from or has_many_changes:
                span = entity.span
                self._prepared.want(tenant_id, entity.windows, span.key, span.since_us)
        is_seen = _first_of_each_id(own, past.stored_ids) if are_new else np.zeros(len(own), bool)
        records = [NO_ID + record_of(event) for event in own]
        values = np.empty((len(asked.windows), len(own)))
        for one in asked.by_entity:
            places = [i for i, entity in enumerate(entities) if entity.windows is one]
            values[one.places] = one.values(
                [past.entities[i] for i in places],
                [entities[i].span.key for i in places],
                [prepared.entity if (prepared := entities[i].prepared) else None for i in places],
                own,
                records,
                is_seen,
            )
        return list(values)

    def _fold(
        self, tenant_id: int, spans: Sequence[EntitySpan], past: Sequence[EntityPast]
    ) -> None:
        entities = [
            (span.entity, span.key)
            for span, found in zip(spans, past, strict=True)
            if found.recent >= FOLD_FROM
        ]
        if entities:
            self._folder.add(tenant_id, entities)


def _first_of_each_id(events: Sequence[Event], stored_ids: Set[str]) -> BoolArray:
    """Return which events will be stored; one that is sent again will not."""
    seen = set(stored_ids)
    is_first = np.ones(len(events), np.bool_)
    for row, event in enumerate(events):
        if event.external_id is not None:
            is_first[row] = event.external_id not in seen
            seen.add(event.external_id)
    return is_first
