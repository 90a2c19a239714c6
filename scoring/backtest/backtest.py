"""Backtest: what a candidate's outcomes would have saved against what was decided.

Every estimate has a 95 % interval from the bootstrap over payments
(`scoring.evaluation.bootstrap`), with the same draws for both sides. Payments with the same two
outcomes, the same weight and the same cost form a group that is drawn as one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import numpy as np

from scoring.backtest.decisions import (
    APPROVE,
    DECIDERS,
    DECLINE,
    REVIEW,
    IntArray,
    OutcomeArray,
    StoredDecisions,
)
from scoring.backtest.examples import choose_examples
from scoring.backtest.result import Backtest, Day, Difference, Firing, Overlap, Table, Totals
from scoring.columns import BoolArray, FloatArray
from scoring.evaluation.bootstrap import (
    RESAMPLES,
    Interval,
    percentile_interval,
    resampled_totals,
)
from scoring.policy import OUTCOMES, CostModel

_EPOCH = date(1970, 1, 1).toordinal()
_DAY_MS = 86_400_000
_TOTALS = len(Totals.__slots__)
_DIFFERENCES = len(Difference.__slots__)


class NoDecisions(ValueError):
    """There is nothing to test on; the message is a sentence for users."""


def backtest(
    decisions: StoredDecisions,
    candidate: OutcomeArray,
    costs: CostModel,
    fires: BoolArray | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Backtest:
    """Compare a candidate's outcomes with what was decided, on the same n payments.

    Args:
        decisions: decisions.
        candidate: outcomes of the candidate, index into OUTCOMES, int8 (n,), such as
            `Verdicts.outcomes` or `outcomes_with_rule`.
        costs: costs of errors.
        fires: whether the candidate's one rule or list fires, bool (n,); None: it has many or none.
        resamples: number of resamples.
        seed: seed of the resamples.

    Raises:
        NoDecisions: there are no decisions.
        ValueError: the columns differ in length.
    """
    if candidate.shape != decisions.outcomes.shape:
        raise ValueError("the candidate has one outcome for each decision")
    if not len(decisions):
        raise NoDecisions("There are no decisions to test on.")
    where = np.zeros(len(decisions), np.bool_) if fires is None else fires
    fraud = decisions.counted_fraud
    pairs = 3 * decisions.outcomes.astype(np.int64) + candidate
    effect = _effect(decisions, candidate, costs)
    value, drawn = _totals(decisions, pairs, where, costs, resamples, seed)
    intervals = [percentile_interval(*figure) for figure in zip(value, drawn.T, strict=True)]
    sides = [Totals(*intervals[start : start + _TOTALS]) for start in (0, _TOTALS)]
    stopped = (decisions.outcomes != APPROVE, candidate != APPROVE)
    return Backtest(
        decisions=len(decisions),
        labelled=int(decisions.labelled.sum()),
        frauds=int(fraud.sum()),
        frauds_changed=int((fraud & (stopped[0] != stopped[1])).sum()),
        decided=sides[0],
        candidate=sides[1],
        difference=Difference(*intervals[2 * _TOTALS : 2 * _TOTALS + _DIFFERENCES]),
        changes=_table(pairs),
        fraud_changes=_table(pairs[decisions.is_fraud]),
        firing=None
        if fires is None
        else _firing(decisions, fires, intervals[-2:], value[-2:], drawn[:, -2:]),
        days=_days(decisions, candidate, where, effect),
        examples=choose_examples(
            decisions, decisions.outcomes != candidate if fires is None else fires, effect
        ),
    )


def _effect(decisions: StoredDecisions, candidate: OutcomeArray, costs: CostModel) -> FloatArray:
    """Return the money that the candidate saves more with each payment, float64 (n,)."""
    honest = np.array([0.0, -costs.false_alarm, -costs.declined_honest])
    missed = costs.missed_costs(decisions.amounts)

    def saved(outcomes: OutcomeArray) -> FloatArray:
        return np.where(decisions.is_fraud, (outcomes != APPROVE) * missed, honest[outcomes])

    return saved(candidate) - saved(decisions.outcomes)


def _totals(
    decisions: StoredDecisions,
    pairs: IntArray,
    fires: BoolArray,
    costs: CostModel,
    resamples: int,
    seed: int,
) -> tuple[FloatArray, FloatArray]:
    """Return the figures of the payments and of each resample.

    They are those of Totals of what was decided and of the candidate, those of Difference, and the
    frauds and the honest payments where the rule fires.
    """
    fraud = decisions.counted_fraud
    weights, weight_of = np.unique(decisions.weights, return_inverse=True)
    # Fraud, outcome as decided and by the candidate, whether the rule fires, and the weight.
    keys = (2 * (pairs + 9 * fraud) + fires) * weights.size + weight_of
    # The cost of a fraud that both approve has no effect.
    cost = np.where(fraud & (pairs > 0), costs.missed_costs(decisions.amounts), 0.0)
    distinct, cost_of = np.unique(cost, return_inverse=True)
    groups, counts = np.unique(keys * distinct.size + cost_of, return_counts=True)

    keys, cost = groups // distinct.size, distinct[groups % distinct.size]
    fires_here, code = (keys // weights.size) % 2, keys // weights.size // 2
    is_fraud, decided, candidate = code // 9.0, code // 3 % 3, code % 3
    columns: list[FloatArray] = []
    for outcome in (decided, candidate):
        reviewed, declined = 1.0 * (outcome == REVIEW), 1.0 * (outcome == DECLINE)
        caught = is_fraud * (outcome != APPROVE)
        false_alarms, false_declines = (1 - is_fraud) * reviewed, (1 - is_fraud) * declined
        savings = caught * cost - costs.false_alarm * false_alarms
        savings -= costs.declined_honest * false_declines
        columns += [savings, reviewed, declined, caught, is_fraud - caught]
        columns += [false_alarms, false_declines]
    columns += [columns[_TOTALS] - columns[0]]
    to_stop = (decided == APPROVE) & (candidate != APPROVE)
    to_pass = (decided != APPROVE) & (candidate == APPROVE)
    columns += [of * change for of in (is_fraud, 1 - is_fraud) for change in (to_stop, to_pass)]
    columns += [fires_here * is_fraud, fires_here * (1 - is_fraud)]
    rng = np.random.default_rng(seed)
    return resampled_totals(counts, weights[keys % weights.size], columns, resamples, rng)


def _firing(
    decisions: StoredDecisions,
    fires: BoolArray,
    intervals: list[Interval],
    value: FloatArray,
    drawn: FloatArray,
) -> Firing:
    stopped = decisions.outcomes != APPROVE
    unseen = fires & stopped & ~decisions.labelled & (decisions.weights > 0)
    return Firing(
        fires=int(fires.sum()),
        labelled=int((fires & decisions.labelled).sum()),
        unseen=int(unseen.sum()),
        frauds=intervals[0],
        honest=intervals[1],
        precision=_share(value, drawn),
        overlap=tuple(_overlap(decisions, fires)),
    )


def _share(value: FloatArray, drawn: FloatArray) -> Interval | None:
    """Return the share of the first of two numbers in their sum; resamples of 0 are left out."""
    if not value.sum() > 0:
        return None
    total = drawn.sum(axis=1)
    shares = drawn[total > 0, 0] / total[total > 0]
    share = float(value[0] / value.sum())
    return percentile_interval(share, shares if shares.size else np.array([share]))


def _overlap(decisions: StoredDecisions, fires: BoolArray) -> Iterable[Overlap]:
    ids, id_of = np.unique(decisions.decider_ids[fires], return_inverse=True)
    outcomes = decisions.outcomes[fires].astype(np.int64)
    keys = (decisions.deciders[fires].astype(np.int64) * ids.size + id_of) * 3 + outcomes
    groups, group_of, counts = np.unique(keys, return_inverse=True, return_counts=True)
    frauds = np.bincount(group_of[decisions.is_fraud[fires]], minlength=groups.size)
    for key, count, fraud in zip(
        *(each.tolist() for each in (groups, counts, frauds)), strict=True
    ):
        place, outcome = divmod(key, 3)
        decider, id_place = divmod(place, ids.size)
        yield Overlap(DECIDERS[decider], int(ids[id_place]), OUTCOMES[outcome], count, fraud)


def _table(pairs: IntArray) -> Table:
    a, b, c, d, e, f, g, h, i = np.bincount(pairs, minlength=9).tolist()
    return (a, b, c), (d, e, f), (g, h, i)


def _days(
    decisions: StoredDecisions, candidate: OutcomeArray, fires: BoolArray, effect: FloatArray
) -> tuple[Day, ...]:
    days, day_of = np.unique(decisions.decided_at_ms // _DAY_MS, return_inverse=True)

    def numbers(where: BoolArray) -> list[int]:
        counts: list[int] = np.bincount(day_of[where], minlength=days.size).tolist()
        return counts

    decided = decisions.outcomes
    return tuple(
        map(
            Day,
            [date.fromordinal(_EPOCH + day) for day in days.tolist()],
            numbers(np.ones(len(decisions), np.bool_)),
            numbers(decided != candidate),
            numbers(decided == REVIEW),
            numbers(decided == DECLINE),
            numbers(candidate == REVIEW),
            numbers(candidate == DECLINE),
            numbers(fires),
            numbers(fires & decisions.labelled),
            numbers(fires & decisions.is_fraud),
            np.bincount(day_of, weights=decisions.counts * effect).tolist(),
        )
    )
