"""The population stability index, its levels, and when a window is too small for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2, entropy

from scoring.evaluation.drift import MODERATE, SCORE, Binned, Shift, shift, training_distribution
from scoring.features import FEATURE_NAMES, FloatArray
from tests.support.factories import feature_rows
from training.pipeline.distribution import distribution


def trained(bins: int = 10, rows: int = 200_000) -> Binned:
    """Equal shares, between the edges 1, 2, ..."""
    return Binned(tuple(map(float, range(1, bins))), (1 / bins,) * bins, rows)


def counted(baseline: Binned, values: FloatArray) -> list[int]:
    """Count values into bins, the way training does."""
    bins = np.searchsorted(baseline.edges, values, side="right")
    return np.bincount(bins, minlength=len(baseline.proportions)).tolist()


@pytest.mark.parametrize("counts", [(900, 100), (10, 990), (0, 1000), (1000, 0), (500, 500)])
def test_psi_is_the_symmetric_divergence_of_the_two_with_half_a_row_in_each_bin(
    counts: tuple[int, int],
) -> None:
    baseline = Binned((0.5,), (0.25, 0.75), 4000)
    e = np.array([1000.5, 3000.5]) / 4001
    a = (np.array(counts) + 0.5) / 1001
    assert shift(baseline, counts).psi == pytest.approx(entropy(a, e) + entropy(e, a), rel=1e-12)


def test_the_limit_is_the_chi_square_quantile_of_the_paper() -> None:
    for bins in range(2, 14):
        found = shift(trained(bins, rows=50_000), [2000] * bins)
        chance = 1 / (2000 * bins) + 1 / 50_000
        assert found.expected_without_drift == pytest.approx((bins - 1) * chance)
        exact = chi2.ppf(0.999, bins - 1) * chance
        assert found.limit_without_drift == pytest.approx(exact, rel=0.04)


def test_samples_of_one_distribution_stay_below_the_limit_and_average_at_the_expectation() -> None:
    rng = np.random.default_rng(0)
    baseline = trained(rows=20_000)
    windows = rng.multinomial(1000, [0.1] * 10, 4000)
    # The sample that training saw is one of many too.
    trainings = rng.multinomial(20_000, [0.1] * 10, 4000) / 20_000
    found = [
        shift(Binned(baseline.edges, tuple(of.tolist()), 20_000), counts.tolist())
        for of, counts in zip(trainings, windows, strict=True)
    ]
    psi = np.array([one.psi for one in found])
    assert psi.mean() == pytest.approx(found[0].expected_without_drift, rel=0.05)
    assert (psi > found[0].limit_without_drift).mean() < 0.003
    assert {one.level for one in found} == {"stable"}


@pytest.mark.parametrize(
    ("first_bin", "level"), [(0.1, "stable"), (0.25, "moderate"), (0.6, "major")]
)
def test_levels_follow_the_usual_rule(first_bin: float, level: str) -> None:
    others = (1 - first_bin) / 9
    counts = [round(10_000 * share) for share in (first_bin, *[others] * 9)]
    found = shift(trained(), counts)
    assert found.level == level


@pytest.mark.parametrize("bins", [2, 10, 13])
def test_a_window_too_small_for_its_bins_is_insufficient(bins: int) -> None:
    needed = chi2.ppf(0.999, bins - 1) / MODERATE
    few = shift(trained(bins), [int(needed * 0.9), *[0] * (bins - 1)])
    assert (few.level, few.psi) == ("insufficient", None)
    assert few.limit_without_drift is not None
    assert few.limit_without_drift >= MODERATE
    enough = shift(trained(bins), [int(needed * 1.1), *[0] * (bins - 1)])
    assert (enough.level, enough.psi is None) == ("major", False)


def test_a_training_sample_too_small_for_its_bins_is_insufficient() -> None:
    assert shift(trained(rows=200), [10_000] * 10).level == "insufficient"


def test_an_empty_window_has_no_number() -> None:
    assert shift(trained(), [0] * 10) == Shift("empty", None, None, None)


def test_what_was_constant_in_training_has_no_number() -> None:
    assert shift(Binned((), (1.0,), 1000), [500]) == Shift("constant", None, None, None)


def test_only_the_changed_feature_drifts() -> None:
    baseline = training_distribution(distribution(feature_rows(20_000), np.arange(20_000) / 20_000))
    window = feature_rows(5000, seed=1)
    window[:, FEATURE_NAMES.index("oldbalance_dest")] *= 4
    found = {
        name: shift(baseline[name], counted(baseline[name], window[:, index]))
        for index, name in enumerate(FEATURE_NAMES)
    }
    moved = {name: one.level for name, one in found.items() if one.level != "stable"}
    constant = {"empties_account": "constant", "dest_is_empty": "constant"}  # in these rows
    assert moved == {"oldbalance_dest": "major", **constant}
    rest = [one.psi for name, one in found.items() if name not in moved]
    assert max(psi for psi in rest if psi is not None) < 0.01


def test_a_rare_flag_that_becomes_common_is_major_drift() -> None:
    found = shift(Binned((1.0,), (0.999, 0.001), 100_000), [800, 200])
    assert found.level == "major"


def test_the_distribution_of_a_version_is_read_as_training_wrote_it() -> None:
    wrote = distribution(feature_rows(500), np.linspace(0, 1, 300))
    read = training_distribution(wrote)
    assert set(read) == {*FEATURE_NAMES, SCORE}
    assert list(read["amount"].edges) == wrote["features"]["amount"]["edges"]
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
def test_numbers_that_are_no_distribution_are_refused_by_name(
    score: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        training_distribution(
            {"features": {}, "score": score, "feature_rows": 10, "score_rows": 10}
        )
