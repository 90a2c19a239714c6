"""The model versions that serve a tenant: as recorded, as refused, and as they are now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Connection,
    Engine,
    and_,
    case,
    delete,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from persistence.engine import transaction
from persistence.tables.deployments import (
    ChallengerVersionRow,
    ModelVersionRow,
    ProductionVersionRow,
)
from persistence.tenancy import see_all_tenants, tenant_transaction
from scoring.model import sandbox
from scoring.policy import Policy, policy_from_numbers
from scoring.prediction import ModelVersion

if TYPE_CHECKING:
    from scoring.model.fraud_model import FraudModel
from persistence.tables.deployments import RefusalRow


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """A version that has served a tenant, be it in shadow.

    Attributes:
        model: which.
        policy: the version's own.
        calibrator_kind: such as `isotonic`.
        first_served_at: when a service process first took it up for the tenant.
        production_since: since when it has been the production version; None where it is not now.
        challenger_since: since when it has been the challenger; None where it is not now.
        canary_percent: the share of accounts that a challenger decides for, 0 to 100; else None.
    """

    model: ModelVersion
    policy: Policy
    calibrator_kind: str
    first_served_at: datetime
    production_since: datetime | None
    challenger_since: datetime | None
    canary_percent: float | None


def served_versions(connection: Connection, tenant_id: int) -> list[ServedVersion]:
    """Return the registered versions that have served a tenant, the latest to come first.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose versions are read.
    """
    production = and_(
        ProductionVersionRow.tenant_id == ModelVersionRow.tenant_id,
        ProductionVersionRow.name == ModelVersionRow.name,
        ProductionVersionRow.version == ModelVersionRow.version,
    )
    challenger = and_(
        ChallengerVersionRow.tenant_id == ModelVersionRow.tenant_id,
        ChallengerVersionRow.name == ModelVersionRow.name,
        ChallengerVersionRow.version == ModelVersionRow.version,
    )
    statement = (
        select(
            ModelVersionRow.name,
            ModelVersionRow.version,
            ModelVersionRow.policy,
            ModelVersionRow.calibrator_kind,
            ModelVersionRow.first_served_at,
            ProductionVersionRow.since.label("production_since"),
            ChallengerVersionRow.since.label("challenger_since"),
            ChallengerVersionRow.canary_percent,
        )
        .outerjoin(ProductionVersionRow, production)
        .outerjoin(ChallengerVersionRow, challenger)
        .where(ModelVersionRow.tenant_id == tenant_id, ModelVersionRow.name != sandbox.MODEL.name)
        .order_by(ModelVersionRow.first_served_at.desc(), ModelVersionRow.version.desc())
    )
    return [
        ServedVersion(ModelVersion(name, version), policy_from_numbers(policy), *rest)
        for name, version, policy, *rest in connection.execute(statement)
    ]


@dataclass(frozen=True, slots=True)
class RecordedDeployment:
    """What the tables say of a tenant.

    Attributes:
        champion, challenger: the version noted; None where there is none.
        canary_percent: the share of accounts that the challenger decides for, 0 to 100.
    """

    champion: ModelVersion | None = None
    challenger: ModelVersion | None = None
    canary_percent: float = 0.0


def recorded_deployments(engine: Engine) -> dict[int, RecordedDeployment]:
    """Return what is noted, by tenant: one query, however many tenants there are.

    Raises:
        StoreUnavailable: Postgres could not be reached, broke off, or lacks the schema.
    """
    champion, challenger = ProductionVersionRow, ChallengerVersionRow
    statement = select(
        champion.tenant_id,
        champion.name,
        champion.version,
        challenger.name.label("challenger_name"),
        challenger.version.label("challenger_version"),
        challenger.canary_percent,
    ).outerjoin(challenger, challenger.tenant_id == champion.tenant_id)
    with transaction(engine) as connection:
        see_all_tenants(connection)
        return {
            row.tenant_id: RecordedDeployment(
                ModelVersion(row.name, row.version),
                ModelVersion(row.challenger_name, row.challenger_version)
                if row.challenger_name is not None
                else None,
                row.canary_percent or 0.0,
            )
            for row in connection.execute(statement)
        }


PROMOTER = "mlflow"
"""Promotions are made in MLflow; the service only sees them."""


def record_promotion(engine: Engine, tenant_id: int, model: FraudModel) -> None:
    """Note that a version serves one tenant now; errors as for `record_promotions`."""
    record_promotions(engine, [tenant_id], model)


def record_promotions(engine: Engine, tenant_ids: Sequence[int], model: FraudModel) -> None:
    """Note that a version serves tenants now, so that predictions may refer to it; idempotent.

    Args:
        engine: the pool.
        tenant_ids: at least one; each once.
        model: a registered version.

    Raises:
        ValueError: the model has no registered version.
        StoreUnavailable: Postgres could not be reached, broke off, or lacks the schema.
    """
    version = model.version
    if version is None:
        raise ValueError("only a registered version can serve a tenant")
    served = [
        {"tenant_id": tenant_id, "name": version.name, "version": version.version}
        for tenant_id in tenant_ids
    ]
    own = {"policy": model.policy.as_numbers(), "calibrator_kind": model.calibrator.kind}
    known = upsert(ModelVersionRow).values([row | own for row in served])
    now = upsert(ProductionVersionRow).values(served)
    with tenant_transaction(engine, *tenant_ids, actor=PROMOTER) as connection:
        connection.execute(known.on_conflict_do_nothing())
        connection.execute(
            now.on_conflict_do_update(
                index_elements=["tenant_id"],
                set_={
                    "name": now.excluded.name,
                    "version": now.excluded.version,
                    "since": func.now(),
                },
                where=(ProductionVersionRow.name != now.excluded.name)
                | (ProductionVersionRow.version != now.excluded.version),
            )
        )


def record_challenger(
    engine: Engine, tenant_id: int, model: FraudModel | None, canary_percent: float
) -> None:
    """Note which version challenges a tenant's production version now; idempotent.

    Args:
        engine, tenant_id: whose.
        model: the challenger; None where there is none any more.
        canary_percent: the share of accounts that it decides for, 0 to 100; of no account without
            a model.

    Raises:
        ValueError: the model has no registered version.
    """
    with tenant_transaction(engine, tenant_id, actor=PROMOTER) as connection:
        if model is None:
            gone = delete(ChallengerVersionRow).where(ChallengerVersionRow.tenant_id == tenant_id)
            connection.execute(gone)
            return
        served = _served(tenant_id, model)
        _make_known(connection, served, model)
        now = upsert(ChallengerVersionRow).values(**served, canary_percent=canary_percent)
        moved = (ChallengerVersionRow.name != now.excluded.name) | (
            ChallengerVersionRow.version != now.excluded.version
        )
        connection.execute(
            now.on_conflict_do_update(
                index_elements=["tenant_id"],
                set_={
                    "name": now.excluded.name,
                    "version": now.excluded.version,
                    "canary_percent": now.excluded.canary_percent,
                    "since": case((moved, func.now()), else_=ChallengerVersionRow.since),
                },
                where=or_(moved, ChallengerVersionRow.canary_percent != canary_percent),
            )
        )


def record_test_model(engine: Engine, tenant_id: int) -> None:
    """Let a tenant's predictions refer to what answers fixed test transactions; idempotent."""
    known = upsert(ModelVersionRow).values(
        tenant_id=tenant_id,
        name=sandbox.MODEL.name,
        version=sandbox.MODEL.version,
        policy=sandbox.POLICY.as_numbers(),
        calibrator_kind=sandbox.CALIBRATOR_KIND,
    )
    with tenant_transaction(engine, tenant_id) as connection:
        connection.execute(known.on_conflict_do_nothing())


def _served(tenant_id: int, model: FraudModel) -> dict[str, Any]:
    if model.version is None:
        raise ValueError("only a registered version can serve a tenant")
    return {"tenant_id": tenant_id, "name": model.version.name, "version": model.version.version}


def _make_known(connection: Connection, served: dict[str, Any], model: FraudModel) -> None:
    """Let predictions refer to a version."""
    known = upsert(ModelVersionRow).values(
        **served, policy=model.policy.as_numbers(), calibrator_kind=model.calibrator.kind
    )
    connection.execute(known.on_conflict_do_nothing())


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
