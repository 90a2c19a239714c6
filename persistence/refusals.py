"""Refusals: model versions that must not serve a tenant, each noted once however many see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert as upsert

from persistence.tables import RefusalRow
from persistence.tenancy import tenant_transaction
from persistence.tenants import PROMOTER


@dataclass(frozen=True, slots=True)
class Refusal:
    """A registered version that was refused.

    Attributes:
        name, version: as registered in MLflow.
        registered_ms: when it was registered there, Unix milliseconds.
        reason: a sentence.
        at: when it was first refused.
    """

    name: str
    version: int
    registered_ms: int
    reason: str
    at: datetime


def record_refusal(
    engine: Engine, tenant_id: int, name: str, version: int, registered_ms: int, reason: str
) -> None:
    """Note a refusal, unless this process or another one has noted it; the first reason stays.

    Raises:
        StoreUnavailable: Postgres could not be reached, broke off, or lacks the schema.
    """
    refused = upsert(RefusalRow).values(
        tenant_id=tenant_id,
        name=name,
        version=version,
        registered_ms=registered_ms,
        reason=reason,
    )
    with tenant_transaction(engine, tenant_id, actor=PROMOTER) as connection:
        connection.execute(refused.on_conflict_do_nothing())


def list_refusals(engine: Engine, tenant_id: int, limit: int) -> list[Refusal]:
    """Return a tenant's latest refusals, latest first."""
    statement = (
        select(
            RefusalRow.name,
            RefusalRow.version,
            RefusalRow.registered_ms,
            RefusalRow.reason,
            RefusalRow.at,
        )
        .where(RefusalRow.tenant_id == tenant_id)
        .order_by(RefusalRow.at.desc(), RefusalRow.version.desc())
        .limit(limit)
    )
    with tenant_transaction(engine, tenant_id) as connection:
        return [Refusal(*row) for row in connection.execute(statement)]
