"""Rules, lists and thresholds on stored decisions: exact, and with what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.decisions.shadow_scores import ShadowLog
from persistence.decisions.writer import DecisionLog
from persistence.deployments.recording import record_challenger
from persistence.labels.past_decisions import RuleInputs, read_past_decisions
from persistence.rules.backtesting import History, Tested, try_on_history
from persistence.rules.current import read_rules
from persistence.rules.in_force import rule_set_at
from persistence.rules.index import index_at
from persistence.rules.names import features_in_production
from persistence.rules.tried import (
    ListTried,
    RulesTried,
    RuleTried,
    StoredListTried,
    Tried,
    VersionTried,
)
from persistence.tenancy import tenant_transaction
from persistence.uuid7 import unix_ms_of
from scoring.backtest.backtest import NoDecisions
from scoring.backtest.candidates import candidate_of, outcomes_of, verdicts_of
from scoring.errors import InvalidRequest
from scoring.model.rules_in_force import RulesInForce
from scoring.policy import OUTCOMES, CostModel, Outcome, Thresholds
from scoring.prediction import ModelVersion
from tests.support.data.own_events import CardTenant, label
from tests.support.data.rules import put_list, put_rule, put_snooze, put_version, take_out
from tests.support.data.shadow import a_shadow_score
from tests.support.event_types import an_event_type

COSTS = CostModel(100.0, 0.0, 5.0)
NOW = datetime.now(UTC)


class Past:
    """Card payments that were decided by the rules in force at each, and stored."""

    def __init__(self, engine: Engine, service_engine: Engine) -> None:
        self.cards = CardTenant(engine, an_event_type(VIP={"kind": "boolean", "optional": True}))
        self.engine = service_engine
        self.stored: list[Decided] = []
        self.owner = engine

    @property
    def id(self) -> int:
        return self.cards.id

    def pay(self, count: int = 1, *, window: float = 0.0, **values: object) -> list[Decided]:
        """Decide and store payments; a rule's windows have one value."""
        decided = [self.cards.decided(**values) for _ in range(count)]
        current = read_rules(self.engine, self.id, None)
        features = self.cards.model.features
        if current and not (rules := RulesInForce(*current)).decides_nothing:
            of_model = rules.of_model(features.event_type, features)
            known = [window] * len(of_model.compiled.windows)
            decided = [
                one._replace(
                    prediction=of_model.decide_with(
                        one.transaction, one.prediction, known, unix_ms_of(one.prediction_id)
                    )
                )
                for one in decided
            ]
        assert DecisionLog(self.engine).write(decided) == decided
        self.stored += decided
        return decided

    def report(self, decided: Sequence[Decided], value: Any) -> None:
        """Label payments."""
        for one in decided:
            label(self.engine, self.id, one.transaction_id, value, NOW, source="chargeback")

    def tried(self, tried: Tried, **history: Any) -> Tested:
        """Try something on all payments."""
        span = History(0.0, 30.0, datetime.now(UTC) + timedelta(seconds=1))
        assert not history
        return try_on_history(self.engine, self.id, tried, COSTS, span)


@pytest.fixture
def past(engine: Engine, service_engine: Engine) -> Past:
    return Past(engine, service_engine)


def decided_as(tested: Tested) -> dict[str, Outcome]:
    """Return the outcome of what was tried by transaction."""
    return {
        str(tested.past.transaction_id(row)): OUTCOMES[outcome]
        for row, outcome in enumerate(tested.outcomes)
    }


def test_what_was_live_is_reproduced_for_every_decision(past: Past) -> None:
    """Each decision again, by the rules, lists and snoozes of its own change."""
    past.pay(3)
    rule = put_rule(past.engine, past.id, condition="TX_AMOUNT > 50 and feature('amount') > 50")
    past.pay(3)
    put_list(past.engine, past.id, "blocked", ["B", "C"], entity="customer")
    put_list(past.engine, past.id, "watched", ["W"], entity="terminal", action=None)
    past.pay(2, CUSTOMER_ID="B")
    put_rule(
        past.engine,
        past.id,
        name="watched",
        action="approve",
        condition="in_list('watched', TERMINAL_ID) or count(by=CUSTOMER_ID, window='1h') > 3",
    )
    put_snooze(past.engine, past.id, 1, "S", NOW + timedelta(days=1), "customer")
    past.pay(2, TERMINAL_ID="W", CUSTOMER_ID="B")
    past.pay(2, CUSTOMER_ID="S")
    past.pay(2, window=7.0)
    take_out(past.engine, past.id, "blocked", "B")
    put_version(past.engine, past.id, rule, state="shadow")
    past.pay(2, CUSTOMER_ID="B", CHANNEL=None, VIP=True)
    past.pay(1, CUSTOMER_ID="C")
    again = reproduced(past)
    stored = {
        str(one.transaction_id): (
            one.prediction.decision,
            one.prediction.ruling and one.prediction.ruling.verdict,
        )
        for one in past.stored
    }
    assert {outcome for outcome, _ in stored.values()} == {"approve", "review", "decline"}
    assert again == stored


def reproduced(past: Past) -> dict[str, Any]:
    """Return outcome and verdict of each stored decision, decided again in groups."""
    again: dict[str, Any] = {}
    with tenant_transaction(past.engine, past.id) as connection:
        features = features_in_production(connection, past.id)
        event_type = past.cards.model.features.event_type
        changes = {one.prediction.ruling.as_of for one in past.stored if one.prediction.ruling}
        for change in (0, *changes):
            candidate = candidate_of(rule_set_at(connection, past.id, change), event_type, features)
            read = read_past_decisions(
                past.engine,
                past.id,
                RuleInputs(event_type, candidate.fields, candidate.features, candidate.windows),
                maturity_days=0,
                window_days=30,
                limit=1000,
                as_of=datetime.now(UTC) + timedelta(seconds=1),
            )
            index = index_at(connection, past.id, change)
            verdicts = verdicts_of(
                candidate, index, read.decisions, read.columns, read.features, read.windows
            )
            outcomes = outcomes_of(
                verdicts, read.decisions.scores, read.thresholds, read.decline_thresholds
            )
            for row in np.flatnonzero(read.as_of == change).tolist():
                verdict = verdicts.verdict(row)._replace(outcome=OUTCOMES[outcomes[row]])
                again[str(read.transaction_id(row))] = (
                    OUTCOMES[outcomes[row]],
                    verdict if change else None,
                )
    return again


def test_a_rule_is_tried_beside_what_was_in_force(past: Past) -> None:
    put_list(past.engine, past.id, "trusted", ["T"], entity="customer", action="approve")
    small = past.pay(2, TX_AMOUNT=5.0)
    large = past.pay(3, TX_AMOUNT=500.0)
    trusted = past.pay(1, TX_AMOUNT=500.0, CUSTOMER_ID="T")
    past.report(large[:2], "fraud")
    past.report(large[2:], "legitimate")
    tested = past.tried(RuleTried("TX_AMOUNT > 100", "decline"))
    outcomes = decided_as(tested)
    assert {outcomes[str(one.transaction_id)] for one in large} == {"decline"}
    assert {outcomes[str(one.transaction_id)] for one in trusted} == {"approve"}
    assert [outcomes[str(one.transaction_id)] for one in small] == [
        one.prediction.decision for one in small
    ]
    result = tested.result
    assert (result.decisions, result.labelled, result.frauds) == (6, 3, 2)
    assert result.firing
    assert (result.firing.fires, result.firing.labelled) == (4, 3)
    assert result.firing.frauds.value == 2
    assert sum(one.payments for one in result.firing.overlap) == 4
    (list_overlap,) = (one for one in result.firing.overlap if one.decider == "list_entry")
    assert (list_overlap.id, list_overlap.payments) == (1, 1)


@pytest.mark.parametrize(
    ("condition", "fires"),
    [
        ("CHANNEL == 'web'", 2),
        ("CUSTOMER_ID == 'A'", 1),
        ("hour(TX_DATETIME) == 12", 3),
        ("VIP", 1),
        ("not VIP", 0),
        ("feature('amount') > 80", 1),
        ("score >= 0", 3),
        ("in_list('watched', TERMINAL_ID)", 1),
    ],
)
def test_a_condition_reads_fields_features_scores_and_lists(
    past: Past, condition: str, fires: int
) -> None:
    put_list(past.engine, past.id, "watched", ["W"], entity="terminal", action="decline")
    past.pay(1, CUSTOMER_ID="A", CHANNEL="web", VIP=True)
    past.pay(1, TX_AMOUNT=90.0, CHANNEL="atm", TERMINAL_ID="W")
    past.pay(1, CHANNEL="web")
    tested = past.tried(RuleTried(condition, "review"))
    assert tested.result.firing
    assert tested.result.firing.fires == fires


def test_a_window_is_known_of_decisions_that_stored_it(past: Past) -> None:
    window = "count(by=CUSTOMER_ID, window='1h')"
    past.pay(2)
    put_rule(past.engine, past.id, condition=f"{window} > 100", state="shadow")
    past.pay(3, window=7.0)
    tested = past.tried(RuleTried(f"{window} > 5", "review"))
    assert tested.result.firing
    assert (tested.result.firing.fires, tested.unknown) == (3, 2)
    tested = past.tried(RuleTried(f"not {window} > 9", "review"))
    assert tested.result.firing
    assert (tested.result.firing.fires, tested.unknown) == (3, 2)


def test_rules_take_the_place_of_all_that_there_were(past: Past) -> None:
    put_rule(past.engine, past.id, condition="TX_AMOUNT > 0", action="decline")
    put_list(past.engine, past.id, "trusted", ["T"], entity="customer", action="approve")
    past.pay(2, TX_AMOUNT=5.0)
    past.pay(2, TX_AMOUNT=500.0)
    past.pay(1, TX_AMOUNT=500.0, CUSTOMER_ID="T")
    rules = [RuleTried("TX_AMOUNT > 100", "decline"), RuleTried("TX_AMOUNT > 0", "review")]
    tested = past.tried(RulesTried(rules))
    assert tested.result.changes == ((1, 0, 0), (0, 0, 0), (0, 2, 2))
    assert tested.result.firing is None


def test_a_list_is_tried_by_its_entities(past: Past) -> None:
    past.pay(2, CUSTOMER_ID="A")
    past.pay(1, CUSTOMER_ID="B", TERMINAL_ID="A")
    tested = past.tried(ListTried("customer", "decline", ["A", "Z", "A"]))
    assert tested.result.firing
    assert tested.result.firing.fires == 2
    assert sum(outcome == "decline" for outcome in decided_as(tested).values()) == 2


def test_thresholds_are_tried_where_the_model_decided(past: Past) -> None:
    past.pay(2)
    put_rule(past.engine, past.id, condition="TX_AMOUNT > 0", action="approve")
    past.pay(1)
    low = past.stored[0].prediction.score / 2
    tested = past.tried(Thresholds(low / 2, low))
    assert sorted(decided_as(tested).values()) == ["approve", "decline", "decline"]


def test_a_stored_list_is_tried_with_an_action_and_its_entries_now(past: Past) -> None:
    put_list(past.engine, past.id, "watched", ["A"], entity="customer", action=None)
    put_list(past.engine, past.id, "others", ["B"], entity="customer", action=None)
    past.pay(2, CUSTOMER_ID="A")
    past.pay(1, CUSTOMER_ID="B")
    tested = past.tried(StoredListTried("watched", "decline"))
    assert tested.result.firing
    assert tested.result.firing.fires == 2
    assert sorted(decided_as(tested).values()).count("decline") == 2


CHALLENGER = ModelVersion("fraud-demo", 2)


def scored_in_shadow(past: Past, decided: Sequence[Decided], outcomes: Sequence[Outcome]) -> None:
    """Store the scores of version 2, the challenger, with what it would have decided."""
    challenger = replace(past.cards.model, version=CHALLENGER)
    record_challenger(past.owner, past.id, challenger, 0.0)
    scores = [
        replace(a_shadow_score(one), decision=outcome)
        for one, outcome in zip(decided, outcomes, strict=True)
    ]
    ShadowLog(past.engine).write(scores)


def test_a_version_decides_as_it_did_in_shadow_and_what_rules_decided_stays(past: Past) -> None:
    before = past.pay(4)
    decided = past.pay(3, TX_AMOUNT=500.0)
    put_rule(past.engine, past.id, condition="TX_AMOUNT > 0", action="review")
    by_rule = past.pay(1)
    scored_in_shadow(past, [*decided, *by_rule], ["approve", "review", "decline", "approve"])
    past.report(decided[:1], "fraud")
    tested = past.tried(VersionTried(2))
    assert decided_as(tested) == {
        str(one.transaction_id): outcome
        for one, outcome in zip(
            [*decided, *by_rule], ["approve", "review", "decline", "review"], strict=True
        )
    }
    assert (tested.unscored, tested.result.decisions, tested.result.frauds) == (len(before), 4, 1)
    assert len(tested.past.decisions) == len(tested.past.id_bytes) == 4
    assert tested.result.firing is None


def test_the_version_that_decided_changes_nothing(past: Past) -> None:
    """Its own decisions count, at both thresholds that were in force for each."""
    past.pay(2)
    high = [
        one._replace(
            prediction=one.prediction._replace(
                score=score, decision=decision, threshold=0.2, decline_threshold=0.6
            )
        )
        for one, score, decision in zip(
            [past.cards.decided() for _ in range(3)],
            [0.1, 0.3, 0.7],
            OUTCOMES,
            strict=True,
        )
    ]
    assert DecisionLog(past.engine).write(high) == high
    past.pay(1)
    scored_in_shadow(past, high[:1], ["decline"])
    tested = past.tried(VersionTried(1))
    assert (tested.result.decisions, tested.result.changed, tested.unscored) == (6, 0, 0)
    assert {"approve", "review", "decline"} <= set(decided_as(tested).values())


def test_a_version_without_scores_says_how_to_get_them(past: Past) -> None:
    past.pay(2)
    scored_in_shadow(past, [], [])
    with pytest.raises(InvalidRequest) as refused:
        past.tried(VersionTried(2))
    (error,) = refused.value.errors
    assert error.field == "version"
    assert error.message == (
        "scored none of the 2 decisions that are looked at; give version 2 the alias `challenger`,"
        " and it scores what comes in beside the version in production"
    )


@pytest.mark.parametrize(
    ("tried", "field"),
    [
        (VersionTried(9), "version"),
        (StoredListTried("gone", "decline"), "list.name"),
        (RuleTried("TX_AMONT > 1", "review"), "rule.condition"),
        (
            RulesTried([RuleTried("TX_AMOUNT > 1", "review"), RuleTried("1", "review")]),
            "rules.1.condition",
        ),
        (ListTried("card", "decline", ["A"]), "list.entity"),
        (ListTried("customer", "decline", ["A"], ("TERMINAL_ID",)), "list.fields.0"),
    ],
)
def test_what_does_not_fit_is_named(past: Past, tried: Tried, field: str) -> None:
    past.pay(1)
    with pytest.raises(InvalidRequest) as refused:
        past.tried(tried)
    assert [error.field for error in refused.value.errors] == [field]


def test_without_decisions_there_is_nothing_to_try_on(past: Past) -> None:
    with pytest.raises(NoDecisions):
        past.tried(RuleTried("TX_AMOUNT > 1", "review"))
