"""What would have been decided at other thresholds or by another version."""

from __future__ import annotations

import numpy as np

from scoring.backtest.candidates import at_thresholds, where_model_decided
from scoring.backtest.decisions import APPROVE, DECLINE, LIST_ENTRY, MODEL, REVIEW, RULE
from scoring.policy import Thresholds
from tests.support.backtest.decisions import stored

DECISIONS = stored(
    4,
    outcomes=[APPROVE, REVIEW, DECLINE, APPROVE],
    deciders=[MODEL, MODEL, RULE, LIST_ENTRY],
    scores=[0.1, 0.6, 0.1, 0.9],
)


def test_another_version_decides_what_the_model_did_and_nothing_else() -> None:
    by_version = np.array([DECLINE, APPROVE, APPROVE, REVIEW], np.int8)
    tried = where_model_decided(DECISIONS, by_version)
    assert tried.tolist() == [DECLINE, APPROVE, DECLINE, APPROVE]
    assert tried.dtype == np.int8


def test_thresholds_are_those_of_the_model_alone() -> None:
    assert at_thresholds(DECISIONS, Thresholds(0.5)).tolist() == [APPROVE, REVIEW, DECLINE, APPROVE]
    assert at_thresholds(DECISIONS, Thresholds(0.05, 0.5)).tolist() == [
        REVIEW,
        DECLINE,
        DECLINE,
        APPROVE,
    ]
