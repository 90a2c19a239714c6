"""One trial of a search: fit, calibrate, and what it would have saved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scoring.evaluation.cost_curve import cost_curve
from scoring.features import BoolArray, FloatArray
from scoring.model.fraud_model import FraudModel
from scoring.policy import CostModel, Policy
from training.data.loading import LabelledTransactions
from training.data.split import Split
from training.errors import TrainingError
from training.pipeline.booster import FitParameters, Fitted, fit
from training.pipeline.calibration import calibrate
from training.pipeline.golden_rows import golden_rows
from training.pipeline.metrics import quality
from training.search.selection import RowNumbers


@dataclass(frozen=True, slots=True)
class Material:
    """What every trial of a search is made of and judged by.

    Attributes:
        data, parts: the transactions and their split.
        matrix: their features, float64 (n, len(FEATURES)).
        costs: what errors cost.
        seed: of the booster.
    """

    data: LabelledTransactions
    parts: Split
    matrix: FloatArray
    costs: CostModel
    seed: int

    @property
    def values(self) -> FloatArray:
        """What reviewing each row of the threshold part brings, money, float64 (n,)."""
        rows = self.parts.threshold.rows
        missed = self.costs.missed_costs(self.data.columns.amount[rows])
        return np.where(self.data.is_fraud[rows], missed, -self.costs.false_alarm)

    @property
    def average_fraud(self) -> float:
        """What missing a fraud of the threshold part costs on average, money."""
        rows = self.parts.threshold.rows
        is_fraud = self.data.is_fraud[rows]
        return float(self.costs.missed_costs(self.data.columns.amount[rows])[is_fraud].mean())


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a trial.

    Attributes:
        fitted: the booster and how it came about.
        model: as it would be served.
        reviewed: rows of the threshold part that it would have reviewed, see `cross_fitted`.
        golden: rows to pin the model down by, see `golden_rows`.
        metrics: figures on the threshold part, by the names they are logged under.
    """

    fitted: Fitted
    model: FraudModel
    reviewed: RowNumbers
    golden: FloatArray
    metrics: dict[str, float]


def attempt(
    material: Material, parameters: FitParameters, on_round: Callable[[int, float], None]
) -> Tried:
    """Make a model and judge it on the threshold part; the test part is never touched.

    The booster stops by the early-stopping slice, the calibrator is fitted on the calibrate part,
    and the savings come from the threshold part, cross-fitted. Early stopping took the best of
    hundreds of rounds on its slice, so a comparison there would favour whoever tried most rounds.

    Args:
        material: the search's.
        parameters: to try.
        on_round: see `fit`; what it raises ends the trial.
    """
    data, parts = material.data, material.parts
    fitted = fit(
        material.matrix, data.is_fraud, parts,
        seed=material.seed, on_round=on_round, chosen=parameters,
    )  # fmt: skip
    rows = parts.calibrate.rows
    calibrator = calibrate(
        _margin(fitted, material.matrix[rows]), data.is_fraud[rows], data.step[rows]
    ).calibrator
    rows = parts.threshold.rows
    score = calibrator(_margin(fitted, material.matrix[rows]))
    amount, is_fraud = data.columns.amount[rows], data.is_fraud[rows]
    reviewed = cross_fitted(score, amount, is_fraud, data.step[rows], material.costs)
    curve = cost_curve(score, amount, is_fraud, material.costs)
    savings = float(material.values[reviewed].sum())
    figures = quality(score, is_fraud)
    policy = Policy.at(curve.chosen, material.costs)
    return Tried(
        fitted=fitted,
        model=FraudModel(fitted.booster, calibrator, policy, {}),
        reviewed=np.flatnonzero(reviewed),
        golden=golden_rows(material.matrix[rows], score, policy),
        metrics={
            "net_savings": savings,
            "net_savings_share": savings / curve.perfect if curve.perfect else 0.0,
            "alerts": float(np.count_nonzero(reviewed)),
            "missed_frauds": float(np.count_nonzero(is_fraud & ~reviewed)),
            "pr_auc": figures["pr_auc"],
            "log_loss": figures["log_loss"],
            "trees": float(fitted.rounds),
            "leaves": float(fitted.leaves),
        },
    )


def cross_fitted(
    score: FloatArray, amount: FloatArray, is_fraud: BoolArray, step: FloatArray, costs: CostModel
) -> BoolArray:
    """Return which rows would be reviewed, each by a threshold chosen without it, bool (n,).

    The threshold of the earlier half decides the later half and the other way round. Chosen and
    judged on the same rows, savings are too high, and by more the wilder a model's cost curve is.
    The halves part in time, half of the frauds on each side, so that payments of the same hours do
    not stand on both.

    Args:
        score: calibrated probabilities, float64 (n,). amount: money, float64 (n,).
        is_fraud: bool (n,). step: hours, non-decreasing, float64 (n,).
        costs: what errors cost.

    Raises:
        TrainingError: see `halves`.
    """
    early, late = halves(is_fraud, step)
    reviewed = np.empty(score.shape, dtype=np.bool_)
    for known, decided in ((early, late), (late, early)):
        curve = cost_curve(score[known], amount[known], is_fraud[known], costs)
        reviewed[decided] = score[decided] >= curve.chosen
    return reviewed


def halves(is_fraud: BoolArray, step: FloatArray) -> tuple[slice, slice]:
    """Cut rows at a step boundary with about half of the frauds on each side.

    Raises:
        TrainingError: the frauds all fall into one step.
    """
    middle_step = np.median(step[is_fraud])
    for side in ("left", "right"):
        middle = int(np.searchsorted(step, middle_step, side=side))
        early, late = slice(None, middle), slice(middle, None)
        if is_fraud[early].any() and is_fraud[late].any():
            return early, late
    raise TrainingError(
        "The threshold part of the split by time has all its frauds in one step; a search compares "
        "models on two halves of it. Give more transactions."
    )


def _margin(fitted: Fitted, matrix: FloatArray) -> FloatArray:
    return np.asarray(fitted.booster.predict(matrix, raw_score=True, num_threads=1))
