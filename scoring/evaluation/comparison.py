"""Champion against challenger on the same transactions: decisions, money, calibration.

Every figure has a 95 % interval from the bootstrap over transactions
(`scoring.evaluation.bootstrap`). The bootstrap draws from groups of similar transactions, so that
200,000 transactions with 1,600 frauds take 0.3 s. Where a policy approves at random, transactions
have weights (`scoring.evaluation.weights`); one without a weight has no label that counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.columns import BoolArray, FloatArray
from scoring.evaluation.bootstrap import (
    RESAMPLES,
    Interval,
    draws,
    percentile_interval,
    resampled_totals,
)
from scoring.evaluation.probability_metrics import equal_count_bins, log_losses
from scoring.evaluation.weights import scaled
from scoring.policy import CostModel

MIN_FRAUDS = 20
"""Fewest frauds of a comparison: with fewer, too few resamples differ for a 95 % interval."""

LOG_ODDS_STEP = 0.05
"""Width in log-odds of a group of scores that is resampled as one."""


class TooFewFrauds(ValueError):
    """The labels do not suffice to compare the models; the message is a sentence for users."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """One model's scores and decisions for n transactions.

    Attributes:
        score: calibrated probabilities, strictly between 0 and 1, float64 (n,).
        review: whether the decision is `review`, by the policy then in force, bool (n,).
    """

    score: FloatArray
    review: BoolArray


@dataclass(frozen=True, slots=True)
class Figures:
    """The results of one model, each figure with its 95 % interval.

    Attributes:
        net_savings: money saved against approving everything.
        alerts: number of transactions reviewed.
        caught: number of frauds reviewed.
        missed: number of frauds approved.
        false_alarms: number of honest transactions reviewed.
        ece: expected calibration error over `ECE_BINS` bins of equal counts, 0 to 1.
        log_loss: mean log loss, nats.
        brier: mean squared error of the scores, 0 to 1.
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
    """The results of two models on the same transactions.

    Attributes:
        transactions: number of transactions.
        frauds: number of frauds among the transactions with a weight, one each.
        agreement: share of equal decisions, 0 to 1.
        champion: results of the champion.
        challenger: results of the challenger.
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
        """Whether the challenger saves more: the whole interval of the difference is above 0."""
        return self.difference.low > 0


def compare(
    champion: Decisions,
    challenger: Decisions,
    amount: FloatArray,
    is_fraud: BoolArray,
    costs: CostModel,
    weights: FloatArray | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare two models on the same n transactions.

    Args:
        champion: scores and decisions of the champion.
        challenger: scores and decisions of the challenger.
        amount: amounts of the transactions, money, float64 (n,).
        is_fraud: labels, bool (n,).
        costs: costs of errors, the same for both models.
        weights: number of transactions that each stands for, before scaling
            (`scoring.evaluation.weights`), float64 (n,); None: one each.
        resamples: number of resamples; with 1,000 the ends of an interval vary by a few percent of
            its length.
        seed: seed of the resamples.

    Raises:
        TooFewFrauds: fewer than MIN_FRAUDS of the transactions are frauds, or all are.
    """
    if weights is None:
        weights = np.ones(is_fraud.size)
    is_fraud = is_fraud & (weights > 0)
    count, frauds = is_fraud.size, int(np.count_nonzero(is_fraud))
    if frauds < MIN_FRAUDS:
        raise TooFewFrauds(
            f"{frauds:,} of the {count:,} transactions are frauds; at least {MIN_FRAUDS} are "
            "needed to compare the versions."
        )
    if frauds == count:
        raise TooFewFrauds(
            f"All {count:,} transactions are frauds; a comparison needs honest ones too."
        )
    rng = np.random.default_rng(seed)
    figures, difference = _decision_figures(
        champion, challenger, amount, is_fraud, costs, weights, resamples, rng
    )
    champion_figures, challenger_figures = (
        Figures(
            **figures[side],
            **_calibration_figures(model.score, is_fraud, weights, resamples, rng),
        )
        for side, model in enumerate((champion, challenger))
    )
    return Comparison(
        transactions=count,
        frauds=frauds,
        agreement=float(np.mean(champion.review == challenger.review)),
        champion=champion_figures,
        challenger=challenger_figures,
        difference=difference,
        perfect=costs.perfect_savings(amount, is_fraud, scaled(weights)),
    )


def _decision_figures(
    champion: Decisions,
    challenger: Decisions,
    amount: FloatArray,
    is_fraud: BoolArray,
    costs: CostModel,
    weights: FloatArray,
    resamples: int,
    rng: np.random.Generator,
) -> tuple[tuple[dict[str, Interval], dict[str, Interval]], Interval]:
    """Return the counts and net savings of both models, and the difference of the net savings.

    Transactions with the same two decisions, weight and cost form a group. The amount of an honest
    transaction has no effect, so all honest transactions form four groups a weight.
    """
    decided = champion.review + 2 * challenger.review
    distinct, weight_of = np.unique(weights, return_inverse=True)
    decided = decided + 4 * weight_of
    honest = np.bincount(decided[~is_fraud], minlength=4 * distinct.size)
    fraud_groups, frauds = np.unique(
        np.column_stack([decided[is_fraud], costs.missed_costs(amount[is_fraud])]),
        axis=0,
        return_counts=True,
    )
    decided = np.concatenate([np.arange(honest.size), fraud_groups[:, 0].astype(np.int64)])
    fraud = np.repeat([0.0, 1.0], [honest.size, len(fraud_groups)])
    value = np.concatenate([np.full(honest.size, -costs.false_alarm), fraud_groups[:, 1]])
    columns = []
    for review in (decided & 1, decided >> 1 & 1):
        columns += [review * value, review, review * fraud, (1 - review) * fraud]
        columns += [review * (1 - fraud)]
    columns += [columns[5] - columns[0]]
    counts, weights = np.concatenate([honest, frauds]), distinct[decided >> 2]
    totals = resampled_totals(counts, weights, columns, resamples, rng)
    intervals = [percentile_interval(*total) for total in zip(totals[0], totals[1].T, strict=True)]
    names = ("net_savings", "alerts", "caught", "missed", "false_alarms")
    sides = (
        dict(zip(names, intervals[:5], strict=True)),
        dict(zip(names, intervals[5:10], strict=True)),
    )
    return sides, intervals[10]


def _calibration_figures(
    score: FloatArray,
    is_fraud: BoolArray,
    weights: FloatArray,
    resamples: int,
    rng: np.random.Generator,
) -> dict[str, Interval]:
    """Return the metrics of the scores; a resampled group has one label and weight, close scores.

    Within a group the losses differ by at most LOG_ODDS_STEP of their value, so drawing a group's
    mean instead of its rows does not narrow the intervals.
    """
    bins = equal_count_bins(score)
    log_odds = np.log(score) - np.log1p(-score)
    fine = np.floor(log_odds / LOG_ODDS_STEP).astype(np.int64)
    fine -= fine.min()
    distinct, weight_of = np.unique(weights, return_inverse=True)
    key = ((bins * (fine.max() + 1) + fine) * 2 + is_fraud) * distinct.size + weight_of
    groups, group_of, counts = np.unique(key, return_inverse=True, return_counts=True)

    def mean(values: FloatArray) -> FloatArray:
        return np.bincount(group_of, weights=values, minlength=groups.size) / counts

    size = float(scaled(weights).sum())
    by_bin = np.zeros((groups.size, bins.max() + 1))
    bin_of = groups // distinct.size // 2 // (fine.max() + 1)
    by_bin[np.arange(groups.size), bin_of] = mean(score - is_fraud) / size
    log_loss, squared = mean(log_losses(score, is_fraud)), mean(np.square(score - is_fraud))
    means = np.column_stack([log_loss / size, squared / size, by_bin])
    of_group = distinct[groups % distinct.size]
    drawn = np.concatenate([draw @ means for draw in draws(counts, of_group, resamples, rng)])
    value = scaled(of_group, counts.astype(np.float64)) @ means
    return {
        "ece": percentile_interval(
            float(np.abs(value[2:]).sum()), np.abs(drawn[:, 2:]).sum(axis=1)
        ),
        "log_loss": percentile_interval(value[0], drawn[:, 0]),
        "brier": percentile_interval(value[1], drawn[:, 1]),
    }
