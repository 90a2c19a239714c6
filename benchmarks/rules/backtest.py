"""The backtest of 200,000 stored decisions: verdicts of the candidate, figures and intervals."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import process_time
from typing import TypeVar

import numpy as np
from rich.table import Table

from benchmarks.rules.payments import STORED, stored_payments
from benchmarks.rules.samples import EVENT_TYPE, FEATURES, rules
from scoring.backtest.backtest import backtest
from scoring.backtest.decisions import APPROVE, StoredDecisions
from scoring.evaluation.threshold_pairs import threshold_pairs
from scoring.lists.index import ListIndex
from scoring.policy import CostModel
from scoring.rules.batch_decider import decide_all
from scoring.rules.compiled import compile_rules
from scoring.rules.rule import RuleSet
from scoring.rules.verdict import Thresholds
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


def _timed(way: Callable[[], _T], rounds: int) -> tuple[_T, float]:
    """Return the last result and the median CPU time."""
    times = []
    for _ in range(rounds):
        begun = process_time()
        result = way()
        times.append(process_time() - begun)
    return result, median(times)


def _decided(
    outcomes: np.ndarray, deciders: np.ndarray, scores: np.ndarray, frauds: int
) -> StoredDecisions:
    draws = np.random.default_rng(11)
    is_fraud = np.zeros(STORED, np.bool_)
    # Frauds that were stopped: their costs count, so no two form a group.
    is_fraud[draws.choice(np.flatnonzero(outcomes != APPROVE), frauds, replace=False)] = True
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
