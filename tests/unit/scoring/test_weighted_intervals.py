"""Intervals from randomised approvals cover what all payments would show; the naive ones do not.

The simulation knows the truth: scores have 8 levels and frauds are drawn from them, so the
expected value of each figure is a sum. Champion and challenger are compared by the service's own
functions on what a bank sees: approved payments show what they were, and a review gets a label more
often if it was a fraud.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from scoring.columns import BoolArray, FloatArray
from scoring.evaluation.bootstrap import Interval
from scoring.evaluation.comparison import Comparison, Decisions, compare
from scoring.evaluation.weights import observation_weights
from scoring.policy import CostModel

RUNS, ROWS, RESAMPLES = 200, 10_000, 400
SHARE = 0.1
LABELLED = {True: 0.6, False: 0.2}
"""Probability that a review gets a label, of a fraud and of an honest payment."""
COSTS = CostModel(100.0, 0.0, 10.0)
THRESHOLD = 0.25

LEVELS = np.array([0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.9])
LEVEL_SHARES = np.array([0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05])
FACTORS, FACTOR_SHARES = np.array([0.3, 1.5]), np.array([0.4, 0.6])
"""The challenger's odds are the champion's times a factor that has nothing to do with fraud."""

FIGURES = ("net_savings", "caught", "missed", "false_alarms", "log_loss", "brier")


def challengers(score: FloatArray, factor: FloatArray) -> FloatArray:
    odds = score / (1 - score) * factor
    return np.asarray(odds / (1 + odds))


@dataclass(frozen=True)
class Payments:
    """What a bank knows of its payments, and what they really were."""

    champion: Decisions
    challenger: Decisions
    was_fraud: BoolArray
    is_labelled: BoolArray
    approved: BoolArray
    approval_probability: FloatArray

    @property
    def is_fraud(self) -> BoolArray:
        """Labels: a payment without one is presumed honest."""
        return self.was_fraud & self.is_labelled

    def compared(self, weights: FloatArray | None, seed: int) -> Comparison:
        """Compare on what the bank knows; the naive comparison has no weights."""
        amount = np.full(self.is_fraud.size, 50.0)
        return compare(
            self.champion, self.challenger, amount, self.is_fraud, COSTS, weights,
            resamples=RESAMPLES, seed=seed,
        )  # fmt: skip


def decided(seed: int, rows: int) -> Payments:
    rng = np.random.default_rng(seed)
    score = rng.choice(LEVELS, rows, p=LEVEL_SHARES)
    other = challengers(score, rng.choice(FACTORS, rows, p=FACTOR_SHARES))
    was_fraud = rng.random(rows) < score
    would_review = score >= THRESHOLD
    approved = ~would_review | (rng.random(rows) < SHARE)
    chance = np.where(was_fraud, LABELLED[True], LABELLED[False])
    return Payments(
        Decisions(score, would_review),
        Decisions(other, other >= THRESHOLD),
        was_fraud,
        approved | (rng.random(rows) < chance),
        approved,
        np.where(would_review, SHARE, np.nan),
    )


def weights_of(payments: Payments) -> FloatArray:
    return observation_weights(
        payments.approval_probability, payments.approved, payments.is_labelled
    )


def expected(rows: int = ROWS) -> dict[str, float]:
    """The expected value of every figure, by a sum over levels and factors."""
    score, factor = (part.ravel() for part in np.meshgrid(LEVELS, FACTORS, indexing="ij"))
    share = np.outer(LEVEL_SHARES, FACTOR_SHARES).ravel()
    values: dict[str, float] = {}
    for side, probability in {"champion": score, "challenger": challengers(score, factor)}.items():
        review = probability >= THRESHOLD
        values |= {
            f"{side} caught": rows * float(share @ (review * score)),
            f"{side} missed": rows * float(share @ (~review * score)),
            f"{side} false_alarms": rows * float(share @ (review * (1 - score))),
            f"{side} log_loss": -float(
                share @ (score * np.log(probability) + (1 - score) * np.log1p(-probability))
            ),
            f"{side} brier": float(
                share @ (score * (1 - probability) ** 2 + (1 - score) * probability**2)
            ),
        }
        values[f"{side} net_savings"] = (
            COSTS.missed_fraud * values[f"{side} caught"]
            - COSTS.false_alarm * values[f"{side} false_alarms"]
        )
    values["difference"] = values["challenger net_savings"] - values["champion net_savings"]
    return values


def intervals(comparison: Comparison) -> Iterator[tuple[str, Interval]]:
    for side in ("champion", "challenger"):
        for name in FIGURES:
            yield f"{side} {name}", getattr(getattr(comparison, side), name)
    yield "difference", comparison.difference


def shares_covered(runs: int, rows: int) -> dict[str, tuple[float, float]]:
    """Share of the runs whose interval covers the truth by figure: weighted, and naive."""
    truth = expected(rows)
    hits = {name: [0, 0] for name in truth}
    for seed in range(runs):
        payments = decided(seed, rows)
        for which, weights in enumerate((weights_of(payments), None)):
            for name, interval in intervals(payments.compared(weights, seed)):
                hits[name][which] += interval.low <= truth[name] <= interval.high
    return {name: (weighted / runs, naive / runs) for name, (weighted, naive) in hits.items()}


@pytest.fixture(scope="module")
def coverage() -> dict[str, tuple[float, float]]:
    return shares_covered(RUNS, ROWS)


@pytest.mark.parametrize("name", expected())
def test_a_weighted_interval_covers_the_truth_in_93_of_100_runs(
    coverage: dict[str, tuple[float, float]], name: str
) -> None:
    weighted, _ = coverage[name]
    assert weighted >= 0.93


# Frauds below the threshold are seen either way, so the naive interval of the champion's misses is
# right.
@pytest.mark.parametrize("name", [name for name in expected() if name != "champion missed"])
def test_a_naive_interval_does_not(coverage: dict[str, tuple[float, float]], name: str) -> None:
    _, naive = coverage[name]
    assert naive < 0.9
