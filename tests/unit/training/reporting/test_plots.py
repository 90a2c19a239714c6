"""The figures of an evaluation add up and can be drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scoring.evaluation.cost_curve import cost_curve
from scoring.features import PAYSIM_FEATURES
from scoring.policy import CostModel
from tests.support.factories import a_model, feature_rows
from training.pipeline.evaluation import Evaluation, evaluate
from training.reporting import plots

AMOUNT = np.full(3000, 100.0)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    model = a_model()
    margin = model.margins(feature_rows(3000, seed=2))
    is_fraud = np.random.default_rng(0).random(3000) < model.calibrator(margin)
    return evaluate(model, margin, AMOUNT, is_fraud)


def test_decisions_add_up(evaluation: Evaluation) -> None:
    figures = evaluation.metrics
    caught = figures["alerts"] - figures["false_alarms"]
    assert caught + figures["missed_frauds"] == evaluation.is_fraud.sum()
    assert figures["precision"] == pytest.approx(caught / figures["alerts"])
    assert figures["net_savings"] == caught * 1000 - figures["false_alarms"] * 5
    assert figures["net_savings_share"] == pytest.approx(
        figures["net_savings"] / (1000 * evaluation.is_fraud.sum())
    )


def test_every_picture_has_a_title_and_named_axes(evaluation: Evaluation, tmp_path: Path) -> None:
    curve = cost_curve(evaluation.score, AMOUNT, evaluation.is_fraud, CostModel())
    batch = a_model().explain_matrix(feature_rows(200))
    pictures = [
        plots.precision_recall(evaluation, "hours 1 to 9", 0.05),
        plots.reliability(evaluation, "hours 1 to 9", "sigmoid"),
        plots.cost(curve),
        plots.shap_summary(
            batch.contributions, batch.features, batch.base_value, PAYSIM_FEATURES.described
        ),
    ]
    for number, picture in enumerate(pictures):
        assert picture.axes[0].get_title(loc="left")
        assert picture.axes[-2 if number == 3 else -1].get_xlabel()
        picture.savefig(tmp_path / f"{number}.png")
        assert (tmp_path / f"{number}.png").read_bytes()[:4] == b"\x89PNG"


def test_a_score_that_separates_perfectly_can_be_drawn() -> None:
    model = a_model()
    margin = np.concatenate([np.full(2900, -13.0), np.full(100, 13.0)])
    perfect = evaluate(model, margin, AMOUNT, margin > 0)
    curve = cost_curve(perfect.score, AMOUNT, perfect.is_fraud, CostModel())
    for picture in (
        plots.precision_recall(perfect, "hours 1 to 9", 0.05),
        plots.reliability(perfect, "hours 1 to 9", "sigmoid"),
        plots.cost(curve),
    ):
        picture.canvas.draw()
