"""The comparison of two versions equals a row-by-row bootstrap and covers the truth."""

from __future__ import annotations

import time
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.evaluation.comparison import MIN_FRAUDS, Comparison, Decisions, TooFewFrauds, compare
from scoring.evaluation.probability_metrics import (
    BoolArray,
    brier,
    expected_calibration_error,
    log_losses,
)
from scoring.features import FloatArray
from scoring.policy import CostModel

FLAT, BY_AMOUNT = CostModel(), CostModel(0.0, 1.0, 5.0)


def payments(
    rows: int = 20_000, noise: float = 0.5, seed: int = 0
) -> tuple[Decisions, Decisions, FloatArray, BoolArray]:
    """A champion whose calibrated log-odds are noisier by `noise` than the challenger's."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(-6, 2.5, rows)
    is_fraud = rng.random(rows) < 1 / (1 + np.exp(-log_odds))
    noisy = log_odds + rng.normal(0, noise, rows)
    sides = []
    for values, threshold in ((noisy, 0.02), (log_odds, 0.01)):
        score = np.clip(1 / (1 + np.exp(-values)), 1e-6, 1 - 1e-6)
        sides.append(Decisions(score, score >= threshold))
    return sides[0], sides[1], rng.lognormal(8, 1, rows), is_fraud


def naive_resamples(
    champion: Decisions,
    challenger: Decisions,
    amount: FloatArray,
    is_fraud: BoolArray,
    costs: CostModel,
    resamples: int,
) -> dict[str, FloatArray]:
    """Every figure of every resample, a row at a time: slow, and obviously what is meant."""
    rng = np.random.default_rng(1)
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(float(value))

    for _ in range(resamples):
        rows = rng.integers(0, is_fraud.size, is_fraud.size)
        savings = []
        for name, side in (("champion", champion), ("challenger", challenger)):
            score, review, fraud = side.score[rows], side.review[rows], is_fraud[rows]
            savings.append(costs.net_savings(amount[rows], fraud, review))
            note(f"{name}.net_savings", savings[-1])
            note(f"{name}.alerts", review.sum())
            note(f"{name}.caught", (review & fraud).sum())
            note(f"{name}.missed", (~review & fraud).sum())
            note(f"{name}.false_alarms", (review & ~fraud).sum())
            note(f"{name}.log_loss", log_losses(score, fraud).mean())
            note(f"{name}.brier", brier(score, fraud))
        note("difference", savings[1] - savings[0])
    return {name: np.array(values) for name, values in found.items()}


def interval(comparison: Comparison, name: str) -> object:
    found: object = comparison
    for part in name.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("costs", [FLAT, BY_AMOUNT])
def test_the_intervals_are_those_of_resampling_every_row(costs: CostModel) -> None:
    case = payments(4_000)
    fast = compare(*case, costs, resamples=4_000)
    for name, values in naive_resamples(*case, costs, 2_000).items():
        ours = interval(fast, name)
        # Many are whole numbers, so it is their shares that are compared; 2,000 resamples leave
        # 0.0035 of standard error, 4,000 another 0.0025.
        for end, share in ((ours.low, 0.025), (ours.high, 0.975)):
            assert np.mean(values < end) < share + 0.015, name
            assert np.mean(values <= end) > share - 0.015, name
        assert ours.low <= ours.value <= ours.high


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(200, 2_000),
    costs=st.builds(
        CostModel, st.floats(1, 5_000), st.floats(0, 2), st.floats(0.1, 100)
    ),
)  # fmt: skip
def test_the_figures_are_those_of_the_rows(seed: int, rows: int, costs: CostModel) -> None:
    champion, challenger, amount, is_fraud = payments(rows, seed=seed)
    is_fraud[:MIN_FRAUDS] = True
    found = compare(champion, challenger, amount, is_fraud, costs, resamples=20)
    for side, figures in ((champion, found.champion), (challenger, found.challenger)):
        score, review = side.score, side.review
        assert figures.net_savings.value == pytest.approx(
            costs.net_savings(amount, is_fraud, review)
        )
        assert figures.alerts.value == review.sum()
        assert figures.caught.value == (review & is_fraud).sum()
        assert figures.missed.value == (~review & is_fraud).sum()
        assert figures.false_alarms.value == (review & ~is_fraud).sum()
        assert figures.ece.value == pytest.approx(expected_calibration_error(score, is_fraud))
        assert figures.log_loss.value == pytest.approx(log_losses(score, is_fraud).mean())
        assert figures.brier.value == pytest.approx(brier(score, is_fraud))
    assert found.difference.value == pytest.approx(
        found.challenger.net_savings.value - found.champion.net_savings.value
    )
    assert found.agreement == (champion.review == challenger.review).mean()
    assert found.frauds == found.champion.caught.value + found.champion.missed.value
    assert found.perfect == pytest.approx(costs.perfect_savings(amount, is_fraud))


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_swapping_the_sides_negates_the_difference(seed: int) -> None:
    champion, challenger, amount, is_fraud = payments(1_000, seed=seed)
    is_fraud[:MIN_FRAUDS] = True
    there = compare(champion, challenger, amount, is_fraud, FLAT, resamples=50)
    back = compare(challenger, champion, amount, is_fraud, FLAT, resamples=50)
    assert back.difference.value == pytest.approx(-there.difference.value)
    assert back.agreement == there.agreement
    assert not (there.is_better and back.is_better)


def test_a_model_against_itself_differs_by_nothing_at_all() -> None:
    champion, _, amount, is_fraud = payments()
    found = compare(champion, champion, amount, is_fraud, BY_AMOUNT)
    assert (found.difference.low, found.difference.value, found.difference.high) == (0, 0, 0)
    assert found.agreement == 1
    assert not found.is_better, "equal is not better"


def test_the_paired_difference_separates_models_whose_intervals_overlap() -> None:
    champion, _, amount, is_fraud = payments()
    spared = champion.review & ~is_fraud & (np.arange(is_fraud.size) % 2 == 0)
    challenger = Decisions(champion.score, champion.review & ~spared)
    found = compare(champion, challenger, amount, is_fraud, FLAT)
    assert found.challenger.net_savings.low < found.champion.net_savings.high
    assert found.is_better
    assert found.difference.value == 5 * spared.sum()


def test_the_interval_covers_the_truth_about_nineteen_times_in_twenty() -> None:
    truth = np.mean([differences(seed) for seed in range(1000, 1200)])
    covered = 0
    for seed in range(100):
        found = compare(*payments(3_000, seed=seed), FLAT, resamples=200)
        covered += found.difference.low <= truth <= found.difference.high
    # Percentile intervals of 80 frauds run a bit short of 95.
    assert covered >= 87


def differences(seed: int) -> float:
    champion, challenger, amount, is_fraud = payments(3_000, seed=seed)
    return FLAT.net_savings(amount, is_fraud, challenger.review) - FLAT.net_savings(
        amount, is_fraud, champion.review
    )


def test_the_same_seed_gives_the_same_comparison() -> None:
    case = payments(2_000)
    assert compare(*case, FLAT) == compare(*case, FLAT)
    assert compare(*case, FLAT) != compare(*case, FLAT, seed=1)


def test_the_ece_lies_in_its_interval_when_calibration_is_perfect() -> None:
    found = compare(*payments(50_000), FLAT)
    ece = found.challenger.ece
    assert ece.low <= ece.value <= ece.high
    assert ece.value < 0.002


@pytest.mark.parametrize("frauds", [0, 1, MIN_FRAUDS - 1])
def test_too_few_frauds_raise_instead_of_figures(frauds: int) -> None:
    champion, challenger, amount, _ = payments(1_000)
    is_fraud = np.arange(1_000) < frauds
    with pytest.raises(TooFewFrauds, match=rf"^{frauds} of the 1,000 .* at least 20 are needed"):
        compare(champion, challenger, amount, is_fraud, FLAT)


def test_frauds_alone_are_refused() -> None:
    champion, challenger, amount, _ = payments(100)
    with pytest.raises(TooFewFrauds, match="All 100"):
        compare(champion, challenger, amount, np.ones(100, dtype=bool), FLAT)


@pytest.mark.parametrize("costs", [FLAT, BY_AMOUNT])
def test_two_hundred_thousand_payments_take_less_than_3_cpu_seconds(costs: CostModel) -> None:
    case = payments(200_000)
    began = time.process_time()
    compare(*case, costs)
    assert time.process_time() - began < 3, "a generous bound for a busy machine"


def test_every_figure_is_frozen() -> None:
    found = compare(*payments(2_000), FLAT, resamples=10)
    for field in fields(found):
        with pytest.raises(AttributeError):
            setattr(found, field.name, None)
