"""The random split has the sizes of the split by time, with other rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scoring.evaluation.bootstrap import Interval
from scoring.features import PAYSIM_FEATURES
from tests.support.factories import a_model, feature_rows
from training.data.labelled_events import LabelledEvents
from training.data.split import Split
from training.pipeline.evaluation import Evaluation, evaluate
from training.pipeline.pipeline import Sample
from training.pipeline.random_split import explain_difference, random_order, reordered


def test_each_part_keeps_its_rows_and_frauds(data: LabelledEvents, parts: Split) -> None:
    order = random_order(data.is_fraud, parts, seed=0)
    assert np.array_equal(np.sort(order), np.arange(parts.test.rows.stop))
    shuffled = data.is_fraud[order]
    for rows in (parts.learning, parts.stopping, *(part.rows for part in parts)):
        assert shuffled[rows].sum() == data.is_fraud[rows].sum()


def test_every_part_has_rows_of_all_hours(data: LabelledEvents, parts: Split) -> None:
    hours = data.step[random_order(data.is_fraud, parts, seed=0)]
    everywhere = np.median(data.step[: parts.test.rows.stop])
    for part in parts:
        for kind in (True, False):
            chosen = data.is_fraud[random_order(data.is_fraud, parts, seed=0)][part.rows] == kind
            assert np.median(hours[part.rows][chosen]) == pytest.approx(everywhere, abs=150)


def test_the_seed_decides(data: LabelledEvents, parts: Split) -> None:
    one, same, other = (random_order(data.is_fraud, parts, seed=s) for s in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_rows_keep_their_label_and_amount(data: LabelledEvents, parts: Split) -> None:
    sample = Sample(data.matrix(PAYSIM_FEATURES), data.amount, data.is_fraud, data.step)
    order = random_order(data.is_fraud, parts, seed=0)
    shuffled = reordered(sample, order)
    row = 17
    assert np.array_equal(shuffled.matrix[row], sample.matrix[order[row]])
    assert shuffled.amount[row] == sample.amount[order[row]]
    assert shuffled.is_fraud[row] == sample.is_fraud[order[row]]
    assert (np.diff(shuffled.step) > 0).all()


def evaluation_with(pr_auc: Interval) -> Evaluation:
    model = a_model()
    margin = model.margins(feature_rows(500))
    some = evaluate(model, margin, np.ones(500), np.arange(500) % 10 == 0)
    return replace(some, intervals={**some.intervals, "pr_auc": pr_auc})


@pytest.mark.parametrize(
    ("by_time", "at_random", "expected"),
    [
        (Interval(0.5, 0.4, 0.6), Interval(0.8, 0.7, 0.9), "fraud changes with time"),
        (Interval(0.8, 0.7, 0.9), Interval(0.5, 0.4, 0.6), "the last hours were easier"),
        (Interval(0.8, 0.7, 0.9), Interval(0.75, 0.6, 0.85), "no drift"),
    ],
)
def test_a_sentence_explains_the_difference(
    by_time: Interval, at_random: Interval, expected: str
) -> None:
    note = explain_difference(evaluation_with(by_time), evaluation_with(at_random))
    assert expected in note
    assert f"{by_time.value:.4f} by time" in note
