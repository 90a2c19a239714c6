"""Transactions, predictions and keys are complete without foreign keys between them.

See docs/decisions/0009-keys-of-the-decision-log.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, text

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.maintenance.maintenance import maintain
from persistence.maintenance.retention import delete_keys, delete_late_keys, drop_month
from persistence.tenancy import every_tenants_transaction, tenant_transaction
from scoring.errors import InFlight, InvalidRequest, NotStorable, StoreMisconfigured
from scoring.prediction import ModelVersion
from tests.support.data.partition_months import NOW, THIS, decided_in
from tests.support.factories import a_decision, write_whole
from tests.support.fixture_types import MakeTenant, Rows

MISSING = {
    "a prediction's transaction": """
        SELECT FROM predictions p WHERE NOT EXISTS (
            SELECT FROM transactions t WHERE (t.tenant_id, t.id) = (p.tenant_id, p.transaction_id))
    """,
    "a transaction's prediction": """
        SELECT FROM transactions t WHERE NOT EXISTS (
            SELECT FROM predictions p WHERE (p.tenant_id, p.transaction_id) = (t.tenant_id, t.id))
    """,
    "a key's prediction": """
        SELECT FROM idempotency_keys k WHERE NOT EXISTS (
            SELECT FROM predictions p WHERE (p.tenant_id, p.id) = (k.tenant_id, k.prediction_id))
    """,
    "a transaction's key": """
        SELECT FROM transactions t WHERE external_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM idempotency_keys k WHERE (k.tenant_id, k.key) = (t.tenant_id, external_id))
    """,
    "a transaction's tenant": """
        SELECT FROM transactions WHERE tenant_id NOT IN (SELECT id FROM tenants)
    """,
    "a key's tenant": """
        SELECT FROM idempotency_keys WHERE tenant_id NOT IN (SELECT id FROM tenants)
    """,
}


def missing(rows: Rows) -> dict[str, int]:
    """Return what rows refer to and is not there, and how often."""
    counts = {what: len(rows(statement)) for what, statement in MISSING.items()}
    return {what: count for what, count in counts.items() if count}


def test_rows_without_their_counterpart_are_found(
    engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant_id = make_tenant().id
    batch = [a_decision(tenant_id, external_id=f"{i}") for i in range(5)]
    DecisionLog(engine).write(batch)
    lost = {"p": batch[0].prediction_id, "t": batch[1].transaction_id, "k": "2"}
    with tenant_transaction(engine, tenant_id) as connection:
        connection.execute(text("DELETE FROM predictions WHERE id = :p"), lost)
        connection.execute(text("DELETE FROM transactions WHERE id = :t"), lost)
        connection.execute(text("DELETE FROM idempotency_keys WHERE key = :k"), lost)
    assert missing(rows) == {
        "a prediction's transaction": 1,
        "a transaction's prediction": 1,
        "a key's prediction": 1,
        "a transaction's key": 1,
    }


def test_no_batch_leaves_a_row_without_its_counterpart(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant_id, log = make_tenant().id, DecisionLog(service_engine)
    first = [a_decision(tenant_id, external_id=f"{i % 3}") for i in range(9)]
    log.write(first)  # one key several times in a batch
    log.write([a_decision(tenant_id), *first[:3], a_decision(tenant_id, external_id="new")])
    impossible = a_decision(tenant_id, external_id="impossible", score=1.5)
    *_, refused = log.write([a_decision(tenant_id, external_id="mate"), impossible])
    assert isinstance(refused, NotStorable)
    with pytest.raises(NotStorable):
        write_whole(log, [a_decision(tenant_id, external_id="whole"), impossible])
    another = a_decision(tenant_id, external_id="0", amount=7.0)
    with pytest.raises(InvalidRequest):
        write_whole(log, [a_decision(tenant_id, external_id="whole"), another])
    assert missing(rows) == {}
    keys = {row["key"] for row in rows("SELECT key FROM idempotency_keys")}
    assert keys == {"0", "1", "2", "new", "mate"}


def test_a_decision_of_an_unknown_tenant_is_not_stored(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    nobody = make_tenant().id + 1
    (outcome,) = DecisionLog(service_engine).write([a_decision(nobody, external_id="order-1")])
    assert isinstance(outcome, NotStorable)
    assert rows("SELECT FROM transactions UNION ALL SELECT FROM idempotency_keys") == []


def test_a_decision_of_an_unrecorded_version_is_not_stored(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    decided = a_decision(make_tenant().id)
    unknown = decided.prediction._replace(model=ModelVersion("fraud-demo", 99))
    (outcome,) = DecisionLog(service_engine).write([decided._replace(prediction=unknown)])
    assert isinstance(outcome, NotStorable)
    assert rows("SELECT FROM transactions") == []


@pytest.mark.parametrize(
    "statement",
    [
        f"{verb} {table}{change}"
        for table, column in [
            ("idempotency_keys", "prediction_id"),
            ("transactions", "id"),
            ("predictions", "id"),
            ("predictions", "transaction_id"),
            ("tenants", "slug"),
            ("model_versions", "name"),
        ]
        for verb, change in [("DELETE FROM", ""), ("UPDATE", f" SET {column} = {column}")]
    ],
)
def test_the_service_may_not_delete_or_change_a_referenced_row(
    service_engine: Engine, make_tenant: MakeTenant, statement: str
) -> None:
    tenant_id = make_tenant().id
    with (
        pytest.raises(StoreMisconfigured, match="permission denied"),
        tenant_transaction(service_engine, tenant_id) as connection,
    ):
        connection.execute(text(statement))


def test_retention_deletes_decisions_with_their_keys(
    owner: Engine, decide: Callable[..., Decided], rows: Rows
) -> None:
    for age in range(4):
        decide(THIS.plus(-age), feedback=True, external_id=f"{age}")
    maintain(owner, NOW)
    assert missing(rows) == {}
    maintain(owner, NOW, retain_months=1)
    assert missing(rows) == {}
    assert len(rows("SELECT FROM idempotency_keys")) == 2


def test_a_key_stored_while_its_month_is_dropped_is_deleted(
    owner: Engine, engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant_id, old = make_tenant().id, THIS.plus(-3)
    stored: dict[str, Any] = {"engine": engine, "tenant_id": tenant_id, "month": old}
    decided_in(**stored, external_id="early")
    maintain(owner, NOW)
    with owner.connect() as connection:
        assert delete_keys(connection, old) == (1, 1)
        decided_in(**stored, external_id="late")
        with connection.begin():
            drop_month(connection, old)
        again = a_decision(tenant_id, external_id="late")
        (outcome,) = DecisionLog(engine).write([again])
        assert isinstance(outcome, InFlight)
        with every_tenants_transaction(connection):
            assert delete_late_keys(connection, old) == 1
    assert missing(rows) == {}
    assert DecisionLog(engine).write([again]) == [again]
