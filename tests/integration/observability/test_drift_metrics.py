"""Drift metrics exist for versions in production that have been measured, and for no others."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, text

from observability.drift_metrics import DriftMetrics
from persistence.deployments.recording import record_promotions
from persistence.drift.checks import check_drift
from scoring.errors import StoreUnavailable
from scoring.evaluation.drift import SCORE, Binned
from scoring.prediction import ModelVersion
from tests.support.data.drift import decide, last_day, payments, trained
from tests.support.factories import a_model
from tests.support.fixture_types import MakeTenant

VERSION = ModelVersion("fraud-demo", 1)


def series(metrics: DriftMetrics) -> dict[tuple[str, ...], float]:
    """Return every sample by its name and the values of its labels."""
    registry = CollectorRegistry()
    registry.register(metrics)
    return {
        (sample.name.removeprefix("sentinel_drift_"), *sample.labels.values()): sample.value
        for metric in registry.collect()
        for sample in metric.samples
    }


def test_a_version_that_leaves_production_has_no_series_any_more(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant, metrics = make_tenant(), DriftMetrics(service_engine)
    assert series(metrics) == {}
    decide(engine, tenant.id, VERSION, payments(500))
    bins = trained()
    of_an_earlier_release = {"an_old_feature": Binned((1.0,), (0.5, 0.5), 5000)}
    check_drift(engine, tenant.id, last_day(), {VERSION: bins | of_an_earlier_release})
    metrics.refresh()
    samples = series(metrics)
    assert samples["window_rows", "fraud-demo"] == 500
    measured = {name for name, binned in bins.items() if binned.edges}
    assert SCORE in measured
    assert {labels[2] for labels in samples if labels[0] == "psi"} == measured

    record_promotions(engine, [tenant.id], a_model(version=ModelVersion("fraud-demo", 2)))
    metrics.refresh()
    assert series(metrics) == {}


def test_while_the_store_is_unavailable_the_last_series_stay(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant, metrics = make_tenant(), DriftMetrics(service_engine)
    check_drift(engine, tenant.id, last_day(), {VERSION: trained()})
    metrics.refresh()
    before = series(metrics)
    assert before
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE drift_checks RENAME TO gone"))
    with pytest.raises(StoreUnavailable):
        metrics.refresh()
    assert series(metrics) == before
