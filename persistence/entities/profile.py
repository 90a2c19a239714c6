"""The profile of one entity: its newest events, and the lists that hold it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine

from persistence.access_log import account_object, log_access
from persistence.actor import Actor
from persistence.entities.events import (
    EntityEvent,
    EntityPlaces,
    first_seen,
    newest_ids,
    places_of,
    read_entity_events,
)
from persistence.review.cases import Page, cut
from persistence.rules.memberships import Membership, lists_of_entity, memberships_of
from persistence.rules.names import event_type_in_force
from persistence.tenancy import tenant_transaction
from scoring.errors import NotFound
from scoring.event_type.fields import EventType
from scoring.lists.entity_list import EntityList

MAX_EVENTS = 1000
"""Newest events of an entity that its figures are made of."""


@dataclass(frozen=True, slots=True)
class EntityProfile:
    """An entity as its tenant knows it.

    Attributes:
        entity: slug of what the entity is.
        key: the entity, as events have it.
        event_type: event type in force.
        places: where its events hold the kind of entity.
        events: newest events, at most MAX_EVENTS.
        has_more: whether there are earlier events than those.
        first: when it was seen first; None without an event.
        page: page of its events.
        memberships: entries in force of it.
        lists: lists in force of its kind.
    """

    entity: str
    key: str
    event_type: EventType
    places: EntityPlaces
    events: tuple[EntityEvent, ...]
    has_more: bool
    first: datetime | None
    page: Page[EntityEvent, UUID]
    memberships: tuple[Membership, ...]
    lists: tuple[EntityList, ...]


def read_profile(
    engine: Engine,
    tenant_id: int,
    entity: str,
    key: str,
    *,
    reader: Actor,
    limit: int,
    before: UUID | None = None,
) -> EntityProfile:
    """Return the profile of an entity; one that no event has is without events.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose events are read.
        entity: slug of what the entity is.
        key: the entity, as events have it.
        reader: person whom the access log names.
        limit: most events of the page.
        before: id of the last event of the page before; None for the first page.

    Raises:
        NotFound: the tenant's event type has no such kind of entity.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        event_type = event_type_in_force(connection, tenant_id)
        places = places_of(event_type, entity)
        if not places:
            raise NotFound(f"The event type has no entity {entity!r}.")
        ids = newest_ids(connection, tenant_id, places, key, limit=MAX_EVENTS + 1)
        newest, last = cut(ids, MAX_EVENTS)
        events = read_entity_events(connection, tenant_id, newest)
        if before is None:
            _, end = cut(ids, limit)
            page = Page(events[:limit], end)
        else:
            ids_of_page = newest_ids(
                connection, tenant_id, places, key, limit=limit + 1, before=before
            )
            shown, end = cut(ids_of_page, limit)
            page = Page(read_entity_events(connection, tenant_id, shown), end)
        first = first_seen(connection, tenant_id, places, key)
        log_access(
            connection,
            tenant_id,
            reader,
            "transactions.searched",
            account_object(key),
            {"filter": {"entity": entity, "account": key}, "rows": len(events)},
        )
        return EntityProfile(
            entity=entity,
            key=key,
            event_type=event_type,
            places=places,
            events=tuple(events),
            has_more=last is not None,
            first=first,
            page=page,
            memberships=tuple(memberships_of(connection, tenant_id, entity, key)),
            lists=tuple(lists_of_entity(connection, tenant_id, entity)),
        )
