"""Postgres counts drift bins as numpy does and stores them so that they can be recomputed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from persistence.deployments.recording import (
    record_challenger,
    record_promotions,
    record_test_model,
)
from persistence.drift.bin_counts import bin_counts, versions_in
from persistence.drift.checks import NOTHING_DECIDED, check_drift, drift_in_production, latest_run
from persistence.engine import open_database
from persistence.maintenance.partitions import Month, make_months
from persistence.tenancy import tenant_transaction
from persistence.tenants import create_tenant
from scoring.evaluation.drift import SCORE, Binned, shift
from scoring.features import FEATURE_NAMES
from scoring.model import sandbox
from scoring.prediction import ModelVersion
from tests.support.data.drift import decide, last_day, payments, some_scores, trained
from tests.support.factories import a_model, feature_rows
from tests.support.fixture_types import MakeTenant, Rows
from tests.support.postgres.query_plans import plans

VERSION = ModelVersion("fraud-demo", 1)

DELICATE = np.array(
    [
        *(-1.7976931348623157e308, -3.5, -0.1, -5e-324, -0.0, 0.0, 5e-324, 2.2250738585072014e-308),
        *(0.1, 0.1 + 0.2, 0.3, 1 / 3, 1.0, 2.0**53, 2.0**53 + 2, 1e22, 1.7976931348623157e308),
    ]
)
NEIGHBOURS = np.unique(
    np.concatenate([DELICATE, np.nextafter(DELICATE, 0), np.nextafter(DELICATE[1:-1], 1e308)])
)


@pytest.fixture(scope="module")
def delicate(make_database: Callable[..., str], migrated_template: str) -> Iterator[Engine]:
    """Decisions whose features and scores lie on edges and beside them; only looked at."""
    engine = open_database(make_database(template=migrated_template))
    tenant = create_tenant(engine, "demo", "fraud-demo")
    record_promotions(engine, [tenant.id], a_model(version=VERSION))
    features = np.resize(NEIGHBOURS, (len(NEIGHBOURS), len(FEATURE_NAMES)))
    scores = np.clip(NEIGHBOURS, 0, 1)
    decide(engine, tenant.id, VERSION, features, scores)
    yield engine
    engine.dispose()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(NEIGHBOURS.tolist()) | st.floats(-1e9, 1e9), max_size=14).map(
            lambda edges: sorted({edge + 0.0 for edge in edges})
        ),
        min_size=len(FEATURE_NAMES) + 1,
        max_size=len(FEATURE_NAMES) + 1,
    )
)
def test_postgres_counts_into_the_bins_that_numpy_counts_into(
    delicate: Engine, edges: list[list[float]]
) -> None:
    names = (*FEATURE_NAMES, SCORE)
    bins = {
        name: Binned(tuple(its), (1.0, *[0.0] * len(its)), 1)
        for name, its in zip(names, edges, strict=True)
    }
    with tenant_transaction(delicate, 1) as connection:
        counted = bin_counts(connection, 1, VERSION, last_day(), bins)
    features = np.resize(NEIGHBOURS, (len(NEIGHBOURS), len(FEATURE_NAMES)))
    columns = [*features.T, np.clip(NEIGHBOURS, 0, 1)]
    for name, its, values in zip(names, edges, columns, strict=True):
        result = np.searchsorted(np.array(its), values, side="right")
        assert counted[name] == np.bincount(result, minlength=len(its) + 1).tolist(), name


def test_only_the_windows_decisions_of_the_version_and_the_tenant_count(
    engine: Engine, make_tenant: MakeTenant
) -> None:
    mine, other = make_tenant("mine"), make_tenant("other")
    challenger, tests = ModelVersion("fraud-demo", 2), sandbox.MODEL
    record_challenger(engine, mine.id, a_model(version=challenger), 5.0)
    record_test_model(engine, mine.id)
    window = last_day()
    ms = timedelta(milliseconds=1)
    for tenant, version, count, moment in [
        (mine, VERSION, 3, window.since),
        (mine, VERSION, 5, window.until - ms),
        (mine, VERSION, 40, window.since - ms),
        (mine, VERSION, 80, window.until),
        (mine, challenger, 2, window.since),
        (mine, tests, 4, window.since),
        (other, VERSION, 7, window.since),
    ]:
        decide(engine, tenant.id, version, feature_rows(count), moment=moment)
    assert versions_in(engine, mine.id, window) == {VERSION: 8, challenger: 2}
    with tenant_transaction(engine, mine.id, other.id) as connection:
        counts = bin_counts(connection, mine.id, VERSION, window, trained())
    assert {name: sum(count_by_bin) for name, count_by_bin in counts.items()} == dict.fromkeys(
        trained(), 8
    )


def test_the_production_version_is_included_without_decisions(
    engine: Engine, make_tenant: MakeTenant
) -> None:
    assert versions_in(engine, make_tenant().id, last_day()) == {VERSION: 0}


def test_a_prediction_without_a_feature_is_in_none_of_its_bins(
    engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    decide(engine, tenant.id, VERSION, feature_rows(4))
    bins = {"of an earlier release": Binned((1.0,), (0.5, 0.5), 10), SCORE: trained()[SCORE]}
    with tenant_transaction(engine, tenant.id) as connection:
        counts = bin_counts(connection, tenant.id, VERSION, last_day(), bins)
    assert counts["of an earlier release"] == [0, 0]
    assert sum(counts[SCORE]) == 4


def test_counting_reads_only_the_partitions_of_the_windows_months(
    engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant, window = make_tenant(), last_day()
    months = {Month.of(window.since), Month.of(window.until)}
    with engine.begin() as connection:
        make_months(connection, [min(months).plus(-1), *months])

    def count() -> None:
        with tenant_transaction(engine, tenant.id) as connection:
            bin_counts(connection, tenant.id, VERSION, window, trained())

    read = {
        node["Relation Name"]
        for node in plans(engine, count)
        if node.get("Relation Name", "").startswith("predictions")
    }
    assert read == {month.partition_of("predictions") for month in months}


def test_a_stored_check_can_be_recomputed_from_its_counts(
    engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant, window = make_tenant(), last_day()
    decide(engine, tenant.id, VERSION, payments(2000, oldbalance_dest=4.0))
    check_drift(engine, tenant.id, window, {VERSION: trained()})
    run = latest_run(engine, tenant.id)
    assert run is not None
    assert run.window == window
    (check,) = run.checks
    assert (check.version, check.is_in_production, check.predictions) == (VERSION, True, 2000)
    assert check.note is None
    assert {measure.name: measure.trained for measure in check.measures} == trained()
    for measure in check.measures:
        assert sum(measure.counts) == 2000
        assert measure.shift == shift(measure.trained, measure.counts)
    drifting = {m.name for m in check.measures if m.shift.level in {"moderate", "major"}}
    assert drifting == {"oldbalance_dest"}
    assert check.measures[0].name == SCORE


def test_an_empty_window_and_a_missing_distribution_are_stored_as_notes(
    engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant, old = make_tenant(), ModelVersion("fraud-demo", 2)
    record_promotions(engine, [tenant.id], a_model(version=old))
    record_promotions(engine, [tenant.id], a_model(version=VERSION))
    decide(engine, tenant.id, old, feature_rows(3))
    check_drift(engine, tenant.id, last_day(), {old: "It carries none.", VERSION: trained()})
    run = latest_run(engine, tenant.id)
    assert run is not None
    empty, silent = run.checks
    assert (empty.version, empty.predictions, empty.note) == (VERSION, 0, NOTHING_DECIDED)
    assert {m.shift.level for m in empty.measures} == {"empty", "constant"}
    assert {m.shift.psi for m in empty.measures} == {None}
    assert (silent.version, silent.predictions, silent.note) == (old, 3, "It carries none.")
    assert silent.measures == ()


def test_the_latest_run_is_read_and_runs_older_than_90_days_are_deleted(
    engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant = make_tenant()
    assert latest_run(engine, tenant.id) is None
    check_drift(engine, tenant.id, last_day(), {VERSION: trained()})
    with tenant_transaction(engine, tenant.id) as connection:
        connection.execute(text("UPDATE drift_checks SET computed_at = now() - interval '91 d'"))
    decide(engine, tenant.id, VERSION, feature_rows(5))
    check_drift(engine, tenant.id, last_day(), {VERSION: trained()})
    run = latest_run(engine, tenant.id)
    assert run is not None
    assert [check.predictions for check in run.checks] == [5]
    assert rows("SELECT count(*) FROM drift_checks")[0]["count"] == 1
    assert rows("SELECT count(*) FROM drift_measures")[0]["count"] == len(trained())


def test_the_service_reads_only_the_tenants_own_run(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    mine, other = make_tenant("mine"), make_tenant("other")
    decide(engine, mine.id, VERSION, feature_rows(9))
    check_drift(engine, mine.id, last_day(), {VERSION: trained()})
    assert latest_run(service_engine, mine.id) == latest_run(engine, mine.id)
    assert latest_run(service_engine, other.id) is None


def test_a_shared_models_psi_is_the_largest_of_its_tenants(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    calm, moved, unseen = (make_tenant(slug) for slug in ("calm", "moved", "unseen"))
    newer = ModelVersion("fraud-demo", 2)
    record_challenger(engine, calm.id, a_model(version=newer), 5.0)
    window = last_day()
    decide(engine, calm.id, VERSION, payments(1000))
    decide(engine, calm.id, newer, payments(1000, amount=50.0))
    decide(engine, moved.id, VERSION, payments(2000, amount=3.0), some_scores(2000) ** 0.5)
    assert drift_in_production(service_engine) == {}
    check_drift(engine, calm.id, window, {VERSION: trained(), newer: trained()})
    check_drift(engine, moved.id, window, {VERSION: trained()})

    drift_by_model = drift_in_production(service_engine)
    assert list(drift_by_model) == ["fraud-demo"]
    first, second = latest_run(engine, calm.id), latest_run(engine, moved.id)
    assert first is not None
    assert second is not None
    assert drift_by_model["fraud-demo"].computed_at == first.computed_at
    assert drift_by_model["fraud-demo"].predictions == 3000
    of = [
        {m.name: m.shift.psi for m in run.checks[0].measures if m.shift.psi is not None}
        for run in (first, second)
    ]
    assert drift_by_model["fraud-demo"].psi == {
        name: max(of[0][name], of[1][name]) for name in of[0]
    }
    assert drift_by_model["fraud-demo"].psi["amount"] == of[1]["amount"]
    assert drift_by_model["fraud-demo"].psi["amount"] > 0.25 > of[0]["amount"]
    assert latest_run(service_engine, unseen.id) is None
