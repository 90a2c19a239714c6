"""The published experiment's test: who is judged, and what its figures mean."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality.published import (
    TEST_US,
    TRAINING_END_US,
    Payments,
    judge,
    judged_rows,
)
from benchmarks.quality.report import verdict, write_page
from benchmarks.quality.weeks import LEARNED_UNTIL_US, STOPPED_UNTIL_US, WEEKS_US
from scoring.windows.definition import DAY_US

PROJECT = Path(__file__).parents[3]


def payments(*rows: tuple[int, int, bool]) -> Payments:
    """Payments of a time, by a card, and whether each is a fraud."""
    times, cards, frauds = zip(*sorted(rows), strict=True)
    return Payments(np.array(times), np.array(cards), np.array(frauds))


def judged_cards(made: Payments) -> list[list[int]]:
    return [made.card[rows].tolist() for rows in judged_rows(made)]


def test_a_card_with_a_fraud_in_the_week_of_training_is_left_out() -> None:
    made = payments(
        (TRAINING_END_US - 1, 1, True), (TRAINING_END_US - 8 * DAY_US, 2, True),
        (TEST_US, 1, False), (TEST_US, 2, False),
    )  # fmt: skip
    assert judged_cards(made)[0] == [2]


def test_a_fraud_after_training_is_known_a_week_after_its_day() -> None:
    fraud = (TRAINING_END_US + 2 * DAY_US + 5, 1, True)
    week = [(TEST_US + day * DAY_US, 1, False) for day in range(7)]
    assert judged_cards(payments(fraud, *week)) == [[1], [1], [1], [], [], [], []]


def test_a_compromised_card_that_is_found_leaves_the_later_lists() -> None:
    rows = [(TEST_US + day * DAY_US + card, card, card == 0) for day in range(7) for card in (0, 1)]
    made = payments(*rows)
    found = judge(made, made.is_fraud * 0.8 + 0.1)
    assert found["card_precision_100"] == pytest.approx(0.01 / 7)
    assert found["average_precision"] == found["auc"] == 1


def test_a_cards_risk_is_that_of_its_riskiest_payment() -> None:
    rows = [(TEST_US + card, card, False) for card in range(1, 100)]
    made = payments((TEST_US, 0, False), *rows, (TEST_US + 1, 500, True), (TEST_US + 2, 500, False))
    score = np.where(made.card == 500, 0.0, 0.5)
    assert judge(made, score)["card_precision_100"] == 0
    score[made.is_fraud] = 0.9
    assert judge(made, score)["card_precision_100"] == pytest.approx(0.01 / 7)


def test_an_earlier_week_is_judged_as_the_test_is() -> None:
    rng = np.random.default_rng(0)
    times = np.sort(rng.integers(TEST_US - 14 * DAY_US, TEST_US + 7 * DAY_US, 5000))
    made = Payments(times, rng.integers(0, 300, 5000), rng.random(5000) < 0.02)
    earlier = replace(made, time_us=times - 21 * DAY_US)
    score = rng.random(5000)
    assert judge(earlier, score, TEST_US - 21 * DAY_US) == judge(made, score)


def test_the_weeks_that_features_are_chosen_by_end_where_the_test_begins() -> None:
    assert len(WEEKS_US) == 5
    assert max(WEEKS_US) + 7 * DAY_US == TEST_US
    assert LEARNED_UNTIL_US < STOPPED_UNTIL_US <= min(WEEKS_US) - 14 * DAY_US


def test_a_goal_that_is_missed_is_named() -> None:
    figures = {"average_precision": 0.74, "auc": 0.8944, "card_precision_100": 0.31}
    sentence = verdict({"models": {"with windows": figures}})
    assert sentence == (
        "Average precision 0.740: the goal of 0.740 is met. AUC 0.894: the goal of 0.895 is missed."
        " Card precision@100 0.310: the goal of 0.304 is met."
    )


def test_the_page_is_what_the_results_render_to(tmp_path: Path) -> None:
    results = json.loads((PROJECT / "benchmarks/results/quality.json").read_text())
    write_page(results, tmp_path / "quality.md")
    page = (PROJECT / "docs/quality.md").read_text()
    assert page == (tmp_path / "quality.md").read_text()
