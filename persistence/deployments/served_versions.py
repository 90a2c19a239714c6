"""Read the model versions that have served a tenant, with their roles now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Text, and_, case, cast, func, literal, select

from persistence.actor import MLFLOW
from persistence.tables.deployments import (
    ChallengerVersionRow,
    ModelVersionRow,
    ProductionVersionRow,
)
from persistence.tables.review import AuditRow
from scoring.model import sandbox
from scoring.policy import Policy, policy_from_numbers
from scoring.prediction import ModelVersion


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """A version that has served a tenant, in production or in shadow.

    Attributes:
        model: name and number of the version.
        policy: policy that the version carries.
        calibrator_kind: kind of its calibrator, such as `isotonic`.
        first_served_at: time at which a service process first loaded it for the tenant.
        production_since: time of its promotion; None where it is not in production now.
        promoted_by: actor of that promotion in the audit log; None where it is not in production.
        challenger_since: time at which it became the challenger; None where it is not one now.
        canary_percent: share of accounts that it decides for as challenger, 0 to 100; else None.
    """

    model: ModelVersion
    policy: Policy
    calibrator_kind: str
    first_served_at: datetime
    production_since: datetime | None
    promoted_by: str | None
    challenger_since: datetime | None
    canary_percent: float | None


def served_versions(connection: Connection, tenant_id: int) -> list[ServedVersion]:
    """Return the registered versions that have served a tenant, the latest first.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose versions are read.
    """
    production, challenger = (
        and_(
            row.tenant_id == ModelVersionRow.tenant_id,
            row.name == ModelVersionRow.name,
            row.version == ModelVersionRow.version,
        )
        for row in (ProductionVersionRow, ChallengerVersionRow)
    )
    statement = (
        select(
            ModelVersionRow.name,
            ModelVersionRow.version,
            ModelVersionRow.policy,
            ModelVersionRow.calibrator_kind,
            ModelVersionRow.first_served_at,
            ProductionVersionRow.since.label("production_since"),
            _promoted_by(),
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


def _promoted_by() -> ColumnElement[str | None]:
    """Return the actor of a production version's promotion, as the audit log has it."""
    version = cast(ProductionVersionRow.version, Text)
    newest = (
        select(AuditRow.actor)
        .where(
            AuditRow.tenant_id == ProductionVersionRow.tenant_id,
            AuditRow.object == literal("models/") + ProductionVersionRow.name + "/" + version,
            AuditRow.action.startswith("promotion."),
        )
        .order_by(AuditRow.at.desc(), AuditRow.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return case((ProductionVersionRow.since.is_not(None), func.coalesce(newest, MLFLOW)))
