"""Payments are decided by the rules and lists in force, and say so in reply and store."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import Engine

from observability.request_id import Origin
from observability.tracing import Traces
from persistence.decisions.rows import Decided, read_decision
from persistence.decisions.writer import DecisionLog
from persistence.deployments.recording import record_promotions
from persistence.uuid7 import unix_ms_of
from scoring.event_type.event import Event
from scoring.exploration import Exploration
from scoring.lists.entry_rows import NewEntry
from scoring.model.booster_locks import BoosterLocks
from scoring.model.fraud_model import FraudModel
from scoring.policy import CostModel, Policy
from scoring.prediction import ModelVersion
from serving.batching.batch_scorer import BatchScorer
from serving.batching.item import Item
from serving.batching.predictor import Predictor
from serving.deployment.assignment import DeploymentState, ModelAssignment
from serving.deployment.tenant_settings import TenantSettings
from serving.history import Folder, History
from serving.prepared_entities import PreparedEntities
from serving.responses import Answered
from serving.shadow import ShadowScorer
from tests.support.data.own_events import CardTenant
from tests.support.data.policies import set_policy
from tests.support.data.rules import (
    drop_list,
    put_entries,
    put_list,
    put_rule,
    put_snooze,
    put_version,
    take_out,
)
from tests.support.own_models import WITH_WINDOWS, a_model_of, features_of

NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)
LATER = datetime.now(UTC) + timedelta(days=7)


class NoFolder:
    """Moves nothing: no entity has a stored past here."""

    def add(self, *_: object) -> None:
        """Do nothing."""


class Desk:
    """A tenant that sends card payments, and a process that decides them."""

    def __init__(self, engine: Engine, service_engine: Engine) -> None:
        version = ModelVersion("fraud-cards", 2)
        self.model: FraudModel = a_model_of(features_of(WITH_WINDOWS), version=version).as_served()
        self.cards = CardTenant(engine, self.model.features.event_type)
        record_promotions(engine, [self.cards.id], self.model)
        never = Policy(CostModel(), 0.9999, 0.99999)  # the model reviews nothing
        set_policy(engine, self.cards.id, never, "admin")
        self.engine = service_engine
        self.settings = TenantSettings(service_engine)
        history = History(
            service_engine, cast("Folder", NoFolder()), PreparedEntities(service_engine)
        )
        self._scorer = BatchScorer(
            DecisionLog(service_engine),
            Predictor(BoosterLocks(), history),
            cast("ShadowScorer", None),  # there is no challenger
            Traces(),
        )
        self._sent = 0

    @property
    def id(self) -> int:
        return self.cards.id

    def item(self, *payments: Event) -> Item:
        """Return a request by what is in force now."""
        deployment = DeploymentState(False, None, None, 0.0)
        policy, rules = self.settings.policy(self.id), self.settings.rules(self.id)
        assignment = ModelAssignment(deployment, self.model, None, policy, rules)
        return Item(self.id, assignment, payments, 0.0, Origin("one"))

    def payment(self, **values: object) -> Event:
        """Return a payment, a minute after the one before."""
        self._sent += 1
        at = (NOON + timedelta(minutes=self._sent)).isoformat()
        return self.cards.event(**{"TX_DATETIME": at} | values)

    def pay(self, **values: object) -> tuple[dict[str, Any], Decided]:
        """Decide and store a payment; return the reply and the decision as it was stored."""
        self.settings.refresh()
        (answer,), _ = self._scorer.score([self.item(self.payment(**values))])
        assert isinstance(answer, Answered), answer
        return self._read(answer.decisions[0])

    def pay_all(self, count: int, **values: object) -> list[tuple[dict[str, Any], Decided]]:
        """Decide and store a batch."""
        self.settings.refresh()
        payments = [self.payment(**values) for _ in range(count)]
        (answer,), _ = self._scorer.score_bulk([self.item(*payments)])
        assert isinstance(answer, Answered), answer
        return [self._read(reply) for reply in answer.decisions]

    def _read(self, rendered: bytes) -> tuple[dict[str, Any], Decided]:
        reply = json.loads(rendered + b"}")
        return reply, read_decision(self.engine, self.id, reply["prediction_id"])


@pytest.fixture
def desk(engine: Engine, service_engine: Engine) -> Desk:
    return Desk(engine, service_engine)


def by(kind: str, number: int | None = None, version: int | None = None) -> dict[str, Any]:
    return {"kind": kind, "id": number, "version": version}


def test_without_rules_and_lists_a_reply_is_what_it_was(desk: Desk) -> None:
    reply, stored = desk.pay()
    assert not reply.keys() & {"decided_by", "rules", "list_entries", "decline_threshold"}
    assert stored.prediction.ruling is None


def test_a_live_rule_decides_and_the_models_score_stays(desk: Desk) -> None:
    before, _ = desk.pay(CUSTOMER_ID="A")
    put_rule(desk.engine, desk.id, condition="TX_AMOUNT > 10", action="decline")
    reply, stored = desk.pay(CUSTOMER_ID="B")
    assert (reply["decision"], reply["decided_by"]) == ("decline", by("rule", 1, 1))
    assert reply["rules"]["fired"] == [{"id": 1, "version": 1}]
    assert reply["score"] == before["score"]
    assert reply["top_features"] == before["top_features"]
    assert stored.prediction.decision == "decline"
    ruling = stored.prediction.ruling
    assert ruling is not None
    assert (ruling.as_of, ruling.verdict.fired) == (1, ((1, 1),))


def test_a_rule_in_shadow_and_a_rule_that_is_off_decide_nothing(desk: Desk) -> None:
    shadow = put_rule(desk.engine, desk.id, condition="TX_AMOUNT > 10", state="shadow")
    reply, _ = desk.pay()
    assert (reply["decision"], reply["decided_by"]) == ("approve", by("model"))
    assert reply["rules"]["shadow"] == [{"id": 1, "version": 1}]
    put_version(desk.engine, desk.id, shadow, state="off")
    reply, stored = desk.pay()
    assert "decided_by" not in reply
    assert stored.prediction.ruling is None


def test_lists_and_rules_decide_in_their_order(desk: Desk) -> None:
    put_rule(desk.engine, desk.id, name="all", condition="TX_AMOUNT > 10", action="review")
    put_list(desk.engine, desk.id, "blocked", ["B"], entity="customer")
    put_list(desk.engine, desk.id, "trusted", ["T", "B"], entity="customer", action="approve")
    assert desk.pay(CUSTOMER_ID="X")[0]["decision"] == "review"
    reply, _ = desk.pay(CUSTOMER_ID="T")
    assert reply["decision"] == "approve"
    assert reply["decided_by"]["kind"] == "list_entry"
    (match,) = reply["list_entries"]
    assert (match["list_id"], match["field"]) == (2, "CUSTOMER_ID")
    assert match["entry_id"] == reply["decided_by"]["id"]
    assert reply["rules"]["fired"] == [{"id": 1, "version": 1}]
    assert desk.pay(CUSTOMER_ID="B")[0]["decision"] == "approve"
    take_out(desk.engine, desk.id, "trusted", "B")
    assert desk.pay(CUSTOMER_ID="B")[0]["decision"] == "decline"
    drop_list(desk.engine, desk.id, "blocked")
    assert desk.pay(CUSTOMER_ID="B")[0]["decision"] == "review"


def test_an_entry_and_a_snooze_end_by_the_time_in_the_predictions_id(desk: Desk) -> None:
    put_list(desk.engine, desk.id, "blocked", entity="customer")
    soon = datetime.now(UTC) + timedelta(seconds=0.7)
    put_entries(desk.engine, desk.id, "blocked", NewEntry("B", "for a moment", soon))
    put_rule(desk.engine, desk.id, condition="TX_AMOUNT > 10")
    put_snooze(desk.engine, desk.id, 1, "S", soon, "customer")
    seen = []
    while not seen or seen[-1][1] < soon.timestamp() * 1000 + 300:
        blocked, stored = desk.pay(CUSTOMER_ID="B")
        snoozed, _ = desk.pay(CUSTOMER_ID="S")
        seen.append((blocked["decision"], unix_ms_of(stored.prediction_id), snoozed["decision"]))
    end_ms = int(soon.timestamp() * 1000)
    assert {first for first, at, _ in seen if at < end_ms} == {"decline"}
    assert {first for first, at, _ in seen if at >= end_ms} == {"review"}
    assert seen[0][2] == "approve"
    assert seen[-1][2] == "review"


def test_a_snoozed_rule_is_stored_as_snoozed(desk: Desk) -> None:
    put_rule(desk.engine, desk.id, condition="TX_AMOUNT > 10")
    put_snooze(desk.engine, desk.id, 1, "S", LATER, "customer")
    reply, stored = desk.pay(CUSTOMER_ID="S")
    assert (reply["decision"], reply["decided_by"]) == ("approve", by("model"))
    assert reply["rules"]["snoozed"] == [{"id": 1, "version": 1}]
    assert stored.prediction.ruling
    assert stored.prediction.ruling.verdict.snoozed == ((1, 1),)


def test_a_window_that_only_a_rule_has_sees_the_payments_before(desk: Desk) -> None:
    condition = "count(by=CUSTOMER_ID, window='3h') >= 3"
    put_rule(desk.engine, desk.id, condition=condition, action="decline")
    decisions = [desk.pay(CUSTOMER_ID="W")[0]["decision"] for _ in range(5)]
    assert decisions == ["approve"] * 3 + ["decline"] * 2
    _, stored = desk.pay(CUSTOMER_ID="W")
    assert stored.prediction.ruling
    (value,) = stored.prediction.ruling.windows.values()
    assert value == 5.0


def test_the_features_of_the_model_are_the_same_with_windows_of_rules(desk: Desk) -> None:
    plain = [desk.pay(CUSTOMER_ID="P")[1].prediction for _ in range(4)]
    put_rule(desk.engine, desk.id, condition="sum(TX_AMOUNT, by=TERMINAL_ID, window='5d') > 1e9")
    ruled = [desk.pay(CUSTOMER_ID="Q")[1].prediction for _ in range(4)]
    names = plain[0].described.names
    by_customer = [names.index("events_1d"), names.index("amount_over_mean")]
    assert [plain[3].features[i] for i in by_customer] == [3.0, 1.0]
    for one, other in zip(plain, ruled, strict=True):
        of_both = [[p.features[i] for i in by_customer] for p in (one, other)]
        assert repr(of_both[0]) == repr(of_both[1])  # the first has no mean: NaN


def test_a_rule_without_a_value_fails_and_the_others_go_on(desk: Desk) -> None:
    put_rule(desk.engine, desk.id, name="channel", condition="CHANNEL == 'web'")
    put_rule(desk.engine, desk.id, name="amount", condition="TX_AMOUNT > 10", action="decline")
    reply, _ = desk.pay(CHANNEL=None)
    assert reply["decided_by"] == by("rule", 2, 1)
    assert reply["rules"]["failed"] == [{"id": 1, "version": 1}]


def test_every_row_of_a_batch_is_ruled_as_alone(desk: Desk) -> None:
    put_rule(desk.engine, desk.id, condition="count(by=CUSTOMER_ID, window='9d') >= 300")
    decided = desk.pay_all(310, CUSTOMER_ID="BATCH")
    outcomes = [reply["decision"] for reply, _ in decided]
    assert outcomes == ["approve"] * 300 + ["review"] * 10
    assert [stored.prediction.decision for _, stored in decided] == outcomes


def test_the_policy_declines_from_its_second_threshold(desk: Desk, engine: Engine) -> None:
    score = desk.pay()[0]["score"]
    policy = Policy(CostModel(), score / 4, score / 2, None, score / 2)
    set_policy(engine, desk.id, policy, "admin")
    reply, stored = desk.pay(CUSTOMER_ID="OTHER")
    assert (reply["decision"], reply["decided_by"]) == ("decline", by("model"))
    assert reply["decline_threshold"] == stored.prediction.decline_threshold == score / 2
    put_rule(desk.engine, desk.id, condition="score > 0", action="approve")
    assert desk.pay(CUSTOMER_ID="THIRD")[0]["decision"] == "approve"


def test_chance_approves_reviews_of_the_model_alone(desk: Desk, engine: Engine) -> None:
    explore = Exploration(0.1, 1e6)
    policy = replace(Policy.at(1e-9, CostModel()), explore=explore)
    set_policy(engine, desk.id, policy, "admin")
    put_rule(desk.engine, desk.id, condition="CUSTOMER_ID == 'R'")
    of_model = desk.pay_all(150, CUSTOMER_ID="M")
    assert {stored.prediction.approval_probability for _, stored in of_model} == {0.1}
    assert {reply["decision"] for reply, _ in of_model} == {"approve", "review"}
    of_rule = desk.pay_all(150, CUSTOMER_ID="R")
    assert {stored.prediction.approval_probability for _, stored in of_rule} == {None}
    assert {reply["decision"] for reply, _ in of_rule} == {"review"}


def test_a_change_applies_to_the_next_request_and_compiles_before_it(desk: Desk) -> None:
    rule = put_rule(desk.engine, desk.id, condition="TX_AMOUNT > 10")
    desk.pay()
    rules = desk.settings.rules(desk.id)
    assert rules
    put_version(desk.engine, desk.id, rule, condition="TX_AMOUNT > 10 and TX_AMOUNT < 1e6")
    desk.settings.refresh_tenant(desk.id)
    newer = desk.settings.rules(desk.id)
    assert newer
    assert newer is not rules
    assert newer.compiled_for == rules.compiled_for == 1


def test_more_changed_entries_than_are_read_by_change_are_read_whole(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_list(desk.engine, desk.id, "blocked", ["A"], entity="customer")
    assert desk.pay(CUSTOMER_ID="A")[0]["decision"] == "decline"
    monkeypatch.setattr("persistence.rules.current.MOST_CHANGED", 3)
    put_entries(desk.engine, desk.id, "blocked", *(NewEntry(f"N{i}", "x") for i in range(5)))
    take_out(desk.engine, desk.id, "blocked", "A")
    assert desk.pay(CUSTOMER_ID="A")[0]["decision"] == "approve"
    assert desk.pay(CUSTOMER_ID="N4")[0]["decision"] == "decline"


def test_a_rule_of_another_release_is_named_and_the_rules_before_stay(
    desk: Desk, engine: Engine
) -> None:
    put_rule(desk.engine, desk.id, condition="TX_AMOUNT > 10")
    assert desk.pay()[0]["decision"] == "review"
    make_unreadable(engine, desk)
    desk.settings.refresh()
    assert "rules cannot be read" in desk.settings.unreadable[desk.id]
    assert desk.pay()[0]["decision"] == "review"


def make_unreadable(engine: Engine, desk: Desk) -> None:
    """Store a version that this release cannot have stored."""
    rule = put_rule(desk.engine, desk.id, name="second", condition="TX_AMOUNT > 20")
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE rules DROP CONSTRAINT ck_rules_priority_in_range")
        connection.exec_driver_sql("ALTER TABLE rules DISABLE TRIGGER ALL")
        connection.exec_driver_sql(
            "SELECT set_config('sentinel.tenant_ids', (SELECT string_agg(id::text, ',')"
            " FROM tenants), true)"
        )
        connection.exec_driver_sql(
            f"UPDATE rules SET priority = -1 WHERE id = {rule.rule.id}"  # noqa: S608
        )
