"""Tenants' event types: versions, of which the newest is in force.

A tenant without one sends PaySim's transactions. A trigger notifies the listeners of
`persistence.policies` when a version is committed (migration 0012).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, func, insert, select, text, true

from persistence.actor import Actor
from persistence.engine import transaction
from persistence.tables.event_types import EventTypeRow
from persistence.tables.tenants import TenantRow
from persistence.tenancy import see_all_tenants, tenant_transaction
from scoring.errors import FieldError, IncompatibleEventType, InvalidEventType, SentinelError
from scoring.event_type.compatibility import Change, changes
from scoring.event_type.document import from_document, to_document
from scoring.event_type.fields import EventType
from scoring.transaction import PAYSIM

_LOCK = text("SELECT pg_advisory_xact_lock(:purpose, hashint8(:tenant_id))")
_LOCK_PURPOSE = 0x53E49
"""First number of the advisory locks of event types; policies have another one."""


@dataclass(frozen=True, slots=True)
class StoredEventType:
    """A version of a tenant's event type.

    Attributes:
        id: number that grows from one to the next; an event names the one that it was sent by.
        version: 1, 2, 3 ... in the tenant.
        event_type: its fields.
        actor: name of the API key or of the user.
        created_at: time at which it came into force.
    """

    id: int
    version: int
    event_type: EventType
    actor: str
    created_at: datetime


class UnreadableEventType(SentinelError):
    """A tenant's stored event type is not one of this release."""


_COLUMNS = (
    EventTypeRow.id,
    EventTypeRow.version,
    EventTypeRow.document,
    EventTypeRow.actor,
    EventTypeRow.created_at,
)


def apply_event_type(
    connection: Connection,
    tenant_id: int,
    event_type: EventType,
    actor: Actor,
    *,
    replace: bool = False,
) -> tuple[StoredEventType, tuple[Change, ...]]:
    """Put a version of a tenant's event type in force; the one in force again changes nothing.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor.
        tenant_id: tenant whose event type it is.
        event_type: event type in force from now on.
        actor: person or caller who applies it.
        replace: whether a change is allowed with which earlier events are no longer valid.

    Returns:
        The version in force, and its changes from the one before: none of the first one.

    Raises:
        IncompatibleEventType: a change is not compatible, and `replace` is not given.
    """
    connection.execute(_LOCK, {"purpose": _LOCK_PURPOSE, "tenant_id": tenant_id})
    before = newest_event_type(connection, tenant_id)
    changed = changes(before.event_type, event_type) if before else ()
    incompatible = [change for change in changed if not change.is_compatible]
    if incompatible and not replace:
        raise IncompatibleEventType(
            tuple(FieldError(_path(change), change.sentence) for change in incompatible)
        )
    if before and before.event_type == event_type:
        return before, ()
    newest = (
        select(func.coalesce(func.max(EventTypeRow.version), 0) + 1)
        .where(EventTypeRow.tenant_id == tenant_id)
        .scalar_subquery()
    )
    statement = (
        insert(EventTypeRow)
        .values(
            tenant_id=tenant_id,
            version=newest,
            document=to_document(event_type),
            actor=actor.name,
        )
        .returning(*_COLUMNS)
    )
    return _stored(*connection.execute(statement).one()), changed


def _path(change: Change) -> str:
    if change.field is None:
        return change.what
    path = f"fields.{change.field}"
    return path if change.what in ("added", "removed") else f"{path}.{change.what}"


def newest_event_type(connection: Connection, tenant_id: int) -> StoredEventType | None:
    """Return a tenant's event type in force; None where it sends PaySim's transactions.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose event type is read.

    Raises:
        UnreadableEventType: the stored document is not one of this release.
    """
    statement = (
        select(*_COLUMNS)
        .where(EventTypeRow.tenant_id == tenant_id)
        .order_by(EventTypeRow.id.desc())
        .limit(1)
    )
    row = connection.execute(statement).one_or_none()
    return _stored(*row) if row else None


def list_event_types(engine: Engine, tenant_id: int) -> list[StoredEventType]:
    """Return every version of a tenant's event type, the newest first."""
    statement = (
        select(*_COLUMNS)
        .where(EventTypeRow.tenant_id == tenant_id)
        .order_by(EventTypeRow.id.desc())
    )
    with tenant_transaction(engine, tenant_id) as connection:
        return [_stored(*row) for row in connection.execute(statement)]


def current_event_type(engine: Engine, tenant_id: int) -> StoredEventType | None:
    """Return what `newest_event_type` does, in a transaction of its own."""
    with tenant_transaction(engine, tenant_id) as connection:
        return newest_event_type(connection, tenant_id)


def current_event_types(engine: Engine) -> dict[int, StoredEventType | UnreadableEventType]:
    """Return the event types in force by tenant, for all tenants that have one.

    A document that cannot be read is that tenant's UnreadableEventType.
    """
    newest = (
        select(*_COLUMNS)
        .where(EventTypeRow.tenant_id == TenantRow.id)
        .order_by(EventTypeRow.id.desc())
        .limit(1)
        .lateral("newest")
    )
    statement = select(TenantRow.id.label("tenant_id"), newest).join(newest, true())
    stored: dict[int, StoredEventType | UnreadableEventType] = {}
    with transaction(engine) as connection:
        see_all_tenants(connection)
        for tenant_id, *row in connection.execute(statement):
            try:
                stored[tenant_id] = _stored(*row)
            except UnreadableEventType as error:
                stored[tenant_id] = error
    return stored


def _stored(
    id_: int, version: int, document: object, actor: str, created_at: datetime
) -> StoredEventType:
    try:
        event_type = from_document(document)
    except InvalidEventType as error:
        raise UnreadableEventType(
            f"Version {version} of the stored event type cannot be read: {error}"
        ) from error
    # The object itself: `is PAYSIM` selects the contract of PaySim's transactions.
    kept = PAYSIM if event_type == PAYSIM else event_type
    return StoredEventType(id_, version, kept, actor, created_at)
