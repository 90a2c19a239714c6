"""Matured decisions and their labels: which ones are read, and as what."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from psycopg import Connection
from sqlalchemy import Engine, text

from persistence.decisions.rows import Decided
from persistence.decisions.shadow_scores import ShadowLog
from persistence.deployments.recording import (
    record_challenger,
    record_promotions,
    record_test_model,
)
from persistence.engine import open_database
from persistence.labels import reader, sql
from persistence.labels.reader import read_matured, read_matured_pairs, read_matured_transactions
from persistence.maintenance.partitions import Month, make_months
from persistence.tenancy import SERVICE_ROLE, tenant_transaction
from persistence.tenants import Tenant, create_tenant
from scoring.features import PAYSIM_FEATURES
from scoring.model import sandbox
from scoring.prediction import ModelVersion
from scoring.transaction import PAYSIM
from tests.support.data.review import NOW, decide, say, store
from tests.support.data.shadow import a_shadow_score
from tests.support.factories import a_model, decision_at
from tests.support.fixture_types import MakeTenant
from tests.support.postgres.query_plans import scanned_whole, walk

CHAMPION, CHALLENGER = ModelVersion("fraud-demo", 1), ModelVersion("fraud-demo", 2)
SPAN: dict[str, Any] = {
    "maturity_days": 30.0,
    "window_days": 60.0,
    "limit": 1000,
    # After what the tests report, and before another decision matures.
    "as_of": NOW + timedelta(hours=1),
}


def old(tenant: Tenant, days: float, score: float = 0.2, **transaction: Any) -> Decided:
    """A decision that was made so many days ago."""
    return decision_at(decide(tenant, score, **transaction), NOW - timedelta(days=days))


def by(decision: Decided, model: ModelVersion) -> Decided:
    """The same decision, by another version."""
    return decision._replace(prediction=decision.prediction._replace(model=model))


@pytest.fixture
def tenant(engine: Engine, make_tenant: MakeTenant) -> Tenant:
    """A tenant with a champion and a challenger."""
    tenant = make_tenant()
    record_challenger(engine, tenant.id, a_model(version=CHALLENGER), 5.0)
    return tenant


def test_confirmed_is_fraud_cleared_is_honest_and_unlabelled_is_presumed_honest(
    service_engine: Engine, tenant: Tenant
) -> None:
    fraud, honest, silent = (old(tenant, days, amount=days) for days in (31, 32, 33))
    store(service_engine, fraud, honest, silent)
    say(service_engine, fraud, "confirmed_fraud")
    say(service_engine, honest, "false_positive")
    matured = read_matured(service_engine, tenant.id, **SPAN)
    assert matured.amount.tolist() == [31, 32, 33]
    assert matured.is_fraud.tolist() == [True, False, False]
    assert matured.labelled.tolist() == [True, True, False]
    assert not matured.truncated


def test_escalated_decisions_are_left_out(service_engine: Engine, tenant: Tenant) -> None:
    escalated, other = old(tenant, 31, amount=31.0), old(tenant, 32, amount=32.0)
    store(service_engine, escalated, other)
    say(service_engine, escalated, "escalated")
    assert read_matured(service_engine, tenant.id, **SPAN).amount.tolist() == [32]


def test_the_latest_feedback_counts(service_engine: Engine, tenant: Tenant) -> None:
    batch = [old(tenant, days, amount=days) for days in (31, 32, 33)]
    store(service_engine, *batch)
    for decision, verdicts in zip(
        batch,
        [
            ("confirmed_fraud", "false_positive"),
            ("escalated", "false_positive", "confirmed_fraud"),
            ("confirmed_fraud", "escalated"),
        ],
        strict=True,
    ):
        for label in verdicts:
            say(service_engine, decision, label)
    matured = read_matured(service_engine, tenant.id, **SPAN)
    assert matured.amount.tolist() == [31, 32]
    assert matured.is_fraud.tolist() == [False, True]


def test_decisions_younger_than_the_maturity_or_older_than_the_window_are_left_out(
    service_engine: Engine, tenant: Tenant
) -> None:
    batch = [old(tenant, days, amount=days) for days in (1, 29.9, 30.01, 89.9, 90.01)]
    store(service_engine, *batch)
    for decision in batch[:2]:
        say(service_engine, decision, "confirmed_fraud")
    assert read_matured(service_engine, tenant.id, **SPAN).amount.tolist() == [30.01, 89.9]
    sooner = SPAN | {"maturity_days": 1.5}
    assert read_matured(service_engine, tenant.id, **sooner).is_fraud.tolist() == [True, False]


def test_decisions_come_newest_first_and_truncated_marks_the_limit(
    service_engine: Engine, tenant: Tenant
) -> None:
    days = [40, 31, 50, 45, 60]
    store(service_engine, *(old(tenant, d, amount=d) for d in days))
    for limit, cut in [(2, True), (4, True), (5, False), (6, False)]:
        matured = read_matured(service_engine, tenant.id, **SPAN | {"limit": limit})
        assert matured.amount.tolist() == sorted(days)[:limit]
        assert matured.truncated is cut


def test_columns_hold_the_stored_numbers_and_the_deciding_version(
    service_engine: Engine, tenant: Tenant
) -> None:
    first = old(tenant, 31, 0.1 + 0.2, amount=1 / 3)
    second = by(old(tenant, 32, 0.01), CHALLENGER)
    store(service_engine, first, second)
    matured = read_matured(service_engine, tenant.id, **SPAN)
    assert matured.score.tolist() == [0.1 + 0.2, 0.01]
    assert matured.threshold.tolist() == [d.prediction.threshold for d in (first, second)]
    assert matured.amount[0] == 1 / 3
    assert [matured.models[i] for i in matured.model] == [CHAMPION, CHALLENGER]
    ages = NOW.timestamp() - matured.decided_at
    assert ages / 86_400 == pytest.approx([31, 32], abs=1e-6)
    assert (matured.score.dtype, matured.is_fraud.dtype, matured.model.dtype) == (
        np.float64,
        np.bool_,
        np.int64,
    )


def test_without_matured_decisions_the_columns_are_empty(
    service_engine: Engine, tenant: Tenant
) -> None:
    store(service_engine, old(tenant, 2))
    assert read_matured(service_engine, tenant.id, **SPAN).score.shape == (0,)
    pairs = read_matured_pairs(service_engine, tenant.id, CHAMPION, CHALLENGER, **SPAN)
    assert pairs.champion_score.shape == pairs.is_fraud.shape == (0,)
    transactions = read_matured_transactions(service_engine, tenant.id, **SPAN)
    assert transactions.columns["amount"].shape == (0,)


def test_another_tenants_decisions_are_not_read(
    service_engine: Engine, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    other = make_tenant("other")
    store(service_engine, old(tenant, 31), old(other, 31), old(other, 32))
    assert len(read_matured(service_engine, tenant.id, **SPAN).score) == 1


def test_fixed_test_transactions_are_left_out(service_engine: Engine, tenant: Tenant) -> None:
    record_test_model(service_engine, tenant.id)
    store(service_engine, by(old(tenant, 31), sandbox.MODEL), old(tenant, 32))
    assert len(read_matured(service_engine, tenant.id, **SPAN).score) == 1
    assert len(read_matured_transactions(service_engine, tenant.id, **SPAN).is_fraud) == 1


def test_pairs_hold_decisions_of_either_version(service_engine: Engine, tenant: Tenant) -> None:
    by_champion = old(tenant, 31, 0.2, amount=31.0)
    by_challenger = by(old(tenant, 32, 0.01, amount=32.0), CHALLENGER)
    alone = old(tenant, 33)
    young = old(tenant, 3)
    store(service_engine, by_champion, by_challenger, alone, young)
    ShadowLog(service_engine).write(
        [
            a_shadow_score(by_champion, 0.02, CHALLENGER),
            a_shadow_score(by_champion, 0.9, ModelVersion("fraud-demo", 3)),
            a_shadow_score(by_challenger, 0.7, CHAMPION),
            a_shadow_score(young, 0.5, CHALLENGER),
        ]
    )
    say(service_engine, by_challenger, "confirmed_fraud")
    pairs = read_matured_pairs(service_engine, tenant.id, CHAMPION, CHALLENGER, **SPAN)
    assert pairs.amount.tolist() == [31, 32]
    assert pairs.champion_score.tolist() == [0.2, 0.7]
    assert pairs.champion_review.tolist() == [True, True]
    assert pairs.challenger_score.tolist() == [0.02, 0.01]
    assert pairs.challenger_review.tolist() == [False, False]
    assert pairs.is_fraud.tolist() == pairs.labelled.tolist() == [False, True]
    swapped = read_matured_pairs(service_engine, tenant.id, CHALLENGER, CHAMPION, **SPAN)
    assert swapped.champion_score.tolist() == pairs.challenger_score.tolist()
    newest = read_matured_pairs(
        service_engine, tenant.id, CHAMPION, CHALLENGER, **SPAN | {"limit": 1}
    )
    assert (newest.amount.tolist(), newest.truncated) == ([31], True)


def test_escalated_pairs_are_left_out(service_engine: Engine, tenant: Tenant) -> None:
    decision = old(tenant, 31)
    store(service_engine, decision)
    ShadowLog(service_engine).write([a_shadow_score(decision)])
    say(service_engine, decision, "escalated")
    pairs = read_matured_pairs(service_engine, tenant.id, CHAMPION, CHALLENGER, **SPAN)
    assert pairs.amount.shape == (0,)


def test_transactions_come_back_as_the_models_input_columns(
    service_engine: Engine, tenant: Tenant
) -> None:
    batch = [
        old(tenant, 31, type="CASH_OUT", amount=1 / 3, name_dest="M7", step=7),
        old(tenant, 32, type="PAYMENT", oldbalance_org=-0.1, oldbalance_dest=0.3),
    ]
    store(service_engine, *batch)
    say(service_engine, batch[1], "confirmed_fraud")
    found = read_matured_transactions(service_engine, tenant.id, **SPAN)
    wanted = PAYSIM_FEATURES.matrix_of([d.transaction for d in batch])
    assert PAYSIM_FEATURES.matrix(found.columns).tobytes() == wanted.tobytes()
    assert found.event_type == PAYSIM
    assert found.is_fraud.tolist() == [False, True]


@dataclass(frozen=True)
class Crowd:
    """Thousands of decisions of two tenants in four months, shadow scores, and statistics."""

    engine: Engine
    tenant_id: int


@pytest.fixture(scope="module")
def crowd(make_database: Callable[..., str], migrated_template: str) -> Iterator[Crowd]:
    """A crowd that tests only look at."""
    url = make_database(template=migrated_template)
    owner, engine = open_database(url), open_database(url, role=SERVICE_ROLE)
    with owner.begin() as connection:
        make_months(connection, [Month.of(NOW).plus(-months) for months in (1, 2, 3)])
    chance = random.Random(0)  # noqa: S311 - a test
    tenants = []
    for slug in ("mine", "other"):
        tenants.append(create_tenant(owner, slug, "fraud-demo"))
        record_promotions(owner, [tenants[-1].id], a_model(version=CHAMPION))
        batch = [old(tenants[-1], chance.uniform(0, 80)) for _ in range(2000)]
        store(engine, *batch)
        ShadowLog(engine).write([a_shadow_score(d) for d in batch])
        for decision in batch[:20]:
            say(engine, decision, "confirmed_fraud")
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    yield Crowd(engine, tenants[0].id)
    engine.dispose()
    owner.dispose()


@pytest.mark.parametrize(
    ("nth", "statement", "tables"),
    [
        (
            sql.NTH_PREDICTION,
            sql.DECISIONS,
            {"predictions", "transactions"},
        ),
        (
            sql.NTH_PREDICTION,
            sql.TRANSACTIONS,
            {"predictions", "transactions"},
        ),
        (
            sql.NTH_SHADOW,
            sql.PAIRS,
            {"predictions", "transactions", "shadow_scores"},
        ),
    ],
)
def test_a_few_days_are_read_by_index_in_their_month_alone(
    crowd: Crowd, nth: Any, statement: str, tables: set[str]
) -> None:
    middle = Month.of(NOW).plus(-1)
    now = datetime(middle.year, middle.month, 20, tzinfo=UTC)
    with tenant_transaction(crowd.engine, crowd.tenant_id) as connection:
        given = reader.span_of(crowd.tenant_id, 3, 2, now) | {
            "limit": 10,
            "names": [CHAMPION.name],
            "versions": [CHAMPION.version],
            "champion": CHAMPION.name,
            "champion_version": CHAMPION.version,
            "challenger": CHALLENGER.name,
            "challenger_version": CHALLENGER.version,
            "types": ["TRANSFER"],
        }
        assert reader.apply_limit(connection, nth, given)
        driver = connection.connection.driver_connection
        assert isinstance(driver, Connection)
        driver.execute(sql.NO_NESTED_LOOPS)
        (rows,) = driver.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", given).fetchone()
    nodes = list(walk(rows[0]["Plan"]))
    assert nodes[0]["Actual Rows"] == 10
    assert not scanned_whole(nodes)
    assert "Nested Loop" not in {node["Node Type"] for node in nodes}
    read = {n["Relation Name"] for n in nodes if n.get("Relation Name", "")[-1:].isdigit()}
    assert read == {middle.partition_of(table) for table in tables}
