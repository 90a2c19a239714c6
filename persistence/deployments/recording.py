"""Record which model versions serve a tenant: in production, as challenger, in test mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Connection,
    Engine,
    case,
    delete,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as upsert

from persistence.actor import MLFLOW_ACTOR, Actor
from persistence.engine import transaction
from persistence.tables.deployments import (
    ChallengerVersionRow,
    ModelVersionRow,
    ProductionVersionRow,
)
from persistence.tenancy import act_as, see_all_tenants, tenant_transaction
from scoring.feature_set.model_features import ModelFeatures
from scoring.features import PAYSIM_FEATURES
from scoring.model import sandbox
from scoring.prediction import ModelVersion
from scoring.transaction import PAYSIM

if TYPE_CHECKING:
    from scoring.model.fraud_model import FraudModel


@dataclass(frozen=True, slots=True)
class Promoter:
    """The person who promoted a version, as a tag of the version names them.

    Attributes:
        actor: user, and the command that promoted it.
        at: time of the promotion.
    """

    actor: Actor
    at: datetime


@dataclass(frozen=True, slots=True)
class RecordedDeployment:
    """A tenant's row in the tables of production and challenger versions.

    Attributes:
        champion: version in production; None where there is none.
        registered_ms: time of the champion's registration in MLflow, Unix milliseconds; None where
            an earlier release recorded it.
        challenger: version that challenges it; None where there is none.
        canary_percent: share of accounts that the challenger decides for, 0 to 100.
    """

    champion: ModelVersion | None = None
    registered_ms: int | None = None
    challenger: ModelVersion | None = None
    canary_percent: float = 0.0


def recorded_deployments(engine: Engine) -> dict[int, RecordedDeployment]:
    """Return the recorded deployments by tenant, in one query for all tenants.

    Raises:
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    champion, challenger = ProductionVersionRow, ChallengerVersionRow
    statement = select(
        champion.tenant_id,
        champion.name,
        champion.version,
        champion.registered_ms,
        challenger.name.label("challenger_name"),
        challenger.version.label("challenger_version"),
        challenger.canary_percent,
    ).outerjoin(challenger, challenger.tenant_id == champion.tenant_id)
    with transaction(engine) as connection:
        see_all_tenants(connection)
        return {
            row.tenant_id: RecordedDeployment(
                ModelVersion(row.name, row.version),
                row.registered_ms,
                ModelVersion(row.challenger_name, row.challenger_version)
                if row.challenger_name is not None
                else None,
                row.canary_percent or 0.0,
            )
            for row in connection.execute(statement)
        }


def record_promotions(
    engine: Engine,
    tenant_ids: Sequence[int],
    model: FraudModel,
    promoter: Promoter | None = None,
    registered_ms: int | None = None,
) -> None:
    """Record a version as the production version of tenants; idempotent.

    Predictions refer to the recorded version. The promoter is the actor in the audit log, unless
    another version was promoted since: then an alias that was moved by hand brought this one back.

    Args:
        engine: pool whose role may write the tables.
        tenant_ids: tenants that the version serves now; at least one, each once.
        model: registered version in production.
        promoter: person who promoted the version, as it names them; None where it names nobody.
        registered_ms: time of its registration in MLflow, Unix milliseconds.

    Raises:
        ValueError: the model has no registered version.
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    served = [_served_by(model, tenant_id) for tenant_id in tenant_ids]
    rows = [row | {"registered_ms": registered_ms} for row in served]
    promotion = upsert(ProductionVersionRow).values(rows)
    with tenant_transaction(engine, *tenant_ids, actor=MLFLOW_ACTOR) as connection:
        _insert_versions(connection, served, model)
        if promoter and promoter.at >= _last_promotion(connection, tenant_ids):
            act_as(connection, promoter.actor)
        connection.execute(
            promotion.on_conflict_do_update(
                index_elements=["tenant_id"],
                set_={
                    "name": promotion.excluded.name,
                    "version": promotion.excluded.version,
                    "registered_ms": promotion.excluded.registered_ms,
                    "since": func.now(),
                },
                where=or_(
                    ProductionVersionRow.name != promotion.excluded.name,
                    ProductionVersionRow.version != promotion.excluded.version,
                    ProductionVersionRow.registered_ms != promotion.excluded.registered_ms,
                ),
            )
        )


def _last_promotion(connection: Connection, tenant_ids: Sequence[int]) -> datetime:
    """Return the time of the tenants' last promotion."""
    last = select(func.max(ProductionVersionRow.since)).where(
        ProductionVersionRow.tenant_id.in_(tenant_ids)
    )
    return connection.execute(last).scalar_one() or datetime.min.replace(tzinfo=UTC)


def record_challenger(
    engine: Engine, tenant_id: int, model: FraudModel | None, canary_percent: float
) -> None:
    """Record a tenant's challenger; idempotent.

    Args:
        engine: pool whose role may write the tables.
        tenant_id: tenant whose production version is challenged.
        model: registered version that becomes the challenger; None removes the recorded one.
        canary_percent: share of accounts that the challenger decides for, 0 to 100.

    Raises:
        ValueError: the model has no registered version.
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    with tenant_transaction(engine, tenant_id, actor=MLFLOW_ACTOR) as connection:
        if model is None:
            connection.execute(
                delete(ChallengerVersionRow).where(ChallengerVersionRow.tenant_id == tenant_id)
            )
            return
        served = _served_by(model, tenant_id)
        _insert_versions(connection, [served], model)
        challenger = upsert(ChallengerVersionRow).values(**served, canary_percent=canary_percent)
        is_another = or_(
            ChallengerVersionRow.name != challenger.excluded.name,
            ChallengerVersionRow.version != challenger.excluded.version,
        )
        connection.execute(
            challenger.on_conflict_do_update(
                index_elements=["tenant_id"],
                set_={
                    "name": challenger.excluded.name,
                    "version": challenger.excluded.version,
                    "canary_percent": challenger.excluded.canary_percent,
                    "since": case((is_another, func.now()), else_=ChallengerVersionRow.since),
                },
                where=or_(is_another, ChallengerVersionRow.canary_percent != canary_percent),
            )
        )


def record_test_model(engine: Engine, tenant_id: int) -> None:
    """Record the model of the fixed test transactions for a tenant in test mode; idempotent.

    Raises:
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    own = {
        "policy": sandbox.POLICY.as_numbers(),
        "calibrator_kind": sandbox.CALIBRATOR_KIND,
        "features": PAYSIM_FEATURES.described.as_document(),
    }
    with tenant_transaction(engine, tenant_id) as connection:
        connection.execute(_missing_versions([_columns(sandbox.MODEL, tenant_id) | own]))


def _served_by(model: FraudModel, tenant_id: int) -> dict[str, Any]:
    if model.version is None:
        raise ValueError("the model has no registered version; register it before it serves")
    return _columns(model.version, tenant_id)


def _columns(version: ModelVersion, tenant_id: int) -> dict[str, Any]:
    return {"tenant_id": tenant_id, "name": version.name, "version": version.version}


def _insert_versions(
    connection: Connection, served: Sequence[dict[str, Any]], model: FraudModel
) -> None:
    """Insert the missing rows that predictions refer to."""
    own = {
        "policy": model.policy.as_numbers(),
        "calibrator_kind": model.calibrator.kind,
        "usual": model.version.usual if model.version else None,
        "features": _features_document(model.features),
    }
    connection.execute(_missing_versions([row | own for row in served]))


def _features_document(features: ModelFeatures) -> object:
    """Return what a decision's features and sentences are read from, once MLflow has no version."""
    if features.event_type is PAYSIM:
        return features.described.as_document()
    return features.as_document()


def _missing_versions(rows: Sequence[dict[str, Any]]) -> Insert:
    return upsert(ModelVersionRow).values(rows).on_conflict_do_nothing()
