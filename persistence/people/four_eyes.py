"""Whether a tenant asks for a second person at all."""

from __future__ import annotations

from sqlalchemy import Engine, or_, select

from persistence.tables.tenants import TenantRow
from persistence.tenancy import tenant_transaction


def asks_for_four_eyes(engine: Engine, tenant_id: int) -> bool:
    """Return whether a tenant's versions or policies need a second person's approval.

    Args:
        engine: pool of connections.
        tenant_id: tenant.
    """
    statement = select(or_(TenantRow.four_eyes, TenantRow.four_eyes_policy)).where(
        TenantRow.id == tenant_id
    )
    with tenant_transaction(engine, tenant_id) as connection:
        return bool(connection.execute(statement).scalar_one())
