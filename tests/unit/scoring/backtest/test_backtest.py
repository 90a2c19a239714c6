"""A backtest's figures are those of a loop over the payments, and its intervals hold."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import fields
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.backtest.backtest import NoDecisions, backtest
from scoring.backtest.decisions import StoredDecisions, outcomes_with_rule, without_chance
from scoring.backtest.result import Backtest, Totals
from scoring.evaluation.comparison import Decisions, compare
from scoring.evaluation.weights import scaled
from scoring.policy import OUTCOMES, CostModel
from tests.support.backtest.decisions import (
    BY_AMOUNT,
    FLAT,
    START_MS,
    cost_models,
    decision_sets,
    random_decisions,
    stored,
)

KINDS = ("model", "list_entry", "rule")


@st.composite
def cases(draw: st.DrawFn) -> tuple[StoredDecisions, np.ndarray, np.ndarray]:
    decisions = draw(decision_sets())
    size = len(decisions)
    candidate = draw(st.lists(st.integers(0, 2), min_size=size, max_size=size))
    fires = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    return decisions, np.array(candidate, np.int8), np.array(fires)


def savings(costs: CostModel, outcome: int, is_fraud: bool, amount: float) -> float:
    """Return what an outcome saves against approving the payment."""
    if OUTCOMES[outcome] == "approve":
        return 0.0
    if is_fraud:
        part = 0.0 if math.isnan(amount) else costs.missed_fraud_share * amount
        return costs.missed_fraud + part
    if OUTCOMES[outcome] == "decline" and costs.false_decline is not None:
        return -costs.false_decline
    return -costs.false_alarm


def naive_totals(decisions: StoredDecisions, outcomes: np.ndarray, costs: CostModel) -> Counter:
    found: Counter[str] = Counter({field.name: 0 for field in fields(Totals)})
    for row, count in enumerate(scaled(decisions.weights).tolist()):
        outcome, is_fraud = OUTCOMES[outcomes[row]], bool(decisions.is_fraud[row])
        found["savings"] += count * savings(costs, outcomes[row], is_fraud, decisions.amounts[row])
        found["reviews"] += count * (outcome == "review")
        found["declines"] += count * (outcome == "decline")
        found["caught"] += count * (is_fraud and outcome != "approve")
        found["missed"] += count * (is_fraud and outcome == "approve")
        found["false_alarms"] += count * (not is_fraud and outcome == "review")
        found["false_declines"] += count * (not is_fraud and outcome == "decline")
    return found


@settings(deadline=None, max_examples=200)
@given(cases(), cost_models)
def test_the_figures_are_those_of_a_loop_over_the_payments(
    case: tuple[StoredDecisions, np.ndarray, np.ndarray], costs: CostModel
) -> None:
    decisions, candidate, fires = case
    result = backtest(decisions, candidate, costs, fires, resamples=5)
    for side, outcomes in ((result.decided, decisions.outcomes), (result.candidate, candidate)):
        for name, value in naive_totals(decisions, outcomes, costs).items():
            assert getattr(side, name).value == pytest.approx(value, abs=1e-6), name
    assert result.difference.saved.value == pytest.approx(
        result.candidate.savings.value - result.decided.savings.value, abs=1e-6
    )
    counts, moved = scaled(decisions.weights).tolist(), Counter[tuple[bool, bool, bool]]()
    changes, fraud_changes = np.zeros((3, 3), int), np.zeros((3, 3), int)
    hits: Counter[bool] = Counter()
    overlap, overlap_frauds = Counter(), Counter()
    unseen = 0
    for row, count in enumerate(counts):
        before, after = int(decisions.outcomes[row]), int(candidate[row])
        is_fraud = bool(decisions.is_fraud[row])
        moved[is_fraud, before > 0, after > 0] += count
        changes[before, after] += 1
        fraud_changes[before, after] += is_fraud
        if fires[row]:
            hits[is_fraud] += count
            key = (KINDS[decisions.deciders[row]], decisions.decider_ids[row], OUTCOMES[before])
            overlap[key] += 1
            overlap_frauds[key] += is_fraud
            unseen += before > 0 and not decisions.labelled[row] and decisions.weights[row] > 0
    for name, key in {
        "frauds_stopped": (True, False, True),
        "frauds_let_pass": (True, True, False),
        "honest_stopped": (False, False, True),
        "honest_let_pass": (False, True, False),
    }.items():
        assert getattr(result.difference, name).value == pytest.approx(moved[key]), name
    assert (np.array(result.changes) == changes).all()
    assert (np.array(result.fraud_changes) == fraud_changes).all()
    assert result.changed == (decisions.outcomes != candidate).sum()

    firing = result.firing
    assert firing is not None
    assert firing.fires == fires.sum()
    assert firing.labelled == (fires & decisions.labelled).sum()
    assert firing.unseen == unseen
    assert firing.frauds.value == pytest.approx(hits[True])
    assert firing.honest.value == pytest.approx(hits[False])
    if hits.total() > 0:
        assert firing.precision is not None
        assert firing.precision.value == pytest.approx(hits[True] / hits.total())
    else:
        assert firing.precision is None
    assert {(one.decider, one.id, one.outcome): one.payments for one in firing.overlap} == overlap
    assert all(
        one.frauds == overlap_frauds[one.decider, one.id, one.outcome] for one in firing.overlap
    )
    assert firing.reviewed == (fires & (decisions.outcomes == 1)).sum()
    assert firing.declined == (fires & (decisions.outcomes == 2)).sum()


@settings(deadline=None, max_examples=100)
@given(cases(), cost_models)
def test_the_days_are_those_of_a_loop_over_the_payments(
    case: tuple[StoredDecisions, np.ndarray, np.ndarray], costs: CostModel
) -> None:
    decisions, candidate, fires = case
    result = backtest(decisions, candidate, costs, fires, resamples=2)
    expected: dict[object, Counter[str]] = {}
    for row, count in enumerate(scaled(decisions.weights).tolist()):
        at = datetime.fromtimestamp(decisions.decided_at_ms[row] / 1000, UTC).date()
        day = expected.setdefault(at, Counter())
        before, after = int(decisions.outcomes[row]), int(candidate[row])
        day["decisions"] += 1
        day["changed"] += before != after
        day["reviews_before"] += before == 1
        day["declines_before"] += before == 2
        day["reviews"] += after == 1
        day["declines"] += after == 2
        day["fires"] += fires[row]
        day["labelled_fires"] += fires[row] and decisions.labelled[row]
        day["fraud_fires"] += fires[row] and decisions.is_fraud[row]
        amount, is_fraud = decisions.amounts[row], bool(decisions.is_fraud[row])
        day["saved"] += count * (
            savings(costs, after, is_fraud, amount) - savings(costs, before, is_fraud, amount)
        )
    assert [one.day for one in result.days] == sorted(expected)
    for one in result.days:
        for name, value in expected[one.day].items():
            assert getattr(one, name) == pytest.approx(value, abs=1e-6), name
    total = sum(one.saved for one in result.days)
    assert total == pytest.approx(result.difference.saved.value, abs=1e-3)


def naive_resamples(
    decisions: StoredDecisions,
    candidate: np.ndarray,
    fires: np.ndarray,
    costs: CostModel,
    resamples: int,
) -> dict[str, np.ndarray]:
    """Compute figures of every resample from its rows: slow, but simple."""
    rng = np.random.default_rng(1)
    missed = costs.missed_costs(decisions.amounts)
    honest = np.array([0.0, -costs.false_alarm, -costs.declined_honest])
    sides = [
        np.where(decisions.is_fraud, (outcomes > 0) * missed, honest[outcomes])
        for outcomes in (decisions.outcomes, candidate)
    ]
    found: dict[str, list[float]] = {}
    for _ in range(resamples):
        rows = rng.integers(0, len(decisions), len(decisions))
        counts = scaled(decisions.weights[rows])
        hits = counts * fires[rows]
        for name, value in {
            "candidate.savings": (counts * sides[1][rows]).sum(),
            "candidate.reviews": (counts * (candidate[rows] == 1)).sum(),
            "difference.saved": (counts * (sides[1] - sides[0])[rows]).sum(),
            "firing.frauds": (hits * decisions.is_fraud[rows]).sum(),
            "firing.precision": (hits * decisions.is_fraud[rows]).sum() / hits.sum(),
        }.items():
            found.setdefault(name, []).append(float(value))
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.parametrize("explored", [False, True])
@pytest.mark.parametrize("costs", [FLAT, BY_AMOUNT])
def test_the_intervals_agree_with_resampling_every_payment(
    costs: CostModel, explored: bool
) -> None:
    decisions, fires = random_decisions(4_000, explored=explored)
    candidate = outcomes_with_rule(decisions, fires, "decline")
    result = backtest(decisions, candidate, costs, fires, resamples=4_000)
    for name, values in naive_resamples(decisions, candidate, fires, costs, 2_000).items():
        of, figure = name.split(".")
        ours = getattr(getattr(result, of), figure)
        # The standard error of a share is 0.0035 for 2,000 resamples and 0.0025 for 4,000.
        for end, share in ((ours.low, 0.025), (ours.high, 0.975)):
            assert np.mean(values < end - 1e-9) < share + 0.015, name
            assert np.mean(values <= end + 1e-9) > share - 0.015, name


def test_a_candidate_that_only_reviews_has_the_figures_of_the_comparison_of_versions() -> None:
    decisions, _ = random_decisions(5_000, explored=True)
    before, after = decisions.scores >= 0.2, decisions.scores >= 0.05
    reviewed = StoredDecisions(
        before.astype(np.int8),
        *(getattr(decisions, field.name) for field in fields(decisions)[1:]),
    )
    result = backtest(reviewed, after.astype(np.int8), BY_AMOUNT)
    comparison = compare(
        Decisions(decisions.scores, before),
        Decisions(decisions.scores, after),
        decisions.amounts,
        decisions.is_fraud,
        BY_AMOUNT,
        decisions.weights,
    )
    assert result.frauds == comparison.frauds
    assert result.difference.saved.value == pytest.approx(comparison.difference.value)
    assert result.candidate.caught.value == pytest.approx(comparison.challenger.caught.value)
    for ours, theirs in (
        (result.difference.saved, comparison.difference),
        (result.candidate.savings, comparison.challenger.net_savings),
    ):
        length = theirs.high - theirs.low
        assert ours.low == pytest.approx(theirs.low, abs=0.1 * length)
        assert ours.high == pytest.approx(theirs.high, abs=0.1 * length)


def test_what_was_decided_saves_nothing_against_itself() -> None:
    decisions, _ = random_decisions(2_000)
    result = backtest(decisions, decisions.outcomes, FLAT)
    saved = result.difference.saved
    assert (saved.low, saved.value, saved.high) == (0, 0, 0)
    assert (result.changed, result.examples, result.firing) == (0, (), None)
    assert result.decided == result.candidate


def test_a_decline_of_an_honest_payment_costs_a_false_decline_and_of_a_fraud_saves_it() -> None:
    decisions = stored(2, labelled=[1, 1], is_fraud=[0, 1], amounts=[10, 300])
    costs = CostModel(0, 1, 5, 40)
    assert backtest(decisions, np.array([2, 2], np.int8), costs).difference.saved.value == 260
    assert backtest(decisions, np.array([1, 1], np.int8), costs).difference.saved.value == 295
    like_a_review = CostModel(0, 1, 5)
    declined = backtest(decisions, np.array([2, 2], np.int8), like_a_review)
    assert declined.difference.saved.value == 295


def test_an_unlabelled_payment_is_presumed_honest_and_one_without_weight_counts_for_nothing() -> (
    None
):
    decisions = stored(3, weights=[1, 0, 1], outcomes=[0, 1, 1])
    fires = np.ones(3, np.bool_)
    result = backtest(decisions, outcomes_with_rule(decisions, fires, "review"), FLAT, fires)
    assert result.firing is not None
    assert (result.firing.fires, result.firing.labelled, result.firing.unseen) == (3, 0, 1)
    assert result.firing.honest.value == 2
    assert result.difference.honest_stopped.value == 1
    assert result.labelled == result.frauds == 0


def test_a_payment_that_was_approved_at_random_was_to_be_reviewed() -> None:
    probability = np.array([np.nan, 0.1, 0.1, np.nan])
    outcomes = np.array([0, 0, 1, 2], np.int8)
    assert without_chance(outcomes, probability).tolist() == [0, 1, 1, 2]


def test_a_rule_that_fires_nowhere_has_no_precision() -> None:
    decisions, _ = random_decisions(200)
    nowhere = np.zeros(200, np.bool_)
    result = backtest(decisions, decisions.outcomes, FLAT, nowhere)
    assert result.firing is not None
    assert (result.firing.fires, result.firing.precision, result.firing.overlap) == (0, None, ())


def test_an_approving_rule_names_the_frauds_that_it_lets_pass() -> None:
    decisions = stored(
        4, outcomes=[1, 2, 0, 1], labelled=[1, 1, 1, 1], is_fraud=[1, 1, 1, 0],
        amounts=[10, 50, 900, 20],
    )  # fmt: skip
    fires = np.ones(4, np.bool_)
    result = backtest(decisions, outcomes_with_rule(decisions, fires, "approve"), FLAT, fires)
    assert result.difference.frauds_let_pass.value == 2
    assert result.difference.honest_let_pass.value == 1
    assert result.fraud_changes == ((1, 0, 0), (1, 0, 0), (1, 0, 0))
    assert result.examples == (1, 0, 2, 3)


def test_the_examples_are_ten_frauds_and_ten_false_alarms_of_the_largest_effect() -> None:
    rows = 60
    is_fraud = np.arange(rows) < 30
    decisions = stored(
        rows,
        is_fraud=is_fraud,
        labelled=is_fraud | (np.arange(rows) % 4 == 0),
        amounts=np.arange(rows) % 30,
    )
    fires = np.ones(rows, np.bool_)
    result = backtest(decisions, np.ones(rows, np.int8), BY_AMOUNT, fires, resamples=2)
    known = [row for row in range(59, 29, -1) if row % 4 == 0]
    presumed = [row for row in range(59, 29, -1) if row % 4 != 0]
    assert result.examples == (*range(29, 19, -1), *[*known, *presumed][:10])


def test_where_there_are_too_few_frauds_the_latest_payments_fill_the_examples() -> None:
    is_fraud = np.arange(40) == 3
    decisions = stored(40, is_fraud=is_fraud, labelled=is_fraud, weights=np.arange(40) % 2)
    at = np.arange(40)[::-1]
    shuffled = stored(
        40, is_fraud=is_fraud, labelled=is_fraud, weights=np.arange(40) % 2, amounts=at,
        decided_at_ms=START_MS + at,
    )  # fmt: skip
    fires = np.ones(40, np.bool_)
    first = backtest(decisions, np.ones(40, np.int8), FLAT, fires, resamples=2).examples
    assert first == (3, *range(39, 20, -2), 38, 36, 34, 32, 30, 28, 26, 24, 22)
    second = backtest(shuffled, np.ones(40, np.int8), FLAT, fires, resamples=2).examples
    assert second == (3, *[1, 5, 7, 9, 11, 13, 15, 17, 19, 21], *range(0, 17, 2))


def test_examples_are_of_changed_decisions_where_no_one_rule_fires() -> None:
    decisions, fires = random_decisions(6_000)
    candidate = outcomes_with_rule(decisions, fires, "review")
    result = backtest(decisions, candidate, FLAT)
    assert len(result.examples) == len(set(result.examples)) == 20
    assert all(decisions.outcomes[row] != candidate[row] for row in result.examples)
    assert sum(bool(decisions.is_fraud[row]) for row in result.examples) == 10


@pytest.mark.parametrize(("frauds", "few"), [(19, True), (20, False)])
def test_a_difference_that_rests_on_few_frauds_says_so(frauds: int, few: bool) -> None:
    is_fraud = np.arange(100) < frauds + 5
    decisions = stored(
        100, is_fraud=is_fraud, labelled=is_fraud, outcomes=np.arange(100) < 5
    )  # the first five were reviewed already
    result = backtest(decisions, np.ones(100, np.int8), FLAT, resamples=2)
    assert (result.frauds_changed, result.has_few_frauds) == (frauds, few)


def test_payments_that_are_all_frauds_have_figures() -> None:
    everything = np.ones(50, np.bool_)
    decisions = stored(50, is_fraud=everything, labelled=everything)
    result = backtest(decisions, np.ones(50, np.int8), FLAT, everything)
    assert result.difference.saved.value == result.difference.saved.low == 50_000
    assert result.firing is not None
    assert result.firing.precision is not None
    assert result.firing.precision.low == 1


def test_without_decisions_there_is_no_backtest() -> None:
    with pytest.raises(NoDecisions, match="no decisions"):
        backtest(stored(0), np.zeros(0, np.int8), FLAT)


def test_columns_of_different_lengths_and_frauds_without_a_label_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        stored(3, amounts=[1.0])
    with pytest.raises(ValueError, match="a fraud has a label"):
        stored(1, is_fraud=[1])
    with pytest.raises(ValueError, match="one outcome for each"):
        backtest(stored(2), np.zeros(1, np.int8), FLAT)


def test_the_same_seed_gives_the_same_result() -> None:
    decisions, fires = random_decisions(2_000)
    candidate = outcomes_with_rule(decisions, fires, "review")

    def result(seed: int) -> Backtest:
        return backtest(decisions, candidate, FLAT, fires, seed=seed)

    assert result(0) == result(0)
    assert result(0) != result(1)


def test_200_000_decisions_take_less_than_3_seconds() -> None:
    decisions, fires = random_decisions(200_000)
    candidate = outcomes_with_rule(decisions, fires, "review")
    started = time.process_time()
    backtest(decisions, candidate, BY_AMOUNT, fires)
    assert time.process_time() - started < 3, "about 0.5 s, with a margin for a busy machine"
