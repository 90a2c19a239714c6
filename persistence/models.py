"""The model versions that served a tenant, and what they are to it now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, and_, select

from persistence.tables import ChallengerVersionRow, ModelVersionRow, ProductionVersionRow
from persistence.tenancy import tenant_transaction
from scoring import fixed_tests
from scoring.policy import Policy, policy_from_numbers
from scoring.prediction import ModelVersion


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


def served_versions(engine: Engine, tenant_id: int) -> list[ServedVersion]:
    """Return the registered versions that have served a tenant, the latest to come first."""
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
        .where(
            ModelVersionRow.tenant_id == tenant_id, ModelVersionRow.name != fixed_tests.MODEL.name
        )
        .order_by(ModelVersionRow.first_served_at.desc(), ModelVersionRow.version.desc())
    )
    with tenant_transaction(engine, tenant_id) as connection:
        return [
            ServedVersion(ModelVersion(name, version), policy_from_numbers(policy), *rest)
            for name, version, policy, *rest in connection.execute(statement)
        ]
