"""Rows that retention deletes: the statement that maintenance makes, and what it covers.

The statement is stored before the first row goes, and sealed like any other row. The salts of the
rows go with them: without a salt, a commitment says nothing about the values.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, text

from persistence.actor import Actor
from persistence.maintenance.partitions import Month
from persistence.sealing.sources import EXPIRING
from persistence.tenancy import every_tenants_transaction
from persistence.uuid7 import unix_ms_of

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


@dataclass(frozen=True, slots=True)
class Expiry:
    """A statement that a month was dropped.

    Attributes:
        key: key of its leaf.
        month: month whose decisions are gone, with their feedback and labels and earlier ones'.
        retain_months: whole months that were kept before that of the run.
        at: time of the run.
    """

    key: str
    month: Month
    retain_months: int
    at: datetime

    @property
    def was_due(self) -> bool:
        """Whether the month was older than the months that were kept."""
        return self.month < Month.of(self.at).plus(-self.retain_months)


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
            _forget(connection, {"tenant_id": tenant_id, "kind": kind, "end": end})


def expiries(connection: Connection, tenant_id: int) -> list[Expiry]:
    """Return a tenant's statements, oldest first."""
    rows = connection.execute(
        text(
            "SELECT id, month, retain_months, at FROM seal_expiries WHERE tenant_id = :tenant_id"
            " ORDER BY id"
        ),
        {"tenant_id": tenant_id},
    )
    return [
        Expiry(str(id_), Month(*map(int, month.split("-"))), retain_months, at)
        for id_, month, retain_months, at in rows
    ]


def month_of_key(key: str) -> Month:
    """Return the month of a row that expires, which the UUID at the begin of its key contains."""
    milliseconds = unix_ms_of(UUID(key[:36]))
    return Month.of(datetime.fromtimestamp(milliseconds / 1000, UTC))


def _forget(connection: Connection, place: dict[str, object]) -> None:
    after: str | None = ""
    while after is not None:
        with every_tenants_transaction(connection):
            after = connection.execute(_FORGET, {**place, "after": after}).scalar_one()
