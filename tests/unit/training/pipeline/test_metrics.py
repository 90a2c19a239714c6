"""The figures of a model's quality and their logged names."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.evaluation.probability_metrics import brier, expected_calibration_error, log_losses
from training.pipeline.metrics import quality


def test_every_figure_has_the_name_it_is_logged_under() -> None:
    probability, is_fraud = np.array([0.8, 0.4, 0.2, 0.1]), np.array([True, False, True, False])
    assert quality(probability, is_fraud) == {
        "roc_auc": pytest.approx(0.75),
        "pr_auc": pytest.approx((1 + 2 / 3) / 2),
        "brier": brier(probability, is_fraud),
        "log_loss": log_losses(probability, is_fraud).mean(),
        "ece": expected_calibration_error(probability, is_fraud),
    }
