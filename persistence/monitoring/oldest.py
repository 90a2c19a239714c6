"""The oldest rows that a tenant still has, and when maintenance, which drops old ones, last ran."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, select

from persistence.monitoring.job_runs import job_runs
from persistence.tables.decisions import PredictionRow
from persistence.tables.review import AccessRow, AuditRow
from persistence.tenancy import tenant_transaction
from persistence.uuid7 import unix_ms_of


@dataclass(frozen=True, slots=True)
class Oldest:
    """Times of a tenant's oldest rows; None where it has none.

    Attributes:
        decision: oldest decision.
        reading: oldest entry of the access log.
        change: oldest entry of the audit log.
        maintained_at: end of the last run of `sentinel db maintain`; None: it never ran.
    """

    decision: datetime | None
    reading: datetime | None
    change: datetime | None
    maintained_at: datetime | None


def read_oldest(engine: Engine, tenant_id: int) -> Oldest:
    """Return how far back a tenant's rows go: the first row of three indexes.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose rows they are.
    """
    change = (
        select(AuditRow.at).where(AuditRow.tenant_id == tenant_id).order_by(AuditRow.id).limit(1)
    )
    with tenant_transaction(engine, tenant_id) as connection:
        return Oldest(
            _oldest(connection, PredictionRow, tenant_id),
            _oldest(connection, AccessRow, tenant_id),
            connection.execute(change).scalar_one_or_none(),
            job_runs(connection).get("maintenance"),
        )


def _oldest(
    connection: Connection, row: type[PredictionRow | AccessRow], tenant_id: int
) -> datetime | None:
    first = select(row.id).where(row.tenant_id == tenant_id).order_by(row.id).limit(1)
    id_ = connection.execute(first).scalar_one_or_none()
    return None if id_ is None else datetime.fromtimestamp(unix_ms_of(id_) / 1000, UTC)
