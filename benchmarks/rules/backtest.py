"""The backtest of 200,000 stored decisions, from verdicts to intervals, and what goes with it."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import process_time
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.rules.payments import STORED, stored_payments
from benchmarks.rules.samples import EVENT_TYPE, FEATURES, rules
from scoring.backtest.backtest import backtest
from scoring.backtest.decisions import APPROVE, StoredDecisions
from scoring.backtest.rule_columns import RuleColumn
from scoring.backtest.suggestions import suggest_rules
from scoring.columns import BoolArray, FloatArray
from scoring.evaluation.threshold_pairs import threshold_pairs
from scoring.lists.index import ListIndex
from scoring.policy import CostModel, Thresholds
from scoring.rules.batch_decider import decide_all
from scoring.rules.compiled import compile_rules
from scoring.rules.rule import RuleSet
from sentinel.local.terminal import open_console

_FRAUDS = (1_600, 20_000)
"""Numbers of frauds: PaySim's share of them, and a tenth of the payments."""
_COSTS = CostModel(0, 1, 5, 40)
"""By amount: each fraud is a group of its own."""
_DAYS = 30
_T = TypeVar("_T")


def measure(count: int, rounds: int) -> None:
    """Print the CPU time of each part of a backtest, by the number of frauds.

    Args:
        count: number of the candidate's rules; the model alone decided.
        rounds: number of times that each part is measured.
    """
    payments, policy = stored_payments(5, 100_000), Thresholds(0.3, 0.9)
    model, compiled = (
        compile_rules(RuleSet(own), EVENT_TYPE, FEATURES) for own in ((), rules(count))
    )
    old = decide_all(model, payments, ListIndex(), policy)
    new, verdicts_s = _timed(lambda: decide_all(compiled, payments, ListIndex(), policy), rounds)
    fires = new.fires(0)
    table = Table(f"{STORED:,} decisions, of which", "verdicts, s", "backtest, s", "thresholds, s")
    for frauds in _FRAUDS:
        decisions = _decided(old.outcomes, old.deciders, payments.scores, frauds)
        candidate = new.outcomes
        _, backtest_s = _timed(
            lambda d=decisions, c=candidate: backtest(d, c, _COSTS, fires),  # type: ignore[misc]
            rounds,
        )
        _, thresholds_s = _timed(
            lambda d=decisions: threshold_pairs(  # type: ignore[misc]
                d.scores, d.amounts, d.is_fraud, _COSTS, d.weights, days=_DAYS
            ).best(max_alerts=100),
            rounds,
        )
        table.add_row(
            f"{frauds:,} frauds", f"{verdicts_s:.2f}", f"{backtest_s:.2f}", f"{thresholds_s:.2f}"
        )
    open_console().print(table)
    columns = [
        RuleColumn(f"feature({name!r})", "number", payments.features[:, place])
        for place, name in enumerate(FEATURES)
    ]
    decisions = _with_pattern(payments.scores, payments.features)
    _, suggestions_s = _timed(lambda: suggest_rules(decisions, columns, _COSTS), rounds)
    open_console().print(f"Rules suggested from {len(columns)} columns: {suggestions_s:.1f} s")


def _with_pattern(scores: FloatArray, features: FloatArray) -> StoredDecisions:
    """Return approvals of which 1 in 250, and more by two features, are frauds."""
    draws = np.random.default_rng(12)
    pattern = (features[:, 3] > 7) & (features[:, 7] < 1)
    is_fraud = draws.random(STORED) < np.where(pattern, 0.3, 0.004)
    approved = np.zeros(STORED, np.int8)
    return _stored(approved, approved, scores * 0.3, is_fraud, draws)


def _timed(way: Callable[[], _T], rounds: int) -> tuple[_T, float]:
    """Return the last result and the median CPU time."""
    times = []
    for _ in range(rounds):
        begun = process_time()
        result = way()
        times.append(process_time() - begun)
    return result, median(times)


def _decided(
    outcomes: NDArray[np.int8], deciders: NDArray[np.int8], scores: FloatArray, frauds: int
) -> StoredDecisions:
    draws = np.random.default_rng(11)
    is_fraud = np.zeros(STORED, np.bool_)
    # Frauds that were stopped: their costs count, so no two form a group.
    is_fraud[draws.choice(np.flatnonzero(outcomes != APPROVE), frauds, replace=False)] = True
    return _stored(outcomes, deciders, scores, is_fraud, draws)


def _stored(
    outcomes: NDArray[np.int8],
    deciders: NDArray[np.int8],
    scores: FloatArray,
    is_fraud: BoolArray,
    draws: np.random.Generator,
) -> StoredDecisions:
    return StoredDecisions(
        outcomes=outcomes,
        deciders=deciders,
        decider_ids=np.zeros(STORED, np.int64),
        scores=scores,
        amounts=draws.lognormal(4, 1, STORED),
        labelled=is_fraud,
        is_fraud=is_fraud,
        weights=np.ones(STORED),
        decided_at_ms=1_800_000_000_000 + np.arange(STORED) * (_DAYS * 86_400_000 // STORED),
    )
