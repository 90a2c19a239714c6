"""What decides a payment, rule by rule and list by list."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from scoring.event import event_columns
from scoring.event_type.event import Event
from scoring.event_type.fields import EventType
from scoring.event_type.timestamps import parse_timestamp
from scoring.expressions import MAX_WINDOWS
from scoring.expressions.nodes import ValueKind
from scoring.features import PAYSIM_FEATURES
from scoring.lists.entity_list import EntityList, ListEntry
from scoring.lists.index import ListIndex
from scoring.policy import Thresholds
from scoring.rules.batch_decider import ScoredPayments, Verdicts, decide_all
from scoring.rules.compiled import compile_rules
from scoring.rules.condition import feature_kinds
from scoring.rules.payment_decider import PaymentDecider
from scoring.rules.rule import Rule, RuleSet, Snooze
from scoring.rules.verdict import BY_MODEL, DecidedBy, EntryMatch, Verdict
from scoring.transaction import PAYSIM, Transaction
from tests.support.expressions.events import a_field

NOW_MS = 1_000
POLICY = Thresholds(0.5, 0.9)
CARDS = EventType(
    "card_payment",
    None,
    (
        a_field("TIME", "timestamp", role="time"),
        a_field("CUSTOMER", "entity", entity="customer"),
        a_field("AMOUNT", "number", optional=False, bounds=(0.0, 1e6)),
        a_field("BALANCE", "number"),
    ),
)
FEATURES: dict[str, ValueKind] = {"ratio": "number"}
TRUSTED = EntityList(1, "trusted", "customer", "approve")
BLOCKED = EntityList(2, "blocked", "customer", "decline")


def a_rule(number: int, condition: str = "True", action: str = "review", **others: Any) -> Rule:
    given = {"version": 3, "name": f"rule {number}", "state": "live"}
    return Rule(number, condition=condition, action=action, **{**given, **others})  # type: ignore[arg-type]


def an_event(**values: Any) -> Event:
    given = {"TIME": None, "CUSTOMER": "C1", "AMOUNT": 100.0, "BALANCE": None, **values}
    return Event(CARDS, given, None)


def entries(*lists: EntityList, value: str = "C1", **others: Any) -> ListIndex:
    added = [ListEntry(100 + one.id, one.id, value, "a reason", "ana", **others) for one in lists]
    return ListIndex().with_changes(added)


def verdict(
    rules: Sequence[Rule] = (),
    index: ListIndex | None = None,
    *,
    event: Event | None = None,
    score: float = 0.1,
    snoozes: Sequence[Snooze] = (),
) -> Verdict:
    rule_set = RuleSet(tuple(rules), (TRUSTED, BLOCKED), tuple(snoozes))
    decider = PaymentDecider(compile_rules(rule_set, CARDS, FEATURES))
    return decider.decide(
        event or an_event(), score, [2.0], (), NOW_MS, index or ListIndex(), POLICY
    )


@pytest.mark.parametrize(
    ("score", "outcome"), [(0.1, "approve"), (0.5, "review"), (0.95, "decline")]
)
def test_the_model_decides_where_nothing_else_does(score: float, outcome: str) -> None:
    assert verdict(score=score) == Verdict(outcome)  # type: ignore[arg-type]
    assert verdict([a_rule(1, "AMOUNT > 100")], score=score) == Verdict(outcome)  # type: ignore[arg-type]


def test_what_decides_is_the_first_of_the_order() -> None:
    rules = [a_rule(1, action="approve"), a_rule(2, action="decline"), a_rule(3)]
    both = entries(TRUSTED, BLOCKED)
    found = [
        verdict(rules, both, score=0.95),
        verdict(rules, entries(BLOCKED), score=0.95),
        verdict(rules[1:], entries(BLOCKED), score=0.95),
        verdict(rules[1:], score=0.95),
        verdict(rules[2:], score=0.95),
        verdict(score=0.95),
    ]
    assert [(one.outcome, one.decided_by) for one in found] == [
        ("approve", DecidedBy("list_entry", 101)),
        ("approve", DecidedBy("rule", 1, 3)),
        ("decline", DecidedBy("list_entry", 102)),
        ("decline", DecidedBy("rule", 2, 3)),
        ("review", DecidedBy("rule", 3, 3)),
        ("decline", BY_MODEL),
    ]
    assert found[0].entries == (EntryMatch(1, 101, "CUSTOMER"), EntryMatch(2, 102, "CUSTOMER"))
    assert found[0].fired == ((1, 3), (2, 3), (3, 3))


def test_a_rule_in_shadow_is_reported_and_decides_nothing() -> None:
    found = verdict([a_rule(1, action="decline", state="shadow"), a_rule(2, state="off")])
    assert found == Verdict("approve", shadow=((1, 3),))


def test_a_rule_without_a_value_does_not_fire_and_is_named() -> None:
    rules = [
        a_rule(1, "BALANCE > 1"),
        a_rule(2, "not BALANCE > 1"),
        a_rule(3, "BALANCE > 1 or AMOUNT == 100"),
        a_rule(4, "BALANCE > 1 and AMOUNT == 1"),
        a_rule(5, "is_missing(BALANCE)", state="shadow"),
        a_rule(6, "AMOUNT / BALANCE > 1", state="shadow"),
    ]
    found = verdict(rules)
    assert found.fired == ((3, 3),)
    assert found.shadow == ((5, 3),)
    assert found.failed == ((1, 3), (2, 3), (6, 3))


def test_a_rule_that_does_not_fit_the_version_fails_and_leaves_the_others() -> None:
    rules = [a_rule(1, "feature('age') > 1", "decline"), a_rule(2, "ratio == 2")]
    compiled = compile_rules(RuleSet(tuple(rules)), CARDS, FEATURES)
    assert dict(compiled.unusable) == {(1, 3): "The model has no feature `age`."}
    found = verdict(rules)
    assert found == Verdict("review", DecidedBy("rule", 2, 3), fired=((2, 3),), failed=((1, 3),))


def test_rules_with_more_windows_than_are_read_do_not_fit() -> None:
    rules = [
        a_rule(number, f"count(by=CUSTOMER, window='{number}m') > 3")
        for number in range(1, MAX_WINDOWS + 2)
    ]
    compiled = compile_rules(RuleSet(tuple(rules)), CARDS, FEATURES)
    assert len(compiled.windows) == MAX_WINDOWS
    assert list(compiled.unusable) == [rules[-1].key]


def test_rules_share_a_window_that_they_write_differently() -> None:
    texts = ["count(by=CUSTOMER, window='24h') > 3", "count(by=[CUSTOMER], window='1d') > 5"]
    rules = tuple(a_rule(number, text) for number, text in enumerate(texts, start=1))
    compiled = compile_rules(RuleSet(rules), CARDS, FEATURES)
    assert len(compiled.windows) == 1
    decider = PaymentDecider(compiled)
    found = decider.decide(an_event(), 0.1, [2.0], [4.0], NOW_MS, ListIndex(), POLICY)
    assert found.fired == ((1, 3),)


@pytest.mark.parametrize(("expires_ms", "outcome"), [(NOW_MS, "approve"), (NOW_MS + 1, "decline")])
def test_an_entry_counts_until_it_expires(expires_ms: int, outcome: str) -> None:
    assert verdict(index=entries(BLOCKED, expires_ms=expires_ms)).outcome == outcome


@pytest.mark.parametrize(
    ("snooze", "is_snoozed"),
    [
        (Snooze(1, "customer", "C1", NOW_MS + 1), True),
        (Snooze(1, "customer", "C1", NOW_MS), False),
        (Snooze(1, "customer", "C2", NOW_MS + 1), False),
        (Snooze(1, "terminal", "C1", NOW_MS + 1), False),
        (Snooze(2, "customer", "C1", NOW_MS + 1), False),
    ],
)
def test_a_rule_does_not_act_for_a_snoozed_entity_until_a_time(
    snooze: Snooze, is_snoozed: bool
) -> None:
    found = verdict([a_rule(1, action="decline")], snoozes=[snooze])
    assert found.outcome == ("approve" if is_snoozed else "decline")
    assert found.snoozed == (((1, 3),) if is_snoozed else ())


def test_a_timestamp_is_read_in_seconds() -> None:
    event = an_event(TIME=parse_timestamp("2026-05-01T09:30:00.5Z"))
    conditions = ["hour(TIME) == 9", "weekday(TIME) == 4", "TIME - TIME == 0"]
    rules = [a_rule(number, text) for number, text in enumerate(conditions, start=1)]
    assert verdict(rules, event=event).fired == ((1, 3), (2, 3), (3, 3))


def test_an_event_of_an_earlier_version_lacks_the_fields_that_came_later() -> None:
    event = Event(CARDS, {"AMOUNT": 100.0}, None)
    found = verdict([a_rule(1, "BALANCE > 1"), a_rule(2)], entries(BLOCKED), event=event)
    assert found == Verdict("review", DecidedBy("rule", 2, 3), fired=((2, 3),), failed=((1, 3),))


def paysim_verdicts(count: int) -> tuple[list[Verdict], Verdicts]:
    """Return verdicts of PaySim's transactions, one by one and together."""
    transactions = [
        Transaction(n % 50, "TRANSFER", float(n % 97), f"C{n}", 10.0, f"M{n % 5}", 0.0)
        for n in range(count)
    ]
    rules = (
        a_rule(1, "amount > 90 and hour_of_day < 6", "decline"),
        a_rule(2, "starts_with(nameDest, 'M1') and score > 0.2", state="shadow"),
        a_rule(3, "feature('amount') == amount and amount < 5", "review"),
    )
    lists = (EntityList(1, "blocked", "account", "decline", ("nameDest",)),)
    index = ListIndex().with_changes([ListEntry(9, 1, "M3", "a mule", "ana", 5)])
    kinds = feature_kinds(PAYSIM_FEATURES)
    snoozes = (Snooze(1, "account", "C479", 10),)
    compiled = compile_rules(RuleSet(rules, lists, snoozes), PAYSIM, kinds)
    matrix = PAYSIM_FEATURES.matrix_of(transactions)
    scores = np.arange(count) % 10 / 10
    decided_at_ms = np.arange(count) % 11
    decider = PaymentDecider(compiled)
    alone = [
        decider.decide(event, score, values, (), at, index, POLICY)
        for event, score, values, at in zip(
            transactions, scores.tolist(), matrix.tolist(), decided_at_ms.tolist(), strict=True
        )
    ]
    columns = event_columns(transactions, compiled.fields)
    payments = ScoredPayments(columns, scores, matrix, (), decided_at_ms)
    return alone, decide_all(compiled, payments, index, POLICY)


def test_thousands_of_payments_have_the_verdicts_that_each_has_alone() -> None:
    alone, together = paysim_verdicts(9_000)
    assert [together.verdict(row) for row in range(len(alone))] == alone
    assert {one.decided_by.kind for one in alone} == {"list_entry", "rule", "model"}
    assert {one.outcome for one in alone} == {"approve", "review", "decline"}
    assert any(one.snoozed for one in alone)
    assert any(one.shadow for one in alone)


def test_no_payments_have_no_verdicts() -> None:
    compiled = compile_rules(RuleSet((a_rule(1, "AMOUNT > 5"),)), CARDS, FEATURES)
    columns = {"AMOUNT": np.zeros(0)}
    nothing = ScoredPayments(columns, np.zeros(0), np.zeros((0, 1)), (), np.zeros(0, np.int64))
    verdicts = decide_all(compiled, nothing, ListIndex(), POLICY)
    assert verdicts.truths.shape == (1, 0)


def test_a_missing_feature_is_no_value() -> None:
    compiled = compile_rules(RuleSet((a_rule(1, "ratio > 1"),)), CARDS, FEATURES)
    decider = PaymentDecider(compiled)
    found = decider.decide(an_event(), 0.1, [math.nan], (), NOW_MS, ListIndex(), POLICY)
    assert found.failed == ((1, 3),)
