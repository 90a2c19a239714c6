"""Intervals from randomised approvals cover what all payments would show; the naive ones do not.

The simulation knows the truth and sees what a bank sees: `benchmarks/exploration.py`.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.exploration import (
    SHARE,
    THRESHOLD,
    decided,
    expected,
    presumed_honest,
    shares_covered,
    weighted,
)

RUNS, ROWS, RESAMPLES = 200, 10_000, 400
NAIVE_RUNS = 50
"""The naive shares are 0 to 0.61 with 200 runs: five standard errors of 50 runs below 0.9."""
FIGURES = list(expected(ROWS))


@pytest.fixture(scope="module")
def weighted_coverage() -> dict[str, float]:
    return shares_covered(weighted, RUNS, ROWS, RESAMPLES)


@pytest.fixture(scope="module")
def naive_coverage() -> dict[str, float]:
    return shares_covered(presumed_honest, NAIVE_RUNS, ROWS, RESAMPLES)


@pytest.mark.parametrize("name", FIGURES)
def test_a_weighted_interval_covers_the_truth_in_93_of_100_runs(
    weighted_coverage: dict[str, float], name: str
) -> None:
    assert weighted_coverage[name] >= 0.93


# Frauds below the threshold are seen either way, so the naive interval of the champion's misses is
# right.
@pytest.mark.parametrize("name", [name for name in FIGURES if name != "champion missed"])
def test_a_naive_interval_does_not(naive_coverage: dict[str, float], name: str) -> None:
    assert naive_coverage[name] < 0.9


def test_the_expected_values_are_the_means_of_the_simulation() -> None:
    payments = decided(0, 400_000)
    truth = expected(400_000)
    caught = (payments.was_fraud & payments.champion.review).sum()
    assert caught == pytest.approx(truth["champion caught"], rel=0.02)
    missed = (payments.was_fraud & ~payments.challenger.review).sum()
    assert missed == pytest.approx(truth["challenger missed"], rel=0.02)
    reviewed = payments.champion.score >= THRESHOLD
    assert payments.approved[reviewed].mean() == pytest.approx(SHARE, rel=0.05)
    labelled = payments.labelled & ~payments.approved
    frauds = payments.was_fraud[labelled].mean(), payments.was_fraud[reviewed].mean()
    assert np.greater(*frauds), "reviews get a label more often if they were frauds"
