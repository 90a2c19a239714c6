"""The search chooses the fastest candidate within one standard error of the best."""

from __future__ import annotations

import numpy as np
import pytest

from training.search.selection import NOISE, Candidate, Choice, choose

FRAUD, ALARM = 1000.0, 5.0
FRAUDS, ROWS = 100, 20_000
VALUES = np.where(np.arange(ROWS) < FRAUDS, FRAUD, -ALARM)


def a_candidate(number: int, *, missed: int = 0, alarms: int = 0, us: float = 10.0) -> Candidate:
    """It reviews all frauds but `missed`, and `alarms` honest payments."""
    reviewed = np.concatenate(
        [np.arange(missed, FRAUDS), np.arange(FRAUDS, FRAUDS + alarms)]
    ).astype(np.int64)
    return Candidate(number, reviewed, us)


def chosen(*candidates: Candidate, budget: float | None = None) -> Choice:
    return choose(candidates, VALUES, FRAUD, budget)


def test_the_fastest_within_one_standard_error_is_chosen() -> None:
    choice = chosen(
        a_candidate(0, us=30.0),
        a_candidate(1, missed=1, us=8.0),
        a_candidate(2, missed=20, us=1.0),
    )
    assert choice.best is not None
    assert choice.chosen is not None
    assert choice.best.number == 0
    assert choice.chosen.number == 1
    assert [s.is_tied for s in choice.ranked] == [True, True, False]


def test_one_more_missed_fraud_is_a_tie_and_three_are_not() -> None:
    """One more: 1,000 behind, error 1,000. Three: 3,000 behind, error sqrt(3) * 1,000."""
    choice = chosen(a_candidate(0), a_candidate(1, missed=1), a_candidate(2, missed=3))
    one, three = choice.ranked[1:]
    assert (one.behind, three.behind) == (1000.0, 3000.0)
    assert one.behind_error == pytest.approx(1000, rel=1e-3)
    assert three.behind_error == pytest.approx(np.sqrt(3) * 1000, rel=1e-3)
    assert (one.is_tied, three.is_tied) == (True, False)


def test_the_error_is_what_a_paired_bootstrap_over_payments_gives() -> None:
    best, other = a_candidate(0, alarms=40), a_candidate(1, missed=7, alarms=3)
    candidate = choose([best, other], VALUES, 0.0).ranked[1]
    rng = np.random.default_rng(0)
    difference = np.zeros(ROWS)
    difference[best.reviewed] += VALUES[best.reviewed]
    difference[other.reviewed] -= VALUES[other.reviewed]
    draws = [difference[rng.integers(0, ROWS, ROWS)].sum() for _ in range(2000)]
    assert candidate.behind == difference.sum()
    assert candidate.behind_error == pytest.approx(np.std(draws), rel=0.06)


def test_the_savings_and_their_error_are_those_of_the_reviewed() -> None:
    candidate = chosen(a_candidate(0, missed=10, alarms=50)).ranked[0]
    assert candidate.savings == 90 * FRAUD - 50 * ALARM
    assert candidate.savings_error == pytest.approx(np.sqrt(90) * FRAUD, rel=0.01)


def test_a_candidate_above_the_budget_is_neither_best_nor_chosen() -> None:
    choice = chosen(a_candidate(0, us=50.0), a_candidate(1, missed=30, us=5.0), budget=20.0)
    assert choice.best is not None
    assert choice.chosen is not None
    assert (choice.best.number, choice.chosen.number) == (1, 1)
    assert [s.fits for s in choice.ranked] == [False, True]
    assert not choice.ranked[0].is_tied


def test_without_a_candidate_within_the_budget_none_is_chosen() -> None:
    choice = chosen(a_candidate(0), a_candidate(1), budget=9.0)
    assert choice.best is None
    assert choice.chosen is None
    assert not choice.improves_on(0)


def test_of_equally_fast_candidates_the_one_with_more_savings_is_chosen() -> None:
    choice = chosen(a_candidate(0, alarms=3), a_candidate(1))
    assert choice.chosen is not None
    assert choice.chosen.number == 1


def test_a_search_that_ends_at_the_default_improves_nothing() -> None:
    assert not chosen(a_candidate(0, us=5.0), a_candidate(1, us=9.0)).improves_on(0)


def test_a_difference_in_time_within_its_noise_improves_nothing() -> None:
    nearly = chosen(a_candidate(0, us=10.0), a_candidate(1, us=10.0 * (1 - NOISE / 2)))
    assert nearly.chosen is not None
    assert nearly.chosen.number == 1
    assert not nearly.improves_on(0)
    assert chosen(a_candidate(0, us=10.0), a_candidate(1, us=8.5)).improves_on(0)


def test_more_money_improves_also_when_it_explains_slower() -> None:
    assert chosen(a_candidate(0, missed=30, us=5.0), a_candidate(1, us=9.0)).improves_on(0)


def test_fitting_the_budget_improves_on_a_default_that_does_not() -> None:
    choice = chosen(a_candidate(0, us=50.0), a_candidate(1, missed=30, us=5.0), budget=20.0)
    assert choice.improves_on(0)
