"""The population stability index of a window: its value, its level, and when it has none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2, entropy

from scoring.columns import FloatArray
from scoring.evaluation.drift import MODERATE, SCORE, Binned, Shift, shift, training_distribution
from scoring.features import FEATURE_NAMES
from tests.support.factories import feature_rows
from training.pipeline.distribution import distribution


def trained(bins: int = 10, rows: int = 200_000) -> Binned:
    """Return a baseline with equal shares between the edges 1, 2, ..."""
    return Binned(tuple(map(float, range(1, bins))), (1 / bins,) * bins, rows)


def counted(baseline: Binned, values: FloatArray) -> list[int]:
    """Count values into bins as training does."""
    bins = np.searchsorted(baseline.edges, values, side="right")
    return np.bincount(bins, minlength=len(baseline.proportions)).tolist()


@pytest.mark.parametrize("counts", [(900, 100), (10, 990), (0, 1000), (1000, 0), (500, 500)])
def test_psi_is_the_symmetric_divergence_with_half_a_row_added_to_each_bin(
    counts: tuple[int, int],
) -> None:
    baseline = Binned((0.5,), (0.25, 0.75), 4000)
    e = np.array([1000.5, 3000.5]) / 4001
    a = (np.array(counts) + 0.5) / 1001
    assert shift(baseline, counts).psi == pytest.approx(entropy(a, e) + entropy(e, a), rel=1e-12)


def test_the_limit_is_the_chi_square_quantile() -> None:
    for bins in range(2, 14):
        result = shift(trained(bins, rows=50_000), [2000] * bins)
        chance = 1 / (2000 * bins) + 1 / 50_000
        assert result.expected_without_drift == pytest.approx((bins - 1) * chance)
        exact = chi2.ppf(0.999, bins - 1) * chance
        assert result.limit_without_drift == pytest.approx(exact, rel=0.04)


def test_without_drift_psi_stays_below_the_limit_and_its_mean_is_the_expectation() -> None:
    rng = np.random.default_rng(0)
    baseline = trained(rows=20_000)
    windows = rng.multinomial(1000, [0.1] * 10, 4000)
    # The training sample is random too.
    trainings = rng.multinomial(20_000, [0.1] * 10, 4000) / 20_000
    results = [
        shift(Binned(baseline.edges, tuple(shares.tolist()), 20_000), counts.tolist())
        for shares, counts in zip(trainings, windows, strict=True)
    ]
    psi = np.array([result.psi for result in results])
    assert psi.mean() == pytest.approx(results[0].expected_without_drift, rel=0.05)
    assert (psi > results[0].limit_without_drift).mean() < 0.003
    assert {result.level for result in results} == {"stable"}


@pytest.mark.parametrize(
    ("first_bin", "level"), [(0.1, "stable"), (0.25, "moderate"), (0.6, "major")]
)
def test_levels_follow_the_conventional_limits(first_bin: float, level: str) -> None:
    others = (1 - first_bin) / 9
    counts = [round(10_000 * share) for share in (first_bin, *[others] * 9)]
    result = shift(trained(), counts)
    assert result.level == level


@pytest.mark.parametrize("bins", [2, 10, 13])
def test_a_window_in_which_chance_could_reach_a_level_is_insufficient(bins: int) -> None:
    needed = chi2.ppf(0.999, bins - 1) / MODERATE
    few = shift(trained(bins), [int(needed * 0.9), *[0] * (bins - 1)])
    assert (few.level, few.psi) == ("insufficient", None)
    assert few.limit_without_drift is not None
    assert few.limit_without_drift >= MODERATE
    enough = shift(trained(bins), [int(needed * 1.1), *[0] * (bins - 1)])
    assert (enough.level, enough.psi is None) == ("major", False)


def test_a_large_window_is_insufficient_for_a_model_trained_on_few_rows() -> None:
    assert shift(trained(rows=200), [10_000] * 10).level == "insufficient"


def test_an_empty_window_has_no_psi() -> None:
    assert shift(trained(), [0] * 10) == Shift("empty", None, None, None)


def test_a_feature_that_was_constant_in_training_has_no_psi() -> None:
    assert shift(Binned((), (1.0,), 1000), [500]) == Shift("constant", None, None, None)


def test_only_the_changed_feature_drifts() -> None:
    baseline = training_distribution(
        distribution(feature_rows(20_000), np.arange(20_000) / 20_000, FEATURE_NAMES)
    )
    window = feature_rows(5000, seed=1)
    window[:, FEATURE_NAMES.index("oldbalance_dest")] *= 4
    results = {
        name: shift(baseline[name], counted(baseline[name], window[:, index]))
        for index, name in enumerate(FEATURE_NAMES)
    }
    moved = {name: result.level for name, result in results.items() if result.level != "stable"}
    constant = {"empties_account": "constant", "dest_is_empty": "constant"}  # in these rows
    assert moved == {"oldbalance_dest": "major", **constant}
    rest = [result.psi for name, result in results.items() if name not in moved]
    assert max(psi for psi in rest if psi is not None) < 0.01


def test_a_rare_flag_that_becomes_common_is_major_drift() -> None:
    result = shift(Binned((1.0,), (0.999, 0.001), 100_000), [800, 200])
    assert result.level == "major"


def test_a_training_distribution_is_read_as_it_was_written() -> None:
    written = distribution(feature_rows(500), np.linspace(0, 1, 300), FEATURE_NAMES)
    read = training_distribution(written)
    assert set(read) == {*FEATURE_NAMES, SCORE}
    assert list(read["amount"].edges) == written["features"]["amount"]["edges"]
    assert (read["amount"].rows, read[SCORE].rows) == (500, 300)
    assert training_distribution({}) == {}


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"edges": [2.0, 1.0], "proportions": [0.5, 0.25, 0.25]}, "of score"),
    ({"edges": [1.0], "proportions": [1.0]}, "of score"),
    ({"edges": [1.0], "proportions": [0.7, 0.7]}, "of score"),
    ({"edges": [float("nan")], "proportions": [0.5, 0.5]}, "of score"),
    ({"edges": [1.0]}, "proportions"),
]


@pytest.mark.parametrize(("score", "named"), BROKEN)
def test_an_invalid_distribution_is_refused_by_name(score: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        training_distribution(
            {"features": {}, "score": score, "feature_rows": 10, "score_rows": 10}
        )
