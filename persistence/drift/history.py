"""How the drift of one feature, or of the score, went over time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, and_, select

from persistence.tables.drift import DriftCheckRow, DriftMeasureRow
from persistence.tenancy import tenant_transaction
from scoring.prediction import ModelVersion

MAX_CHECKS = 2_200
"""Latest checks that are read: 90 days of one an hour."""


@dataclass(frozen=True, slots=True)
class PastShift:
    """The drift of a feature, or the score, in one check.

    Attributes:
        computed_at: time of the check.
        psi: population stability index, nats.
        limit_without_drift: value that the index exceeds by chance once in a thousand windows.
    """

    computed_at: datetime
    psi: float
    limit_without_drift: float


def shift_history(
    engine: Engine, tenant_id: int, version: ModelVersion, name: str
) -> list[PastShift]:
    """Return the drift of a version's feature at each check that measured it, the oldest first.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose checks are read.
        version: model version that made the predictions.
        name: name of the feature, or `scoring.evaluation.drift.SCORE`.
    """
    checks = (
        select(DriftCheckRow.id, DriftCheckRow.computed_at)
        .where(
            DriftCheckRow.tenant_id == tenant_id,
            DriftCheckRow.model_name == version.name,
            DriftCheckRow.model_version == version.version,
        )
        .order_by(DriftCheckRow.computed_at.desc())
        .limit(MAX_CHECKS)
        .subquery()
    )
    of_check = and_(
        DriftMeasureRow.tenant_id == tenant_id,
        DriftMeasureRow.check_id == checks.c.id,
        DriftMeasureRow.name == name,
    )
    statement = (
        select(checks.c.computed_at, DriftMeasureRow.psi, DriftMeasureRow.limit_without_drift)
        .join(DriftMeasureRow, of_check)
        .where(DriftMeasureRow.psi.is_not(None))
        .order_by(checks.c.computed_at)
    )
    with tenant_transaction(engine, tenant_id) as connection:
        return [PastShift(*row) for row in connection.execute(statement)]
