"""How often the interval of a backtest's money covers the truth, by the number of frauds."""

from __future__ import annotations

import numpy as np
from rich.table import Table

from scoring.backtest.backtest import backtest
from scoring.backtest.decisions import REVIEW, StoredDecisions
from scoring.policy import CostModel
from sentinel.local.terminal import open_console

_ROWS, _FIRES = 20_000, 0.01
_FRAUDS = (3, 5, 10, 20, 40, 80)
_COSTS = {"a flat 1,000": CostModel(), "the amount": CostModel(0, 1, 5)}
_MEAN_AMOUNT = float(np.exp(4.5))
"""Mean of the log-normal amounts below."""


def measure(runs: int) -> None:
    """Print the shares of intervals that cover the money that a rule saves on average."""
    table = Table("frauds that the rule finds, on average", *(f"{one}" for one in _FRAUDS))
    for name, costs in _COSTS.items():
        covered = [[_covers(seed, one, costs) for seed in range(runs)] for one in _FRAUDS]
        table.add_row(f"a fraud costs {name}", *(f"{np.mean(each):.0%}" for each in covered))
    open_console().print(table)


def _covers(seed: int, frauds: int, costs: CostModel) -> bool:
    """Return whether the interval of one sample of payments covers the truth."""
    draws = np.random.default_rng(seed)
    fires = draws.random(_ROWS) < _FIRES
    is_fraud = fires & (draws.random(_ROWS) < frauds / (_ROWS * _FIRES))
    nothing = np.zeros(_ROWS, np.int8)
    decisions = StoredDecisions(
        outcomes=nothing,
        deciders=nothing,
        decider_ids=np.zeros(_ROWS, np.int64),
        scores=np.full(_ROWS, 0.01),
        amounts=draws.lognormal(4, 1, _ROWS),
        labelled=is_fraud,
        is_fraud=is_fraud,
        weights=np.ones(_ROWS),
        decided_at_ms=np.zeros(_ROWS, np.int64),
    )
    candidate = np.where(fires, REVIEW, 0).astype(np.int8)
    saved = backtest(decisions, candidate, costs).difference.saved
    mean_cost = float(costs.missed_costs(np.array([_MEAN_AMOUNT]))[0])
    truth = frauds * mean_cost - (_ROWS * _FIRES - frauds) * costs.false_alarm
    return saved.low <= truth <= saved.high
