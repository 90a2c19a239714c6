"""Read and write the table of refused model versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, and_, exists, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from persistence.actor import MLFLOW_ACTOR
from persistence.tables.deployments import ProductionVersionRow, RefusalRow, VersionApprovalRow
from persistence.tables.tenants import TenantRow
from persistence.tenancy import tenant_transaction


@dataclass(frozen=True, slots=True)
class Refusal:
    """A registered version that was refused.

    Attributes:
        name: name of the registered model in MLflow.
        version: number of the version in MLflow.
        registered_ms: time of its registration in MLflow, Unix milliseconds.
        reason: sentence that names the check it failed, or what it waits for.
        awaits_approval: whether it failed no check, and a second person has to approve it.
        at: time of the first refusal.
    """

    name: str
    version: int
    registered_ms: int
    reason: str
    awaits_approval: bool
    at: datetime


def record_refusal(
    engine: Engine,
    tenant_id: int,
    name: str,
    version: int,
    registered_ms: int,
    reason: str,
    *,
    awaits_approval: bool = False,
) -> None:
    """Record a refusal; a version that was refused before keeps its first reason.

    A wait for an approval and a failed check are one each.

    Raises:
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    refused = upsert(RefusalRow).values(
        tenant_id=tenant_id,
        name=name,
        version=version,
        registered_ms=registered_ms,
        reason=reason,
        awaits_approval=awaits_approval,
    )
    with tenant_transaction(engine, tenant_id, actor=MLFLOW_ACTOR) as connection:
        connection.execute(refused.on_conflict_do_nothing())


def list_refusals(engine: Engine, tenant_id: int, limit: int) -> list[Refusal]:
    """Return a tenant's latest refusals, at most `limit`, the latest first.

    A version that no longer waits for an approval is not among them.
    """
    statement = (
        select(
            RefusalRow.name,
            RefusalRow.version,
            RefusalRow.registered_ms,
            RefusalRow.reason,
            RefusalRow.awaits_approval,
            RefusalRow.at,
        )
        .where(RefusalRow.tenant_id == tenant_id, ~_waits_no_longer())
        .order_by(RefusalRow.at.desc(), RefusalRow.version.desc())
        .limit(limit)
    )
    with tenant_transaction(engine, tenant_id) as connection:
        return [Refusal(*row) for row in connection.execute(statement)]


def _waits_no_longer() -> ColumnElement[bool]:
    """Whether a version that waited was approved, serves, or needs no approval any more."""
    approved = exists().where(
        VersionApprovalRow.tenant_id == RefusalRow.tenant_id,
        VersionApprovalRow.name == RefusalRow.name,
        VersionApprovalRow.version == RefusalRow.version,
        VersionApprovalRow.registered_ms == RefusalRow.registered_ms,
        VersionApprovalRow.at >= RefusalRow.at,
    )
    serves = exists().where(
        ProductionVersionRow.tenant_id == RefusalRow.tenant_id,
        ProductionVersionRow.name == RefusalRow.name,
        ProductionVersionRow.version == RefusalRow.version,
    )
    asks_for_none = exists().where(TenantRow.id == RefusalRow.tenant_id, ~TenantRow.four_eyes)
    return and_(RefusalRow.awaits_approval, or_(approved, serves, asks_for_none))
