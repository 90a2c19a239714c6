"""The published experiment: its weeks, its figures, and how it judges scores.

Le Borgne, Siblini, Lebichot, Bontempi, "Reproducible Machine Learning for Credit Card Fraud
Detection" (2022), chapters 4 and 5: https://fraud-detection-handbook.github.io. Training ends on
2018-07-31, labels are known 7 days later, and the week from 2018-08-08 on is the test. Cards that
are known to be compromised by then are left out of the test: they would be blocked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from scoring.columns import BoolArray, FloatArray
from scoring.windows.definition import DAY_US
from training.pipeline.metrics import quality

IntArray = NDArray[np.int64]

DAYS = 7
"""Days of the test, of the training week, and of the label's delay."""
CARDS_A_DAY = 100
TEST_US = int(datetime(2018, 8, 8, tzinfo=UTC).timestamp()) * 1_000_000
TEST_END_US = TEST_US + DAYS * DAY_US
TRAINING_END_US = TEST_US - DAYS * DAY_US

PUBLISHED = {
    "random forest": {"average_precision": 0.658, "auc": 0.867, "card_precision_100": 0.287},
    "XGBoost": {"average_precision": 0.639, "auc": 0.862, "card_precision_100": 0.273},
    "XGBoost, tuned": {"average_precision": 0.694, "auc": 0.872, "card_precision_100": 0.303},
}
"""Figures of the authors' models on that test, with aggregates of card and terminal."""
GOALS = {"average_precision": 0.74, "auc": 0.895, "card_precision_100": 0.304}


@dataclass(frozen=True, slots=True)
class Payments:
    """n payments in order of time.

    Attributes:
        time_us: microseconds since 1970, non-decreasing, int64 (n,).
        card: codes of the cards, int64 (n,).
        is_fraud: labels, bool (n,).
    """

    time_us: IntArray
    card: IntArray
    is_fraud: BoolArray

    def between(self, start_us: int, end_us: int) -> IntArray:
        """Return the rows from one time to another."""
        first, end = np.searchsorted(self.time_us, (start_us, end_us))
        return np.arange(first, end)

    def summary(self) -> dict[str, int]:
        """Return the numbers of payments and of frauds of the test, all and judged."""
        rows = self.between(TEST_US, TEST_END_US)
        judged = np.concatenate(judged_rows(self))
        return {
            "payments": rows.size,
            "frauds": int(self.is_fraud[rows].sum()),
            "judged": judged.size,
            "judged_frauds": int(self.is_fraud[judged].sum()),
        }

    def cards_with_fraud(self, start_us: int, end_us: int) -> set[int]:
        """Return the cards with a fraud in a time."""
        rows = self.between(start_us, end_us)
        return set(self.card[rows[self.is_fraud[rows]]].tolist())


def judged_rows(payments: Payments, test_us: int = TEST_US) -> list[IntArray]:
    """Return the rows of each day of a test, without cards that are known to be compromised.

    For the first day those are the cards with a fraud in the last week of training, for each
    further day also those with a fraud up to the day before the same day of the week in between.

    Args:
        payments: payments from two weeks before the test on.
        test_us: start of the week of the test, microseconds since 1970.
    """
    training_end_us = test_us - DAYS * DAY_US
    known = payments.cards_with_fraud(training_end_us - DAYS * DAY_US, training_end_us)
    days = []
    for day in range(DAYS):
        became_known_us = training_end_us + (day - 1) * DAY_US
        known |= payments.cards_with_fraud(became_known_us, became_known_us + DAY_US)
        rows = payments.between(test_us + day * DAY_US, test_us + (day + 1) * DAY_US)
        days.append(rows[~np.isin(payments.card[rows], list(known))])
    return days


def judge(payments: Payments, score: FloatArray, test_us: int = TEST_US) -> dict[str, float]:
    """Return the figures of scores on a test.

    Args:
        payments: all payments, at least from the last week of training to the end of the test.
        score: probability of fraud of each payment; read on the test alone, float64 (n,).
        test_us: start of the week of the test, microseconds since 1970.

    Returns:
        average_precision, auc and card_precision_100 as published; ece and log_loss.
    """
    days = judged_rows(payments, test_us)
    rows = np.concatenate(days)
    figures = quality(np.clip(score[rows], 1e-12, 1 - 1e-12), payments.is_fraud[rows])
    return {
        "average_precision": figures["pr_auc"],
        "auc": figures["roc_auc"],
        "card_precision_100": _card_precision(payments, days, score),
        "ece": figures["ece"],
        "log_loss": figures["log_loss"],
    }


def _card_precision(payments: Payments, days: list[IntArray], score: FloatArray) -> float:
    """Return the mean share of compromised cards among each day's riskiest.

    A card's risk is that of its riskiest payment of the day. A compromised card that was among one
    day's riskiest is found, and leaves the lists of later days.
    """
    found: set[int] = set()
    shares = []
    for rows in days:
        rows = rows[~np.isin(payments.card[rows], list(found))]
        cards, place = np.unique(payments.card[rows], return_inverse=True)
        risk = np.full(cards.size, -np.inf)
        np.maximum.at(risk, place, score[rows])
        has_fraud = np.zeros(cards.size, np.bool_)
        np.logical_or.at(has_fraud, place, payments.is_fraud[rows])
        riskiest = np.argsort(-risk, kind="stable")[:CARDS_A_DAY]
        caught = riskiest[has_fraud[riskiest]]
        shares.append(caught.size / CARDS_A_DAY)
        found |= set(cards[caught].tolist())
    return float(np.mean(shares))
