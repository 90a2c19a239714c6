"""The numbered changes of a tenant's rules and lists.

Whoever changes anything takes the tenant's next number under a lock that is held until the commit.
So numbers become visible in order: a reader that sees change n sees every change before it, and a
row is in force at n if a change up to n added it and none up to n ended it.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, Engine, func, insert, or_, select, text, true
from sqlalchemy.orm import InstrumentedAttribute

from persistence.engine import transaction
from persistence.tables.rules import RuleChangeRow
from persistence.tables.tenants import TenantRow
from persistence.tenancy import see_all_tenants

_LOCK = text("SELECT pg_advisory_xact_lock(:purpose, hashint8(:tenant_id))")
_LOCK_PURPOSE = 0x53E4A
"""First number of the advisory locks of rules; policies and event types have others."""


def next_change(connection: Connection, tenant_id: int) -> int:
    """Return the number of a new change; other changes of the tenant wait until it is committed.

    A trigger notifies the listeners of `persistence.policies` at the commit.

    Args:
        connection: connection inside a `tenant_transaction` of whoever makes the change.
        tenant_id: tenant whose rules or lists are about to change.
    """
    connection.execute(_LOCK, {"purpose": _LOCK_PURPOSE, "tenant_id": tenant_id})
    newest = select(func.coalesce(func.max(RuleChangeRow.id), 0) + 1).where(
        RuleChangeRow.tenant_id == tenant_id
    )
    statement = (
        insert(RuleChangeRow)
        .values(tenant_id=tenant_id, id=newest.scalar_subquery())
        .returning(RuleChangeRow.id)
    )
    return connection.execute(statement).scalar_one()


def newest_change(connection: Connection, tenant_id: int) -> int:
    """Return the number of a tenant's newest change; 0 where there never was one.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose changes are counted.
    """
    newest = select(func.coalesce(func.max(RuleChangeRow.id), 0)).where(
        RuleChangeRow.tenant_id == tenant_id
    )
    return connection.execute(newest).scalar_one()


def newest_changes(engine: Engine) -> dict[int, int]:
    """Return the number of the newest change by tenant, for all tenants that have one."""
    newest = (
        select(RuleChangeRow.id)
        .where(RuleChangeRow.tenant_id == TenantRow.id)
        .order_by(RuleChangeRow.id.desc())
        .limit(1)
        .lateral("newest")
    )
    statement = select(TenantRow.id.label("tenant_id"), newest.c.id).join(newest, true())
    with transaction(engine) as connection:
        see_all_tenants(connection)
        return dict(connection.execute(statement).tuples().all())


def in_force_at(
    number: int,
    added: InstrumentedAttribute[int],
    ended: InstrumentedAttribute[int | None],
) -> ColumnElement[bool]:
    """Return the condition of the rows that are in force after a change.

    Args:
        number: change.
        added: column of the change that added a row.
        ended: column of the change that ended it.
    """
    return (added <= number) & or_(ended.is_(None), ended > number)
