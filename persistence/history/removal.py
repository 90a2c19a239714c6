"""Remove the past events of a tenant's entities."""

from __future__ import annotations

from sqlalchemy import Engine, delete

from persistence.actor import Actor
from persistence.tables.history import EntityEventRow, EntityFraudRow, EntitySegmentRow
from persistence.tenancy import tenant_transaction


def remove_history(engine: Engine, tenant_id: int, actor: Actor) -> int:
    """Delete every past event of a tenant, which the owner of the tables may; return how many.

    Decisions stay. An event type that replaces another one may give the same names to other things,
    whose past must not mix.

    Raises:
        StoreUnavailable: Postgres is unreachable or the connection broke.
    """
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        segments = delete(EntitySegmentRow).where(EntitySegmentRow.tenant_id == tenant_id)
        in_segments = connection.execute(segments.returning(EntitySegmentRow.events)).scalars()
        removed = sum(in_segments)
        single = delete(EntityEventRow).where(EntityEventRow.tenant_id == tenant_id)
        removed += int(connection.execute(single).rowcount)
        connection.execute(delete(EntityFraudRow).where(EntityFraudRow.tenant_id == tenant_id))
        return removed
