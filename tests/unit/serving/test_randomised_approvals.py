"""A tenant whose policy explores: what is decided by chance, and what its replies say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import orjson
import pytest

from observability.request_id import Origin
from observability.tracing import Traces
from persistence.decisions.rows import Decided
from persistence.policies import TenantPolicy
from scoring.event_type.event import Event
from scoring.exploration import MAX_SHARE, Exploration
from scoring.model.booster_locks import BoosterLocks
from scoring.model.fraud_model import FraudModel
from scoring.policy import CostModel, Policy
from scoring.prediction import ModelVersion
from serving.batching.batch_scorer import BatchScorer
from serving.batching.item import Item
from serving.batching.predictor import Predictor
from serving.deployment.assignment import DeploymentState, ModelAssignment
from serving.history import History
from serving.prepared_entities import PreparedEntities
from tests.support.event_types import NOW_US, an_event_type
from tests.support.factories import a_model, a_transaction
from tests.support.own_models import a_model_of, features_of

STRICT = Policy.at(1e-9, CostModel())
"""Every payment would be reviewed."""
EXPLORE = Exploration(MAX_SHARE, 1000.0)
EXPLORING = Policy(STRICT.cost_model, STRICT.threshold, STRICT.high_from, EXPLORE)


@pytest.fixture(scope="module")
def model() -> FraudModel:
    return a_model(version=ModelVersion("fraud-demo", 1)).as_served()


def decide(
    model: FraudModel, events: list[Any], policy: Policy | None, *, is_test: bool = False
) -> tuple[list[Decided], list[dict[str, Any]]]:
    """Decide each event by a request of its own; return decisions and replies without latency."""
    nobody = cast("Any", None)
    predictor = Predictor(BoosterLocks(), History(nobody, nobody, PreparedEntities(nobody)))
    scorer = BatchScorer(nobody, predictor, nobody, Traces())
    own = TenantPolicy(7, policy, "admin", datetime.now(UTC)) if policy else None
    assignment = ModelAssignment(DeploymentState(is_test, None, None, 0.0), model, None, own)
    batch = scorer.decide([Item(1, assignment, [event], 0.0, Origin("r")) for event in events])
    batch.render()
    replies = [orjson.loads(batch.rendered.get(one) + b"}") for one in batch.decisions]
    return batch.decisions, replies


def test_a_share_of_the_would_be_reviews_is_approved_and_says_so(model: FraudModel) -> None:
    decided, replies = decide(model, [a_transaction(amount=10.0)] * 2000, EXPLORING)
    approved = [one.prediction.decision == "approve" for one in decided]
    assert approved == [EXPLORE.approves(one.prediction_id) for one in decided]
    assert 120 < sum(approved) < 280
    assert [reply["decision"] == "approve" for reply in replies] == approved
    assert {reply["approval_probability"] for reply in replies} == {MAX_SHARE}
    assert {reply["risk_band"] for reply in replies} == {decided[0].prediction.risk_band} != {"low"}


def test_larger_payments_are_decided_as_without_exploration(model: FraudModel) -> None:
    events = [a_transaction(amount=1000.01)] * 200
    decided, replies = decide(model, events, EXPLORING)
    _, plain = decide(model, events, STRICT)
    assert {one.prediction.decision for one in decided} == {"review"}
    without_ids = [
        [{name: v for name, v in reply.items() if not name.endswith("_id")} for reply in some]
        for some in (replies, plain)
    ]
    assert without_ids[0] == without_ids[1]


def test_without_exploration_a_reply_has_the_members_it_always_had(model: FraudModel) -> None:
    for policy in (None, STRICT):
        (reply,) = decide(model, [a_transaction(amount=10.0)], policy)[1]
        assert list(reply) == [
            "transaction_id", "prediction_id", "score", "risk_band", "decision", "threshold",
            "top_features", "base_value", "margin", "model",
        ]  # fmt: skip


def test_a_fixed_test_payment_is_never_drawn(model: FraudModel) -> None:
    events = [a_transaction(name_orig="TEST-HIGH", amount=10.0)] * 200
    decided, _ = decide(model, events, EXPLORING, is_test=True)
    assert {one.prediction.decision for one in decided} == {"review"}
    assert {one.prediction.approval_probability for one in decided} == {None}


def test_an_own_event_without_an_amount_is_never_drawn() -> None:
    event_type = an_event_type(TX_AMOUNT={"kind": "number", "role": "amount", "optional": True})
    own = a_model_of(
        features_of({"amount": "TX_AMOUNT"}, event_type), version=ModelVersion("fraud-own", 1)
    )

    def events(amount: float | None) -> list[Event]:
        values = {"TX_DATETIME": "2026-03-31T12:00:00Z", "CUSTOMER_ID": "c", "TERMINAL_ID": "t"}
        return [Event(event_type, values | {"TX_AMOUNT": amount, "CHANNEL": None}, NOW_US)] * 50

    drawn, _ = decide(own, events(10.0), EXPLORING)
    assert {one.prediction.approval_probability for one in drawn} == {MAX_SHARE}
    without, _ = decide(own, events(None), EXPLORING)
    assert {one.prediction.approval_probability for one in without} == {None}
