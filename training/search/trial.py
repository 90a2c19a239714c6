"""Run one trial of a search: fit, calibrate, compute the savings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scoring.columns import BoolArray, FloatArray
from scoring.evaluation.cost_curve import cost_curve
from scoring.feature_set.model_features import ModelFeatures
from scoring.features import PAYSIM_FEATURES
from scoring.model.fraud_model import FraudModel
from scoring.policy import CostModel, Policy
from training.data.labelled_events import LabelledEvents
from training.data.split import Split
from training.errors import TrainingError
from training.pipeline.booster import FitParameters, Fitted, fit
from training.pipeline.calibration import calibrate
from training.pipeline.golden_rows import golden_rows
from training.pipeline.metrics import quality
from training.search.selection import RowNumbers


@dataclass(frozen=True, slots=True)
class Material:
    """Inputs that all trials of a search share.

    Attributes:
        data: transactions.
        parts: split of the transactions by time.
        matrix: features of the transactions, float64 (n, number of features).
        costs: cost of a missed fraud and of a false alarm.
        seed: seed of the booster.
        features: definitions of the matrix's columns.
    """

    data: LabelledEvents
    parts: Split
    matrix: FloatArray
    costs: CostModel
    seed: int
    features: ModelFeatures = PAYSIM_FEATURES

    @property
    def values(self) -> FloatArray:
        """Savings from reviewing each row of the threshold part, money, float64 (n,)."""
        rows = self.parts.threshold.rows
        missed = self.costs.missed_costs(self.data.amount[rows])
        return np.where(self.data.is_fraud[rows], missed, -self.costs.false_alarm)

    @property
    def average_fraud(self) -> float:
        """Average cost of missing a fraud of the threshold part, money."""
        rows = self.parts.threshold.rows
        is_fraud = self.data.is_fraud[rows]
        return float(self.costs.missed_costs(self.data.amount[rows])[is_fraud].mean())


@dataclass(frozen=True, slots=True)
class Tried:
    """Result of a trial.

    Attributes:
        fitted: booster with its parameters and losses.
        model: model as it would be served.
        reviewed: numbers of the rows of the threshold part that the model would have reviewed, see
            `cross_fitted`.
        golden: rows whose scores a copy of the model must repeat, see `golden_rows`.
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
    """Fit a model and evaluate it on the threshold part; the test part is not used.

    The booster stops by the early-stopping slice, the calibrator is fitted on the calibrate part,
    and the savings are those of the threshold part, cross-fitted. Early stopping takes the best of
    hundreds of rounds on its slice, so a comparison there would favour trials with more rounds.

    Args:
        material: inputs that all trials share.
        parameters: parameters of the booster to try.
        on_round: callback after each round, see `fit`; an exception from it ends the trial.
    """
    data, parts = material.data, material.parts
    fitted = fit(
        material.matrix, data.is_fraud, parts,
        seed=material.seed, features=material.features, on_round=on_round, chosen=parameters,
    )  # fmt: skip
    rows = parts.calibrate.rows
    calibrator = calibrate(
        _margin(fitted, material.matrix[rows]), data.is_fraud[rows], data.step[rows]
    ).calibrator
    rows = parts.threshold.rows
    score = calibrator(_margin(fitted, material.matrix[rows]))
    amount, is_fraud = data.amount[rows], data.is_fraud[rows]
    reviewed = cross_fitted(score, amount, is_fraud, data.step[rows], material.costs)
    curve = cost_curve(score, amount, is_fraud, material.costs)
    savings = float(material.values[reviewed].sum())
    figures = quality(score, is_fraud)
    policy = Policy.at(curve.chosen, material.costs)
    return Tried(
        fitted=fitted,
        model=FraudModel(fitted.booster, calibrator, policy, {}, features=material.features),
        reviewed=np.flatnonzero(reviewed),
        golden=golden_rows(material.matrix[rows], score, policy, material.features.described),
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

    The threshold of the earlier half decides the later half and the other way round. Savings on the
    rows that the threshold was chosen on are too high, the more so the more a model's cost curve
    fluctuates. The halves are cut by time, with half of the frauds on each side, so that payments
    of one hour are in one half.

    Args:
        score: calibrated probabilities, float64 (n,).
        amount: money, float64 (n,).
        is_fraud: labels, bool (n,).
        step: hours, non-decreasing, float64 (n,).
        costs: cost of a missed fraud and of a false alarm.

    Raises:
        TrainingError: see `halves`.
    """
    early, late = halves(is_fraud, step)
    reviewed = np.empty(score.shape, dtype=np.bool_)
    for chosen_on, decided in ((early, late), (late, early)):
        curve = cost_curve(score[chosen_on], amount[chosen_on], is_fraud[chosen_on], costs)
        reviewed[decided] = score[decided] >= curve.chosen
    return reviewed


def halves(is_fraud: BoolArray, step: FloatArray) -> tuple[slice, slice]:
    """Cut rows at a step boundary with about half of the frauds on each side.

    Raises:
        TrainingError: all frauds are in one step.
    """
    middle_step = np.median(step[is_fraud])
    for side in ("left", "right"):
        middle = int(np.searchsorted(step, middle_step, side=side))
        early, late = slice(None, middle), slice(middle, None)
        if is_fraud[early].any() and is_fraud[late].any():
            return early, late
    raise TrainingError(
        "The threshold part of the split by time has all its frauds in one step, but a search "
        "needs frauds in two halves of it. Give more transactions."
    )


def _margin(fitted: Fitted, matrix: FloatArray) -> FloatArray:
    return np.asarray(fitted.booster.predict(matrix, raw_score=True, num_threads=1))
