"""The outcomes with one more rule are those of the engine that decides with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.backtest.decisions import outcomes_with_rule
from scoring.expressions.execution.program import TRUE
from scoring.lists.entity_list import ListEntry
from scoring.lists.index import ListIndex
from scoring.policy import OUTCOMES, Outcome, Thresholds
from scoring.rules.batch_decider import ScoredPayments, Verdicts, decide_all
from scoring.rules.compiled import compile_rules
from scoring.rules.rule import MAX_PRIORITY, Rule, RuleSet
from tests.support.backtest.decisions import random_decisions, stored
from tests.support.expressions.events import PastEvent, columns_of
from tests.support.expressions.strategies import EVENT_TYPE, events
from tests.support.rules.strategies import (
    FEATURES,
    as_sent,
    list_entries,
    rule_sets,
    scores,
    thresholds,
    times_ms,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rule_sets(),
    list_entries(),
    thresholds,
    st.lists(
        st.tuples(events().map(as_sent), scores, times_ms), min_size=1, max_size=5
    ),
    st.sampled_from(OUTCOMES),
)  # fmt: skip
def test_one_more_rule_gives_the_outcomes_of_the_engine_with_it(
    rule_set: RuleSet,
    entries: list[ListEntry],
    policy: Thresholds,
    drawn: list[tuple[PastEvent, float, int]],
    action: Outcome,
) -> None:
    columns = columns_of(EVENT_TYPE, [event.values for event, _, _ in drawn])
    score = np.array([one for _, one, _ in drawn])
    at = np.array([one for *_, one in drawn])
    index = ListIndex().with_changes(entries)

    def decided(rules: RuleSet) -> Verdicts:
        compiled = compile_rules(rules, EVENT_TYPE, FEATURES)
        windows = [np.zeros(len(drawn)) for _ in compiled.windows]
        features = np.zeros((len(drawn), len(FEATURES)))
        payments = ScoredPayments(columns, score, features, windows, at)
        return decide_all(compiled, payments, index, policy)

    added = Rule(10_000, 1, "added", "score >= 0.5", action, "live", MAX_PRIORITY)
    before = decided(rule_set)
    after = decided(replace(rule_set, rules=(*rule_set.rules, added)))
    place = next(place for place, rule in enumerate(after.rules.rules) if rule == added)

    decisions = stored(len(drawn), outcomes=before.outcomes, deciders=before.deciders)
    fires = after.truths[place] == TRUE
    assert (fires == (score >= 0.5)).all()
    assert outcomes_with_rule(decisions, fires, action).tolist() == after.outcomes.tolist()


def test_some_of_the_decisions_keep_their_columns() -> None:
    decisions, rows = random_decisions(500, explored=True)
    some = decisions.select(rows)
    assert len(some) == rows.sum()
    assert (some.amounts == decisions.amounts[rows]).all()
    assert some.counts[some.weights != 1].sum() == pytest.approx((some.weights != 1).sum())
