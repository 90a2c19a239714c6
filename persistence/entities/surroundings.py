"""What stands around one transaction: the history of its entities, and what its ruling names."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Engine

from persistence.decisions.rows import Decided
from persistence.entities.events import (
    EntityEvent,
    EntityPlaces,
    following_ids,
    newest_ids,
    places_of,
    read_entity_events,
)
from persistence.review.cases import Case, read_cases
from persistence.rules.memberships import (
    Membership,
    RulingNames,
    lists_of_entity,
    memberships_of,
    ruling_names,
)
from persistence.tenancy import tenant_transaction
from scoring.event import AnyEvent
from scoring.event_type.fields import Field
from scoring.lists.entity_list import EntityList

MAX_ENTITIES = 4
"""Entities of an event whose history is read: who pays and who receives first."""
MAX_BEFORE = 100
"""Events of each entity, up to the transaction, that are read."""
MAX_AFTER = 30
"""Events of each entity after the transaction that are read."""
MAX_EARLIER = 30
"""Earlier events of the payer whose features are compared."""
_ROLES = ("payer", "payee")


@dataclass(frozen=True, slots=True)
class EntityHistory:
    """An entity of a transaction, with its events around that one.

    Attributes:
        field: field that holds the entity.
        entity: slug of what the entity is.
        key: the entity, as events have it.
        places: where events hold the kind of entity.
        events: events up to the transaction, at most MAX_BEFORE, and those that follow, at most
            MAX_AFTER, the newest first.
        has_more: whether there are others.
        memberships: entries in force of it.
        lists: lists in force of its kind.
    """

    field: Field
    entity: str
    key: str
    places: EntityPlaces
    events: tuple[EntityEvent, ...]
    has_more: bool
    memberships: tuple[Membership, ...]
    lists: tuple[EntityList, ...]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around a transaction.

    Attributes:
        histories: its entities, each once, who pays and who receives first.
        earlier: payer's newest events before it that the same model version scored.
        names: rules and list entries that its ruling names.
    """

    histories: tuple[EntityHistory, ...]
    earlier: tuple[Case, ...]
    names: RulingNames


def read_surroundings(engine: Engine, tenant_id: int, decided: Decided) -> Surroundings:
    """Return what stands around a transaction.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose transaction it is.
        decided: transaction with its decision.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        histories = tuple(
            _history(connection, tenant_id, decided, field, key)
            for field, key in _entities(decided.transaction)
        )
        ruling = decided.prediction.ruling
        return Surroundings(
            histories,
            tuple(_earlier(connection, tenant_id, decided, histories)),
            ruling_names(connection, tenant_id, ruling),
        )


def _entities(event: AnyEvent) -> list[tuple[Field, str]]:
    """Return the entities of an event with the field of each, each entity once."""
    values = event.document()
    fields = [field for field in event.event_type.kept.values() if field.entity]
    fields.sort(key=lambda f: _ROLES.index(f.role) if f.role in _ROLES else len(_ROLES))
    found: dict[tuple[str | None, str], Field] = {}
    for field in fields:
        if values.get(field.name) is not None:
            found.setdefault((field.entity, str(values[field.name])), field)
    return [(field, key) for (_, key), field in found.items()][:MAX_ENTITIES]


def _history(
    connection: Connection, tenant_id: int, decided: Decided, field: Field, key: str
) -> EntityHistory:
    entity = field.entity or ""
    places = places_of(decided.transaction.event_type, entity)
    here = decided.transaction_id
    earlier = newest_ids(connection, tenant_id, places, key, limit=MAX_BEFORE, before=here)
    later = following_ids(connection, tenant_id, places, key, limit=MAX_AFTER + 1, after=here)
    ids = [*reversed(later[:MAX_AFTER]), here, *earlier[: MAX_BEFORE - 1]]
    return EntityHistory(
        field=field,
        entity=entity,
        key=key,
        places=places,
        events=tuple(read_entity_events(connection, tenant_id, ids)),
        has_more=len(earlier) == MAX_BEFORE or len(later) > MAX_AFTER,
        memberships=tuple(memberships_of(connection, tenant_id, entity, key)),
        lists=tuple(lists_of_entity(connection, tenant_id, entity)),
    )


def _earlier(
    connection: Connection,
    tenant_id: int,
    decided: Decided,
    histories: tuple[EntityHistory, ...],
) -> list[Case]:
    """Return the payer's payments before the transaction, as the same model version saw them."""
    payer = decided.transaction.payer
    ids: list[UUID] = [
        event.id
        for history in histories
        if history.field.role == "payer"
        for event in history.events
        if event.payer == payer and event.id < decided.transaction_id
    ]
    cases = read_cases(connection, tenant_id, ids[:MAX_EARLIER])
    prediction = decided.prediction
    return [
        case
        for case in cases
        if case.decided.prediction.model == prediction.model
        and case.decided.prediction.described.names == prediction.described.names
    ]
