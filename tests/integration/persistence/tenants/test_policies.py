"""A tenant's policy is set, withdrawn, announced to every process, and named by its decisions."""

from __future__ import annotations

from time import monotonic

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from persistence.decisions.rows import Decided, read_decision
from persistence.decisions.writer import DecisionLog
from persistence.engine import open_database
from persistence.policies import current_policies, current_policy, listen
from persistence.tenancy import SERVICE_ROLE, tenant_transaction
from scoring.errors import NotStorable, StoreUnavailable
from scoring.policy import CostModel, Policy
from tests.support.data.policies import set_policy
from tests.support.factories import a_decision, a_model
from tests.support.fixture_types import MakeTenant, Rows

STRICT = Policy(CostModel(0, 1, 5), threshold=0.01, high_from=0.4)
LAX = Policy.at(0.7, CostModel())


def test_a_tenant_has_no_policy_of_its_own_until_one_is_set(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    assert current_policy(service_engine, tenant.id) is None
    assert current_policies(service_engine) == {}


def test_the_newest_policy_is_in_force_and_older_ones_are_kept(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    mine, other = make_tenant("mine"), make_tenant("other")
    first = set_policy(service_engine, mine.id, STRICT, "abc")
    second = set_policy(service_engine, mine.id, LAX, "abc")
    others = set_policy(service_engine, other.id, STRICT, "xyz")
    assert second.id > first.id
    assert (second.policy, second.actor) == (LAX, "abc")
    assert current_policy(service_engine, mine.id) == second
    assert current_policies(service_engine) == {mine.id: second, other.id: others}
    assert rows("SELECT count(*) FROM policies")[0]["count"] == 3


def test_after_a_withdrawal_a_tenant_has_no_policy_of_its_own(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    set_policy(service_engine, tenant.id, STRICT, "abc")
    withdrawn = set_policy(service_engine, tenant.id, None, "def")
    assert withdrawn.policy is None
    assert current_policy(service_engine, tenant.id) == withdrawn
    assert current_policies(service_engine) == {}
    again = set_policy(service_engine, tenant.id, LAX, "abc")
    assert current_policies(service_engine) == {tenant.id: again}


def test_setting_and_withdrawing_are_audited_with_the_actor_and_the_policy_before(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant = make_tenant()
    versions_own = a_model().policy.as_numbers()
    set_policy(service_engine, tenant.id, STRICT, "abc")
    set_policy(service_engine, tenant.id, None, "def")
    set_policy(service_engine, tenant.id, LAX, "ghi")
    audited = rows(
        "SELECT actor, action, before, after FROM audit_log WHERE action LIKE 'policy%' ORDER BY id"
    )
    assert [(r["actor"], r["action"]) for r in audited] == [
        ("abc", "policy.created"),
        ("def", "policy.created"),
        ("ghi", "policy.created"),
    ]
    assert [r["after"]["policy"] for r in audited] == [
        STRICT.as_numbers(),
        None,
        LAX.as_numbers(),
    ]
    in_force = [r["before"]["policy"] for r in audited]
    assert in_force == [versions_own, STRICT.as_numbers(), versions_own]


@pytest.mark.parametrize(
    "policy",
    [
        {"threshold": 0.0, "high_from": 0.5},
        {"threshold": 0.5, "high_from": 1.0},
        {"threshold": 0.6, "high_from": 0.5},
        {"threshold": 0.5},
        {},
        [],
    ],
)
def test_postgres_refuses_a_policy_out_of_range(
    engine: Engine, make_tenant: MakeTenant, policy: object
) -> None:
    tenant = make_tenant()
    statement = text("INSERT INTO policies (tenant_id, policy, actor) VALUES (:t, :p, 'me')")
    with (
        pytest.raises(IntegrityError, match="policy_in_range"),
        tenant_transaction(engine, tenant.id) as connection,
    ):
        connection.execute(statement, {"t": tenant.id, "p": str(policy).replace("'", '"')})


def test_a_policy_cannot_be_set_for_a_tenant_outside_the_transaction(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    mine, other = make_tenant("mine"), make_tenant("other")
    with (
        pytest.raises(DBAPIError, match="row-level security"),
        tenant_transaction(service_engine, mine.id) as connection,
    ):
        connection.execute(
            text("INSERT INTO policies (tenant_id, actor) VALUES (:t, 'me')"), {"t": other.id}
        )


def test_a_decision_keeps_the_policy_that_decided_it_when_another_is_set(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    log = DecisionLog(service_engine)
    strict = set_policy(service_engine, tenant.id, STRICT, "abc")
    decided = a_decision(tenant.id, external_id="one")._replace(policy_id=strict.id)
    plain = a_decision(tenant.id, external_id="two")
    assert log.write([decided, plain]) == [decided, plain]
    set_policy(service_engine, tenant.id, LAX, "abc")
    stored = [read_decision(service_engine, tenant.id, d.prediction_id) for d in (decided, plain)]
    assert [d.policy_id for d in stored] == [strict.id, None]
    assert [d.prediction for d in stored] == [decided.prediction, plain.prediction]
    (answer,) = log.write([a_decision(tenant.id, external_id="one")])
    assert isinstance(answer, Decided)
    assert answer.policy_id == strict.id


def test_a_decision_cannot_name_another_tenants_policy(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    mine, other = make_tenant("mine"), make_tenant("other")
    theirs = set_policy(service_engine, other.id, STRICT, "abc")
    decided = a_decision(mine.id)._replace(policy_id=theirs.id)
    (outcome,) = DecisionLog(service_engine).write([decided])
    assert isinstance(outcome, NotStorable)


def test_a_listener_is_notified_when_a_policy_is_set_or_withdrawn(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    mine, other = make_tenant("mine"), make_tenant("other")
    with listen(service_engine) as changes:
        assert changes.wait(0) == set()
        for tenant, policy in [(mine, STRICT), (other, LAX), (mine, None)]:
            set_policy(service_engine, tenant.id, policy, "abc")
            begun = monotonic()
            assert changes.wait(5) == {tenant.id}
            assert monotonic() - begun < 1
        assert changes.wait(0.1) == set()


def test_a_rolled_back_policy_notifies_no_listener(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    insert = text("INSERT INTO policies (tenant_id, actor) VALUES (:t, 'me')")
    with listen(service_engine) as changes:
        with service_engine.connect() as connection, connection.begin() as undone:
            connection.execute(
                text("SELECT set_config('sentinel.tenant_ids', :t, true)"), {"t": str(tenant.id)}
            )
            connection.execute(insert, {"t": tenant.id})
            undone.rollback()
        assert changes.wait(0.3) == set()


def test_a_listener_may_wait_longer_than_a_statement_may_take(
    database: str, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    engine = open_database(database, role=SERVICE_ROLE, statement_timeout_s=0.1, pool_size=1)
    with listen(engine) as changes:
        assert changes.wait(1.7) == set()
        # The listener has left the pool, whose only connection is free.
        set_policy(engine, tenant.id, LAX, "abc")
        assert changes.wait(5) == {tenant.id}
    engine.dispose()


def test_a_listener_raises_store_unavailable_when_its_connection_breaks(
    service_engine: Engine, rows: Rows
) -> None:
    with listen(service_engine) as changes:
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
        assert rows(cut)
        with pytest.raises(StoreUnavailable, match="broke off"):
            changes.wait(5)
    with listen(service_engine) as changes:
        assert changes.wait(0) == set()


def test_listening_without_postgres_raises_store_unavailable() -> None:
    with (
        pytest.raises(StoreUnavailable),
        listen(open_database("postgresql://nobody@127.0.0.1:1/none")),
    ):
        pass
