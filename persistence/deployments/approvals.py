"""Read and write the approvals of model versions by a second person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects.postgresql import insert as upsert

from persistence.actor import Actor
from persistence.engine import transaction
from persistence.tables.deployments import VersionApprovalRow
from persistence.tables.tenants import TenantRow
from persistence.tenancy import see_all_tenants, tenant_transaction


@dataclass(frozen=True, slots=True)
class ApprovedVersion:
    """A registered version that was approved.

    Attributes:
        name: name of the registered model in MLflow.
        version: number of the version in MLflow.
        registered_ms: time of its registration in MLflow, Unix milliseconds.
    """

    name: str
    version: int
    registered_ms: int


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval.

    Attributes:
        approved: version that was approved.
        actor: name of the API key.
        note: reason in the person's words, or None.
        at: time of the person's first approval of it.
    """

    approved: ApprovedVersion
    actor: str
    note: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Approvals:
    """A tenant's approvals.

    Attributes:
        four_eyes: whether a version serves it only after a second person's approval.
        latest: latest approvals, the latest first.
    """

    four_eyes: bool
    latest: list[Approval]


_COLUMNS = (
    VersionApprovalRow.name,
    VersionApprovalRow.version,
    VersionApprovalRow.registered_ms,
    VersionApprovalRow.actor,
    VersionApprovalRow.note,
    VersionApprovalRow.at,
)


def approve_version(
    connection: Connection,
    tenant_id: int,
    approved: ApprovedVersion,
    actor: Actor,
    note: str | None,
) -> Approval:
    """Record a person's approval of a version; the same person's first one stays.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor.
        tenant_id: tenant that the version may serve.
        approved: version that is approved.
        actor: person who approves it.
        note: reason, or None.
    """
    row = {
        "tenant_id": tenant_id,
        "name": approved.name,
        "version": approved.version,
        "registered_ms": approved.registered_ms,
        "actor": actor.name,
    }
    connection.execute(upsert(VersionApprovalRow).values(**row, note=note).on_conflict_do_nothing())
    found = connection.execute(select(*_COLUMNS).filter_by(**row))
    return _approval(*found.one())


def read_approvals(engine: Engine, tenant_id: int, limit: int) -> Approvals:
    """Return a tenant's approvals, at most `limit` of them."""
    statement = (
        select(*_COLUMNS)
        .where(VersionApprovalRow.tenant_id == tenant_id)
        .order_by(VersionApprovalRow.at.desc(), VersionApprovalRow.version.desc())
        .limit(limit)
    )
    with tenant_transaction(engine, tenant_id) as connection:
        four_eyes = connection.execute(
            select(TenantRow.four_eyes).where(TenantRow.id == tenant_id)
        ).scalar_one()
        return Approvals(four_eyes, [_approval(*row) for row in connection.execute(statement)])


def approvers(engine: Engine) -> Mapping[int, Mapping[ApprovedVersion, frozenset[str]]]:
    """Return who approved which version, by tenant, of the tenants that ask for approvals.

    Raises:
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    statement = select(VersionApprovalRow.tenant_id, *_COLUMNS).join(
        TenantRow, TenantRow.id == VersionApprovalRow.tenant_id
    )
    found: dict[int, dict[ApprovedVersion, set[str]]] = defaultdict(lambda: defaultdict(set))
    with transaction(engine) as connection:
        see_all_tenants(connection)
        for tenant_id, *columns in connection.execute(statement.where(TenantRow.four_eyes)):
            approval = _approval(*columns)
            found[tenant_id][approval.approved].add(approval.actor)
    return {
        tenant_id: {version: frozenset(actors) for version, actors in by_version.items()}
        for tenant_id, by_version in found.items()
    }


def _approval(
    name: str, version: int, registered_ms: int, actor: str, note: str | None, at: datetime
) -> Approval:
    return Approval(ApprovedVersion(name, version, registered_ms), actor, note, at)
