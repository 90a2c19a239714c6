"""Champion against challenger on the same transactions: decisions, money, calibration.

Every figure has a 95 % interval from the bootstrap over transactions
(`scoring.evaluation.bootstrap`). What is
drawn are groups of transactions that are alike: 200,000 of them with 1,600 frauds take 0.3 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.evaluation.bootstrap import RESAMPLES, Interval, draws, percentile_interval
from scoring.evaluation.probability_metrics import equal_count_bins, log_losses
from scoring.features import BoolArray, FloatArray
from scoring.policy import CostModel

MIN_FRAUDS = 20
"""Fewer than this and an interval would rest on too few distinct resamples to mean 95 %."""

LOG_ODDS_STEP = 0.05
"""Width of the groups of scores that are resampled as one."""


class TooFewFrauds(ValueError):
    """Nothing can be said yet of which model is better; the message is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """What one model said of n transactions.

    Attributes:
        score: calibrated probabilities, strictly between 0 and 1, float64 (n,).
        review: whether it decided `review`, by the policy in force when it did, bool (n,).
    """

    score: FloatArray
    review: BoolArray


@dataclass(frozen=True, slots=True)
class Figures:
    """How one model did, each figure with its 95 % interval.

    Attributes:
        net_savings: money saved against approving everything.
        alerts, caught, missed, false_alarms: transactions reviewed, frauds among them, frauds
            approved, honest ones reviewed.
        ece: expected calibration error over `ECE_BINS` bins of equal counts, 0 to 1.
        log_loss: mean, nats. brier: mean squared error, 0 to 1.
    """

    net_savings: Interval
    alerts: Interval
    caught: Interval
    missed: Interval
    false_alarms: Interval
    ece: Interval
    log_loss: Interval
    brier: Interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same transactions.

    Attributes:
        transactions, frauds: how many.
        agreement: share of equal decisions, 0 to 1.
        champion, challenger: how each did.
        difference: net savings of the challenger minus the champion's, from paired resamples.
        perfect: net savings of reviewing exactly the frauds.
    """

    transactions: int
    frauds: int
    agreement: float
    champion: Figures
    challenger: Figures
    difference: Interval
    perfect: float

    @property
    def is_better(self) -> bool:
        """Whether the challenger is shown to save more: the whole interval is above 0."""
        return self.difference.low > 0


def compare(
    champion: Decisions,
    challenger: Decisions,
    amount: FloatArray,
    is_fraud: BoolArray,
    costs: CostModel,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare what two models said of the same n transactions.

    Args:
        champion, challenger: their scores and decisions, n each.
        amount: money, float64 (n,). is_fraud: bool (n,).
        costs: what errors cost, the same for both.
        resamples: how many; the intervals' ends vary by a few percent of their length with 1,000.
        seed: of the resamples.

    Raises:
        TooFewFrauds: fewer than MIN_FRAUDS of them are frauds, or all are.
    """
    count, frauds = is_fraud.size, int(np.count_nonzero(is_fraud))
    if frauds < MIN_FRAUDS:
        raise TooFewFrauds(
            f"{frauds:,} of the {count:,} transactions are frauds; at least {MIN_FRAUDS} are "
            "needed to say which version is better."
        )
    if frauds == count:
        raise TooFewFrauds(
            f"All {count:,} transactions are frauds; nothing can be said of false alarms."
        )
    rng = np.random.default_rng(seed)
    figures, difference = _decision_figures(
        champion, challenger, amount, is_fraud, costs, resamples, rng
    )
    first, second = (
        Figures(**figures[side], **_calibration_figures(model.score, is_fraud, resamples, rng))
        for side, model in enumerate((champion, challenger))
    )
    return Comparison(
        transactions=count,
        frauds=frauds,
        agreement=float(np.mean(champion.review == challenger.review)),
        champion=first,
        challenger=second,
        difference=difference,
        perfect=costs.perfect_savings(amount, is_fraud),
    )


def _decision_figures(
    champion: Decisions,
    challenger: Decisions,
    amount: FloatArray,
    is_fraud: BoolArray,
    costs: CostModel,
    resamples: int,
    rng: np.random.Generator,
) -> tuple[tuple[dict[str, Interval], dict[str, Interval]], Interval]:
    """Return the figures of counts and money of either side, and the difference in money.

    Groups are transactions that two models decided alike and that cost the same. An honest
    transaction's amount changes nothing, so four groups hold them all.
    """
    decided = champion.review + 2 * challenger.review
    honest = np.bincount(decided[~is_fraud], minlength=4)
    alike, frauds = np.unique(
        np.column_stack([decided[is_fraud], costs.missed_costs(amount[is_fraud])]),
        axis=0,
        return_counts=True,
    )
    decided = np.concatenate([np.arange(4), alike[:, 0].astype(np.int64)])
    fraud = np.repeat([0.0, 1.0], [4, len(alike)])
    value = np.concatenate([np.full(4, -costs.false_alarm), alike[:, 1]])
    columns = []
    for review in (decided & 1, decided >> 1):
        columns += [review * value, review, review * fraud, (1 - review) * fraud]
        columns += [review * (1 - fraud)]
    columns += [columns[5] - columns[0]]
    intervals = _resampled(np.concatenate([honest, frauds]), columns, resamples, rng)
    names = ("net_savings", "alerts", "caught", "missed", "false_alarms")
    sides = (
        dict(zip(names, intervals[:5], strict=True)),
        dict(zip(names, intervals[5:10], strict=True)),
    )
    return sides, intervals[10]


def _resampled(
    counts: NDArray[np.int64],
    values: Sequence[FloatArray],
    resamples: int,
    rng: np.random.Generator,
) -> list[Interval]:
    """Return the totals over all rows of what a row of each group adds."""
    table = np.column_stack(values)
    drawn = np.concatenate([draw @ table for draw in draws(counts, resamples, rng)])
    return [percentile_interval(*total) for total in zip(counts @ table, drawn.T, strict=True)]


def _calibration_figures(
    score: FloatArray, is_fraud: BoolArray, resamples: int, rng: np.random.Generator
) -> dict[str, Interval]:
    """Resample groups of one label whose scores lie close together.

    Within a group the losses differ by at most LOG_ODDS_STEP of themselves, so that drawing a
    group's mean instead of its rows takes nothing from the intervals.
    """
    bins = equal_count_bins(score)
    log_odds = np.log(score) - np.log1p(-score)
    fine = np.floor(log_odds / LOG_ODDS_STEP).astype(np.int64)
    fine -= fine.min()
    key = (bins * (fine.max() + 1) + fine) * 2 + is_fraud
    groups, group_of, counts = np.unique(key, return_inverse=True, return_counts=True)

    def mean(values: FloatArray) -> FloatArray:
        return np.bincount(group_of, weights=values, minlength=groups.size) / counts

    size = score.size
    by_bin = np.zeros((groups.size, bins.max() + 1))
    by_bin[np.arange(groups.size), groups // 2 // (fine.max() + 1)] = mean(score - is_fraud) / size
    log_loss, squared = mean(log_losses(score, is_fraud)), mean(np.square(score - is_fraud))
    means = np.column_stack([log_loss / size, squared / size, by_bin])
    drawn = np.concatenate([draw @ means for draw in draws(counts, resamples, rng)])
    value = counts @ means
    return {
        "ece": percentile_interval(
            float(np.abs(value[2:]).sum()), np.abs(drawn[:, 2:]).sum(axis=1)
        ),
        "log_loss": percentile_interval(value[0], drawn[:, 0]),
        "brier": percentile_interval(value[1], drawn[:, 1]),
    }
