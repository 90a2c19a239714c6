"""Nothing that is served is chosen on the part that is reported."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from scoring.columns import FloatArray
from scoring.policy import CostModel
from training.data.labelled_events import LabelledEvents
from training.data.split import Split
from training.pipeline.booster import FitParameters
from training.pipeline.pipeline import Learned, Sample, learn
from training.progress import Reporter

FEW_TREES = FitParameters(max_rounds=30)


@pytest.fixture(scope="module")
def sample(data: LabelledEvents, matrix: FloatArray) -> Sample:
    return Sample(matrix, data.amount, data.is_fraud, data.step)


def learned_from(sample: Sample, parts: Split) -> Learned:
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        reporter = Reporter(Console(file=nowhere))
        return learn(sample, parts, CostModel(), 1, reporter, chosen=FEW_TREES)


@pytest.fixture(scope="module")
def learned(sample: Sample, parts: Split) -> Learned:
    return learned_from(sample, parts)


def same_model(one: Learned, other: Learned) -> bool:
    return (
        one.model.booster.model_to_string() == other.model.booster.model_to_string()
        and one.model.calibrator == other.model.calibrator
        and one.model.policy == other.model.policy
        and one.model.distribution == other.model.distribution
    )


def test_the_test_parts_labels_move_nothing_but_the_figures(
    sample: Sample, parts: Split, learned: Learned
) -> None:
    rows = parts.test.rows
    flipped = sample.is_fraud.copy()
    flipped[rows] = ~flipped[rows]
    again = learned_from(replace(sample, is_fraud=flipped), parts)
    assert same_model(again, learned)
    assert again.evaluation.metrics["pr_auc"] != learned.evaluation.metrics["pr_auc"]


def test_the_test_parts_transactions_move_nothing_but_the_figures(
    sample: Sample, parts: Split, learned: Learned
) -> None:
    rows = parts.test.rows
    matrix, amount = sample.matrix.copy(), sample.amount.copy()
    matrix[rows] = matrix[rows][::-1]
    amount[rows] = 1e6
    assert same_model(learned_from(replace(sample, matrix=matrix, amount=amount), parts), learned)


def test_the_calibrator_does_not_see_what_chooses_the_threshold(
    sample: Sample, parts: Split, learned: Learned
) -> None:
    flipped = sample.is_fraud.copy()
    rows = parts.threshold.rows
    flipped[rows] = ~flipped[rows]
    again = learned_from(replace(sample, is_fraud=flipped), parts)
    assert again.model.calibrator == learned.model.calibrator
    assert again.model.policy.threshold != learned.model.policy.threshold


def test_the_threshold_is_chosen_on_its_own_part(
    sample: Sample, parts: Split, learned: Learned
) -> None:
    assert learned.curve.flagged[-1] == parts.threshold.row_count
    assert learned.curve.caught[-1] == parts.threshold.fraud_count
    assert learned.evaluation.is_fraud.size == parts.test.row_count
    assert np.array_equal(learned.evaluation.is_fraud, sample.is_fraud[parts.test.rows])


def test_the_figures_have_intervals_that_are_logged(learned: Learned) -> None:
    figures = learned.evaluation.figures()
    for name in ("pr_auc", "ece", "net_savings", "net_savings_share", "recall", "precision"):
        assert learned.evaluation.intervals[name].value == pytest.approx(figures[name])
        assert figures[f"{name}_low"] <= figures[f"{name}_high"]
