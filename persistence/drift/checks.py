"""Store drift checks, for the monitor, and read them, for the service."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Connection, Engine, and_, delete, func, insert, select, true

from persistence.actor import Actor
from persistence.decisions.rows import described_from
from persistence.drift.bin_counts import Window, bin_counts
from persistence.engine import transaction
from persistence.tables.deployments import ModelVersionRow, ProductionVersionRow
from persistence.tables.drift import DriftCheckRow, DriftMeasureRow
from persistence.tenancy import see_all_tenants, tenant_transaction
from scoring.described_features import DescribedFeatures
from scoring.evaluation.drift import SCORE, Binned, Level, Shift, shift
from scoring.prediction import ModelVersion

MONITOR = Actor("sentinel monitor")
"""Actor of drift checks in the audit log."""
KEPT = timedelta(days=90)
"""Age of the oldest stored checks: at a run an hour 13 MB a tenant, 6 kB a version and run."""
NOTHING_DECIDED = "It decided nothing in the window."


@dataclass(frozen=True, slots=True)
class Measure:
    """One feature, or the score, in a window.

    Attributes:
        name: name of the feature, or SCORE.
        trained: distribution in training.
        counts: number of the window's rows in each bin.
        shift: drift measures of the counts against training.
    """

    name: str
    trained: Binned
    counts: tuple[int, ...]
    shift: Shift


@dataclass(frozen=True, slots=True)
class Check:
    """A version's predictions in a window.

    Attributes:
        version: model version that made the predictions.
        described: its features.
        is_in_production: whether it is the tenant's production version now.
        predictions: number of its predictions in the window.
        measures: measures of each feature and of the score; none where the version has no training
            distributions.
        note: sentence on why nothing was measured, or None.
    """

    version: ModelVersion
    described: DescribedFeatures
    is_in_production: bool
    predictions: int
    measures: tuple[Measure, ...]
    note: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """A tenant's latest run of the drift monitor.

    Attributes:
        computed_at: time of the run.
        window: span of time of the predictions.
        checks: check of each version that decided in the window, and of the production version.
    """

    computed_at: datetime
    window: Window
    checks: list[Check]


@dataclass(frozen=True, slots=True)
class ModelDrift:
    """The latest drift of a registered model's production versions, over all its tenants.

    Attributes:
        computed_at: time of the oldest of the tenants' latest checks.
        predictions: number of predictions in these checks.
        psi: largest PSI of any tenant, by feature name and SCORE; without those that could not be
            measured for any tenant.
    """

    computed_at: datetime
    predictions: int
    psi: dict[str, float]


def check_drift(
    engine: Engine,
    tenant_id: int,
    window: Window,
    trained: Mapping[ModelVersion, Mapping[str, Binned] | str],
) -> None:
    """Compare versions' features and scores in a window with training: one run of one tenant.

    Args:
        engine: pool that acts as the tables' owner.
        tenant_id: tenant whose predictions are counted.
        window: time span of the predictions.
        trained: each version's distributions of features and score in training, or a sentence on
            why they are not known.

    Raises:
        StoreUnavailable: Postgres could not be reached, broke off, or lacks the schema; nothing is
            stored.
    """
    outdated = delete(DriftCheckRow).where(
        DriftCheckRow.tenant_id == tenant_id, DriftCheckRow.computed_at < func.now() - KEPT
    )
    with tenant_transaction(engine, tenant_id, actor=MONITOR) as connection:
        for version, distributions in trained.items():
            _check(connection, tenant_id, window, version, distributions)
        connection.execute(outdated)


def _check(
    connection: Connection,
    tenant_id: int,
    window: Window,
    version: ModelVersion,
    distributions: Mapping[str, Binned] | str,
) -> None:
    # Without training distributions one bin counts the predictions.
    trained = {SCORE: Binned((), (1.0,), 1)} if isinstance(distributions, str) else distributions
    counts = bin_counts(connection, tenant_id, version, window, trained)
    predictions = sum(counts[SCORE])
    nothing_decided = None if predictions else NOTHING_DECIDED
    note = distributions if isinstance(distributions, str) else nothing_decided
    stored = connection.execute(
        insert(DriftCheckRow)
        .values(
            tenant_id=tenant_id,
            window_from=window.since,
            window_to=window.until,
            model_name=version.name,
            model_version=version.version,
            predictions=predictions,
            note=note,
        )
        .returning(DriftCheckRow.id)
    )
    check_id = stored.scalar_one()
    if isinstance(distributions, str):
        return
    measures = []
    for name, binned in distributions.items():
        drift = shift(binned, counts[name])
        measures.append(
            {
                "tenant_id": tenant_id,
                "check_id": check_id,
                "name": name,
                "edges": list(binned.edges),
                "trained": list(binned.proportions),
                "trained_rows": binned.rows,
                "counts": counts[name],
                "level": drift.level,
                "psi": drift.psi,
                "expected_without_drift": drift.expected_without_drift,
                "limit_without_drift": drift.limit_without_drift,
            }
        )
    connection.execute(insert(DriftMeasureRow), measures)


_IN_PRODUCTION = and_(
    ProductionVersionRow.tenant_id == DriftCheckRow.tenant_id,
    ProductionVersionRow.name == DriftCheckRow.model_name,
    ProductionVersionRow.version == DriftCheckRow.model_version,
)


_CHECKED = and_(
    ModelVersionRow.tenant_id == DriftCheckRow.tenant_id,
    ModelVersionRow.name == DriftCheckRow.model_name,
    ModelVersionRow.version == DriftCheckRow.model_version,
)


def latest_run(engine: Engine, tenant_id: int) -> Run | None:
    """Return a tenant's latest run, production version first; None before the first run."""
    latest = (
        select(func.max(DriftCheckRow.computed_at))
        .where(DriftCheckRow.tenant_id == tenant_id)
        .scalar_subquery()
    )
    is_in_production = ProductionVersionRow.tenant_id.is_not(None).label("is_in_production")
    checks = (
        select(DriftCheckRow, is_in_production, ModelVersionRow.features)
        .outerjoin(ProductionVersionRow, _IN_PRODUCTION)
        .outerjoin(ModelVersionRow, _CHECKED)
        .where(DriftCheckRow.tenant_id == tenant_id, DriftCheckRow.computed_at == latest)
        .order_by(is_in_production.desc(), DriftCheckRow.model_version.desc(), DriftCheckRow.id)
    )
    with tenant_transaction(engine, tenant_id) as connection:
        rows = connection.execute(checks).all()
        measures = _measures(connection, tenant_id, [row.id for row in rows])
    if not rows:
        return None
    return Run(
        computed_at=rows[0].computed_at,
        window=Window(rows[0].window_from, rows[0].window_to),
        checks=[
            Check(
                version=ModelVersion(row.model_name, row.model_version),
                described=described_from(row.features or []),
                is_in_production=row.is_in_production,
                predictions=row.predictions,
                measures=tuple(measures[row.id]),
                note=row.note,
            )
            for row in rows
        ],
    )


def _measures(
    connection: Connection, tenant_id: int, check_ids: Sequence[int]
) -> dict[int, list[Measure]]:
    """Return the measures by check, the score first and the features by name."""
    statement = (
        select(DriftMeasureRow)
        .where(DriftMeasureRow.tenant_id == tenant_id, DriftMeasureRow.check_id.in_(check_ids))
        .order_by((DriftMeasureRow.name == SCORE).desc(), DriftMeasureRow.name)
    )
    measures: dict[int, list[Measure]] = defaultdict(list)
    for row in connection.execute(statement):
        trained = Binned(tuple(row.edges), tuple(row.trained), row.trained_rows)
        drift = Shift(
            cast("Level", row.level),
            row.psi,
            row.expected_without_drift,
            row.limit_without_drift,
        )
        measures[row.check_id].append(Measure(row.name, trained, tuple(row.counts), drift))
    return measures


def drift_in_production(engine: Engine) -> dict[str, ModelDrift]:
    """Return the latest drift of production versions by registered model, over all tenants."""
    newest = (
        select(DriftCheckRow)
        .where(_IN_PRODUCTION)
        .order_by(DriftCheckRow.computed_at.desc())
        .limit(1)
        .lateral("newest")
    )
    checks = select(newest).select_from(ProductionVersionRow).join(newest, true()).cte("checks")
    models = select(
        checks.c.model_name, func.min(checks.c.computed_at), func.sum(checks.c.predictions)
    ).group_by(checks.c.model_name)
    of_check = and_(
        DriftMeasureRow.tenant_id == checks.c.tenant_id, DriftMeasureRow.check_id == checks.c.id
    )
    measures = (
        select(checks.c.model_name, DriftMeasureRow.name, func.max(DriftMeasureRow.psi))
        .join(DriftMeasureRow, of_check)
        .where(DriftMeasureRow.psi.is_not(None))
        .group_by(checks.c.model_name, DriftMeasureRow.name)
    )
    with transaction(engine) as connection:
        see_all_tenants(connection)
        drift = {
            name: ModelDrift(computed_at, int(predictions), {})
            for name, computed_at, predictions in connection.execute(models)
        }
        for model_name, name, psi in connection.execute(measures):
            if model_name in drift:
                drift[model_name].psi[name] = psi
    return drift
