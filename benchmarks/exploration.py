"""`python -m benchmarks.exploration`: estimators of what reviews were, with known truth.

Scores have a few levels and frauds are drawn from them, so the expected value of each figure is a
sum. Champion and challenger are compared by the service's own functions on what a bank sees:
approved payments show what they were, and a review gets a label more often if it was a fraud. The
results are in docs/decisions/0016-randomised-approvals.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import click
import numpy as np
from rich.progress import track
from rich.table import Table

from scoring.columns import BoolArray, FloatArray
from scoring.evaluation.bootstrap import Interval
from scoring.evaluation.comparison import Comparison, Decisions, compare
from scoring.evaluation.weights import observation_weights
from scoring.policy import CostModel
from sentinel.local.terminal import open_console

SHARE = 0.1
"""Share of the would-be reviews that is approved at random."""
LABELLED_FRAUDS, LABELLED_HONEST = 0.6, 0.2
"""Probability that a review gets a label, of a fraud and of an honest payment."""
COSTS = CostModel(100.0, 0.0, 10.0)
THRESHOLD = 0.25

LEVELS = np.array([0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.9])
LEVEL_SHARES = np.array([0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05])
FACTORS, FACTOR_SHARES = np.array([0.3, 1.5]), np.array([0.4, 0.6])
"""The challenger's odds are the champion's times a factor that has nothing to do with fraud."""

FIGURES = ("net_savings", "caught", "missed", "false_alarms", "log_loss", "brier")
SHOWN = "champion net_savings"
_AMOUNT = 50.0
_Z = 1.96


@dataclass(frozen=True, slots=True)
class Payments:
    """What a bank knows of n payments, and what they were.

    Attributes:
        champion, challenger: scores and decisions at the threshold, chance apart.
        was_fraud: what they were, bool (n,).
        labelled: whether that is known, bool (n,).
        approved: whether they were approved, bool (n,).
        approval_probability: as a decision stores it, float64 (n,); NaN where chance had no part.
    """

    champion: Decisions
    challenger: Decisions
    was_fraud: BoolArray
    labelled: BoolArray
    approved: BoolArray
    approval_probability: FloatArray

    @property
    def weights(self) -> FloatArray:
        """Weights of what the bank knows, float64 (n,)."""
        return observation_weights(self.approval_probability, self.approved, self.labelled)


def decided(seed: int, rows: int) -> Payments:
    """Draw payments and decide them."""
    rng = np.random.default_rng(seed)
    score = rng.choice(LEVELS, rows, p=LEVEL_SHARES)
    other = _challengers(score, rng.choice(FACTORS, rows, p=FACTOR_SHARES))
    was_fraud = rng.random(rows) < score
    would_review = score >= THRESHOLD
    approved = ~would_review | (rng.random(rows) < SHARE)
    chance = np.where(was_fraud, LABELLED_FRAUDS, LABELLED_HONEST)
    return Payments(
        Decisions(score, would_review),
        Decisions(other, other >= THRESHOLD),
        was_fraud,
        approved | (rng.random(rows) < chance),
        approved,
        np.where(would_review, SHARE, np.nan),
    )


def expected(rows: int) -> dict[str, float]:
    """Return the expected value of every figure, by a sum over levels and factors."""
    score, factor = (part.ravel() for part in np.meshgrid(LEVELS, FACTORS, indexing="ij"))
    share = np.outer(LEVEL_SHARES, FACTOR_SHARES).ravel()
    values: dict[str, float] = {}
    for side, probability in {"champion": score, "challenger": _challengers(score, factor)}.items():
        review = probability >= THRESHOLD
        losses = score * np.log(probability) + (1 - score) * np.log1p(-probability)
        squares = score * (1 - probability) ** 2 + (1 - score) * probability**2
        caught = rows * float(share @ (review * score))
        false_alarms = rows * float(share @ (review * (1 - score)))
        values |= {
            f"{side} net_savings": COSTS.missed_fraud * caught - COSTS.false_alarm * false_alarms,
            f"{side} caught": caught,
            f"{side} missed": rows * float(share @ (~review * score)),
            f"{side} false_alarms": false_alarms,
            f"{side} log_loss": -float(share @ losses),
            f"{side} brier": float(share @ squares),
        }
    values["difference"] = values["challenger net_savings"] - values["champion net_savings"]
    return values


def intervals(comparison: Comparison) -> Iterator[tuple[str, Interval]]:
    """Yield the figures of a comparison by the names that `expected` has."""
    for side in ("champion", "challenger"):
        for name in FIGURES:
            yield f"{side} {name}", getattr(getattr(comparison, side), name)
    yield "difference", comparison.difference


Estimator = Callable[[Payments, int, int], Mapping[str, Interval]]
"""Function from payments, seed and number of resamples to figures."""


def weighted(payments: Payments, seed: int, resamples: int) -> Mapping[str, Interval]:
    """Return the figures as the service computes them."""
    known = payments.was_fraud & payments.labelled
    return _figures(payments, known, payments.weights, seed, resamples)


def presumed_honest(payments: Payments, seed: int, resamples: int) -> Mapping[str, Interval]:
    """Return the figures without weights: a review without a label is presumed honest."""
    return _figures(payments, payments.was_fraud & payments.labelled, None, seed, resamples)


def _as_if_labelled_at_random(
    payments: Payments, seed: int, resamples: int
) -> Mapping[str, Interval]:
    drawn = ~np.isnan(payments.approval_probability)
    weights = np.where(drawn, np.where(payments.labelled, 2.0, 0.0), 1.0)  # scaled later
    return _figures(payments, payments.was_fraud, weights, seed, resamples)


def _unscaled(payments: Payments, _seed: int, _resamples: int) -> Mapping[str, Interval]:
    value = np.where(payments.was_fraud, COSTS.missed_fraud, -COSTS.false_alarm)
    value = value * payments.champion.review * payments.weights
    total, spread = float(value.sum()), _Z * float(np.sqrt(value.size * value.var()))
    return {SHOWN: Interval(total, total - spread, total + spread)}


def _all_labelled(payments: Payments, seed: int, resamples: int) -> Mapping[str, Interval]:
    return _figures(payments, payments.was_fraud, None, seed, resamples)


ESTIMATORS: Mapping[str, Estimator] = MappingProxyType(
    {
        "reviews without a label are presumed honest": presumed_honest,
        "reviews with a label stand for the others": _as_if_labelled_at_random,
        "1 / probability, not scaled (normal interval)": _unscaled,
        "1 / probability, scaled": weighted,
        "every payment labelled": _all_labelled,
    }
)


def shares_covered(estimator: Estimator, runs: int, rows: int, resamples: int) -> dict[str, float]:
    """Return the share of runs whose interval covers the expected value, by figure."""
    truth = expected(rows)
    hits = dict.fromkeys(truth, 0)
    for seed in range(runs):
        for name, interval in estimator(decided(seed, rows), seed, resamples).items():
            hits[name] += interval.low <= truth[name] <= interval.high
    return {name: count / runs for name, count in hits.items()}


@click.command()
@click.option("--runs", default=300, show_default=True)
@click.option("--rows", default=10_000, show_default=True, help="Payments a run.")
@click.option("--resamples", default=400, show_default=True)
@click.option("--figures", is_flag=True, help="Show the coverage of every weighted figure.")
def main(runs: int, rows: int, resamples: int, figures: bool) -> None:
    """Compare estimators of the champion's net savings, or show every weighted figure."""
    console = open_console()
    if figures:
        shown = sum(int((one.was_fraud & (one.weights > 1)).sum())
                    for one in (decided(seed, rows) for seed in range(50))) / 50  # fmt: skip
        console.print(f"{shown:.0f} frauds among the randomised approvals of a run")
        for name, share in shares_covered(weighted, runs, rows, resamples).items():
            console.print(f"{name:26} {share:.3f}")
        return
    truth = expected(rows)[SHOWN]
    table = Table("estimator", "covers", "length", "bias", title=f"{SHOWN}, truth {truth:,.0f}")
    for name, estimator in ESTIMATORS.items():
        found = [
            estimator(decided(seed, rows), seed, resamples)[SHOWN]
            for seed in track(range(runs), name, console=console, transient=True)
        ]
        covered = sum(one.low <= truth <= one.high for one in found) / runs
        length = sum(one.high - one.low for one in found) / runs
        bias = sum(one.value for one in found) / runs - truth
        table.add_row(name, f"{covered:.1%}", f"{length:,.0f}", f"{bias:+,.0f}")
    console.print(table)


def _challengers(score: FloatArray, factor: FloatArray) -> FloatArray:
    odds = score / (1 - score) * factor
    return np.asarray(odds / (1 + odds))


def _figures(
    payments: Payments,
    is_fraud: BoolArray,
    weights: FloatArray | None,
    seed: int,
    resamples: int,
) -> Mapping[str, Interval]:
    amount = np.full(is_fraud.size, _AMOUNT)
    compared = compare(
        payments.champion, payments.challenger, amount, is_fraud, COSTS, weights,
        resamples=resamples, seed=seed,
    )  # fmt: skip
    return dict(intervals(compared))


if __name__ == "__main__":
    main()
