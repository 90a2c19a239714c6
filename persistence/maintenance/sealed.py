"""State in the sealed log what is about to be dropped, and delete the salts of its leaves.

The statement is stored before the first row goes, and sealed like any other row. The salts of the
rows go with them: without a salt, a commitment says nothing about the values.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from persistence.actor import Actor
from persistence.maintenance.partitions import Month
from persistence.tenancy import every_tenants_transaction

EXPIRING = ("decision", "feedback", "label")
"""Kinds of leaves whose rows retention deletes with the month of their transaction."""

_PAGE = 10_000
_STATE = text(
    """
    INSERT INTO seal_expiries (tenant_id, month, retain_months, actor, at)
    SELECT t.id, :month, :retain_months, :actor, :at FROM tenants t
    WHERE EXISTS (SELECT FROM seal_leaves l WHERE l.tenant_id = t.id)
    ON CONFLICT (tenant_id, month) DO NOTHING
    """
)
_FORGET = text(
    f"""
    WITH page AS MATERIALIZED (
        SELECT tenant_id, kind, key, position FROM seal_leaves
        WHERE tenant_id = :tenant_id AND kind = :kind AND key > :after AND key < :end
        ORDER BY key LIMIT {_PAGE}
    ), forgotten AS (
        UPDATE seal_leaves l SET salt = NULL FROM page
        WHERE l.tenant_id = page.tenant_id AND l.position = page.position AND l.salt IS NOT NULL
    )
    SELECT max(key) FROM page
    """  # noqa: S608 - a constant of this file
)


def state_expiry(
    connection: Connection, month: Month, retain_months: int, actor: Actor, at: datetime
) -> None:
    """State for every tenant with a sealed log that a month is dropped, and delete its salts.

    Args:
        connection: connection of the tables' owner, outside of a transaction.
        month: month that is about to be dropped.
        retain_months: whole months that are kept before that of the run.
        actor: actor of the run.
        at: time of the run.
    """
    given = {"month": str(month), "retain_months": retain_months, "actor": actor.name, "at": at}
    with every_tenants_transaction(connection, actor):
        connection.execute(_STATE, given)
        tenant_ids = connection.execute(text("SELECT id FROM tenants")).scalars().all()
    end = str(month.plus(1).first_id)
    for tenant_id in tenant_ids:
        for kind in EXPIRING:
            # Earlier months' decisions went with their own statements; feedback and labels of these
            # months may have come since.
            after = str(month.first_id) if kind == "decision" else ""
            _forget(connection, {"tenant_id": tenant_id, "kind": kind, "end": end}, after)


def _forget(connection: Connection, place: dict[str, object], after: str | None) -> None:
    while after is not None:
        with every_tenants_transaction(connection):
            after = connection.execute(_FORGET, {**place, "after": after}).scalar_one()
