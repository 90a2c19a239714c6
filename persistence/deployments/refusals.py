"""Read and write the table of refused model versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert as upsert

from persistence.actor import MLFLOW_ACTOR
from persistence.tables.deployments import RefusalRow
from persistence.tenancy import tenant_transaction


@dataclass(frozen=True, slots=True)
class Refusal:
    """A registered version that was refused.

    Attributes:
        name: name of the registered model in MLflow.
        version: number of the version in MLflow.
        registered_ms: time of its registration in MLflow, Unix milliseconds.
        reason: sentence that names the check it failed.
        at: time of the first refusal.
    """

    name: str
    version: int
    registered_ms: int
    reason: str
    at: datetime


def record_refusal(
    engine: Engine, tenant_id: int, name: str, version: int, registered_ms: int, reason: str
) -> None:
    """Record a refusal; a version that was refused before keeps its first reason.

    Raises:
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    refused = upsert(RefusalRow).values(
        tenant_id=tenant_id,
        name=name,
        version=version,
        registered_ms=registered_ms,
        reason=reason,
    )
    with tenant_transaction(engine, tenant_id, actor=MLFLOW_ACTOR) as connection:
        connection.execute(refused.on_conflict_do_nothing())


def list_refusals(engine: Engine, tenant_id: int, limit: int) -> list[Refusal]:
    """Return a tenant's latest refusals, at most `limit`, the latest first."""
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
