"""Verdicts are those of a naive interpreter, for one payment as for many."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.lists.entity_list import ListEntry
from scoring.lists.index import ListIndex
from scoring.policy import Thresholds
from scoring.rules.batch_decider import ScoredPayments, decide_all
from scoring.rules.compiled import compile_rules
from scoring.rules.payment_decider import PaymentDecider
from scoring.rules.rule import RuleSet
from tests.support.expressions.events import PastEvent, columns_of
from tests.support.expressions.strategies import CHANNELS, EVENT_TYPE, events
from tests.support.rules.naive import NaiveRules, Payment
from tests.support.rules.strategies import (
    ENTITIES,
    FEATURES,
    as_sent,
    event_of,
    feature_values,
    list_entries,
    rule_sets,
    scores,
    thresholds,
    times_ms,
)

CODES = {"CHANNEL": CHANNELS, "KIND": ("a", "b")}


def number_of(value: float | bool | None) -> float:
    return math.nan if value is None else float(value)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rule_sets(),
    list_entries(),
    thresholds,
    st.lists(
        st.tuples(events().map(as_sent), scores, feature_values, times_ms), min_size=1, max_size=4
    ),
)
def test_verdicts_are_those_of_the_naive_interpreter(
    rule_set: RuleSet,
    entries: list[ListEntry],
    policy: Thresholds,
    drawn: list[tuple[PastEvent, float, dict[str, float | bool | None], int]],
) -> None:
    rows = [event for event, *_ in drawn]
    naive = NaiveRules(CODES, "TIME", ENTITIES, rule_set, entries)
    rules = compile_rules(rule_set, EVENT_TYPE, FEATURES)
    naive.payment = Payment(rows[0], [], 0.0, {}, 0)
    windows = [naive.window_column(definition, rows) for definition in rules.windows]
    matrix = np.array([[number_of(one[2][name]) for name in FEATURES] for one in drawn])
    index = ListIndex().with_changes(entries)

    expected = [
        naive.verdict(Payment(event, rows[:row], score, features, at), policy)
        for row, (event, score, features, at) in enumerate(drawn)
    ]
    decider = PaymentDecider(rules)
    alone = [
        decider.decide(
            event_of(event),
            score,
            matrix[row].tolist(),
            [float(values[row]) for values in windows],
            at,
            index,
            policy,
        )
        for row, (event, score, _, at) in enumerate(drawn)
    ]
    together = decide_all(
        rules,
        ScoredPayments(
            columns_of(EVENT_TYPE, [row.values for row in rows]),
            np.array([score for _, score, _, _ in drawn]),
            matrix,
            windows,
            np.array([at for *_, at in drawn]),
        ),
        index,
        policy,
    )

    assert dict(rules.unusable) == {}
    assert alone == expected
    assert [together.verdict(row) for row in range(len(rows))] == expected
