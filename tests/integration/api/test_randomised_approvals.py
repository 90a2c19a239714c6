"""Randomised approvals: set by a request, stored with each decision, shown and not queued."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from persistence.decisions.rows import Decided, read_decision
from persistence.decisions.writer import DecisionLog
from persistence.monitoring.tenant_activity import tenant_activity
from persistence.policies import current_policies
from persistence.tenancy import see_all_tenants
from scoring.exploration import Exploration
from scoring.policy import CostModel, Policy
from tests.support.data.policies import set_policy
from tests.support.data.review import decide
from tests.support.fixture_types import MakeTenant, Rows
from tests.support.management_api import connected, send

EXPLORE = {"share": 0.02, "max_amount": 200.0}


def by_chance(decision: Decided, outcome: Any) -> Decided:
    """The same decision as chance made it, with probability 0.02."""
    drawn = decision.prediction._replace(decision=outcome, approval_probability=0.02)
    return decision._replace(prediction=drawn)


def test_they_are_off_until_set_stay_through_other_changes_and_end_by_null_or_withdrawal(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    mine, other = make_tenant("mine"), make_tenant("other")
    with connected(service_engine) as request:

        def explore(method: str, body: Any = None) -> Any:
            reply = request(mine.id, method, "/policy", body)
            assert reply.status_code == 200, reply.text
            return reply.json()["explore"]

        assert explore("GET") is None
        assert explore("PUT", {"explore": EXPLORE}) == EXPLORE
        assert explore("PUT", {"threshold": 0.2}) == EXPLORE
        assert explore("GET") == EXPLORE
        assert request(other.id, "GET", "/policy").json()["explore"] is None
        assert set(current_policies(service_engine)) == {mine.id}
        assert explore("PUT", {"explore": None}) is None
        assert explore("PUT", {"explore": EXPLORE}) == EXPLORE
        assert explore("DELETE") is None
    audited = rows("SELECT after FROM audit_log WHERE action = 'policy.created' ORDER BY id")
    after = [entry["after"]["policy"] or {} for entry in audited]
    assert [policy.get("explore") for policy in after] == [EXPLORE, EXPLORE, None, EXPLORE, None]


@pytest.mark.parametrize(
    ("explore", "field"),
    [
        ({}, "explore.share"),
        ({"share": 0.02}, "explore.max_amount"),
        ({"max_amount": 200.0}, "explore.share"),
        (EXPLORE | {"share": 0}, "explore.share"),
        (EXPLORE | {"share": 0.11}, "explore.share"),
        (EXPLORE | {"share": "0.02"}, "explore.share"),
        (EXPLORE | {"max_amount": 0}, "explore.max_amount"),
        (EXPLORE | {"max_amount": 2e12}, "explore.max_amount"),
        (EXPLORE | {"max_amount": None}, "explore.max_amount"),
        (EXPLORE | {"surprise": 1}, "explore.surprise"),
        (0.02, "explore"),
    ],
)
def test_a_number_out_of_range_is_422_with_its_field(
    service_engine: Engine, make_tenant: MakeTenant, explore: Any, field: str
) -> None:
    (reply,) = send(service_engine, [(make_tenant().id, "PUT", "/policy", {"explore": explore})])
    assert reply.status_code == 422
    assert field in {error["field"] for error in reply.json()["errors"]}


def test_a_decision_by_chance_reads_back_and_is_the_answer_to_a_retry(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant, log = make_tenant(), DecisionLog(service_engine)
    stored = by_chance(decide(tenant, 0.9, external_id="order-1"), "approve")
    log.write([stored])
    read = read_decision(service_engine, tenant.id, stored.prediction_id)
    assert read.prediction == stored.prediction
    (again,) = log.write([decide(tenant, 0.9, external_id="order-1")])
    assert isinstance(again, Decided)
    assert (again.prediction_id, again.prediction) == (stored.prediction_id, stored.prediction)


def test_what_chance_approved_is_shown_everywhere_but_on_the_worklist(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant, other = make_tenant("mine"), make_tenant("other")
    approved, reviewed = (
        by_chance(decide(tenant, 0.9), outcome) for outcome in ("approve", "review")
    )
    plain = decide(tenant, 0.9)
    DecisionLog(service_engine).write([approved, reviewed, plain])
    with connected(service_engine) as request:

        def read(path: str, tenant_id: int = tenant.id) -> Any:
            return request(tenant_id, "GET", path).json()

        queued = [case["transaction_id"] for case in read("/queue")["items"]]
        assert set(queued) == {str(one.transaction_id) for one in (reviewed, plain)}
        high = {case["transaction_id"] for case in read("/queue?risk_band=high")["items"]}
        assert high == set(queued)
        found = {
            case["transaction_id"]: (case["decision"], case["approval_probability"])
            for case in read("/transactions")["items"]
        }
        assert found == {
            str(approved.transaction_id): ("approve", 0.02),
            str(reviewed.transaction_id): ("review", 0.02),
            str(plain.transaction_id): ("review", None),
        }
        of = f"/transactions/{approved.transaction_id}"
        prediction = read(of)["prediction"]
        assert (prediction["decision"], prediction["approval_probability"]) == ("approve", 0.02)
        assert (
            read(f"/transactions/{plain.transaction_id}")["prediction"]["approval_probability"]
            is None
        )
        assert request(other.id, "GET", of).status_code == 404
        lines = csv.DictReader(io.StringIO(request(tenant.id, "GET", "/transactions.csv").text))
        exported = {line["transaction_id"]: line["approval_probability"] for line in lines}
    assert exported == {
        str(one.transaction_id): "" if one is plain else "0.02"
        for one in (approved, reviewed, plain)
    }


def test_only_what_chance_approved_is_nothing_that_waits_for_an_analyst(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()

    def is_waiting() -> bool:
        with engine.begin() as connection:
            see_all_tenants(connection)
            (activity,) = tenant_activity(connection, datetime.now(UTC))
        return activity.is_waiting

    DecisionLog(service_engine).write([by_chance(decide(tenant, 0.9), "approve")])
    assert not is_waiting()
    DecisionLog(service_engine).write([by_chance(decide(tenant, 0.9), "review")])
    assert is_waiting()


def test_postgres_refuses_randomised_approvals_out_of_range(
    service_engine: Engine, make_tenant: MakeTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = make_tenant()
    policy = replace(Policy.at(0.05, CostModel()), explore=Exploration(0.02, 200.0))
    numbers = policy.as_numbers()
    set_policy(service_engine, tenant.id, policy, "admin")
    for wrong in ({"share": 0.2, "max_amount": 1}, {"share": 0.02}, {"max_amount": 1}, None, 1):
        monkeypatch.setattr(Policy, "as_numbers", lambda _, w=wrong: numbers | {"explore": w})
        with pytest.raises(Exception, match="explore_in_range"):
            set_policy(service_engine, tenant.id, policy, "admin")
