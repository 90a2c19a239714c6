"""Make a model from split transactions, without files, registry or clock.

Each step uses one part only: the booster `learning` and `stopping`, the calibrator `calibrate`, the
threshold and the distribution of scores `threshold`. The last step, the evaluation, uses `test`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scoring.columns import BoolArray, FloatArray
from scoring.evaluation.cost_curve import CostCurve, cost_curve
from scoring.feature_set.model_features import ModelFeatures
from scoring.features import PAYSIM_FEATURES
from scoring.model.fraud_model import FraudModel
from scoring.policy import CostModel, Policy
from training.data.split import Split
from training.pipeline.booster import FitParameters, Fitted, fit
from training.pipeline.calibration import Calibration, calibrate
from training.pipeline.distribution import distribution
from training.pipeline.evaluation import Evaluation, evaluate
from training.progress import Reporter


@dataclass(frozen=True, slots=True)
class Sample:
    """n transactions, the input of the pipeline.

    Attributes:
        matrix: values of the features, float64 (n, number of features).
        amount: money, float64 (n,).
        is_fraud: labels, bool (n,).
        step: hours or any other order of the rows, non-decreasing, float64 (n,).
        features: definitions of the matrix's columns.
    """

    matrix: FloatArray
    amount: FloatArray
    is_fraud: BoolArray
    step: FloatArray
    features: ModelFeatures = PAYSIM_FEATURES


@dataclass(frozen=True, slots=True)
class Learned:
    """A model with the results of each step.

    Attributes:
        fitted: booster with its parameters and losses.
        calibration: chosen calibrator and the comparison that it was chosen by.
        curve: net savings by threshold on the threshold part.
        model: model as it will be served, not registered yet.
        margins: log-odds of the parts after `fit`, by the part's name.
        evaluation: figures on the test part.
    """

    fitted: Fitted
    calibration: Calibration
    curve: CostCurve
    model: FraudModel
    margins: Mapping[str, FloatArray]
    evaluation: Evaluation


def learn(
    sample: Sample,
    parts: Split,
    costs: CostModel,
    seed: int,
    reporter: Reporter,
    *,
    chosen: FitParameters | None = None,
    split_name: str = "",
) -> Learned:
    """Fit, calibrate, choose the threshold, evaluate.

    Args:
        sample: transactions.
        parts: split of the transactions.
        costs: cost of a missed fraud and of a false alarm.
        seed: seed of the booster.
        reporter: display of the stages.
        chosen: settings of the booster, or None for the defaults.
        split_name: name of the split in the stage titles, or empty.
    """
    chosen = chosen or FitParameters()
    suffix = f" ({split_name})" if split_name else ""
    is_fraud = sample.is_fraud
    with reporter.stage(f"Fit the booster{suffix}", total=chosen.max_rounds) as advance:
        fitted = fit(
            sample.matrix, is_fraud, parts,
            seed=seed, features=sample.features,
            on_round=lambda done, _: advance(done), chosen=chosen,
        )  # fmt: skip
    with reporter.stage(f"Score the later parts{suffix}"):
        margins = {
            part.name: np.asarray(
                fitted.booster.predict(sample.matrix[part.rows], raw_score=True, num_threads=1)
            )
            for part in (parts.calibrate, parts.threshold, parts.test)
        }
    with reporter.stage(f"Calibrate{suffix}"):
        rows = parts.calibrate.rows
        calibration = calibrate(margins["calibrate"], is_fraud[rows], sample.step[rows])
    with reporter.stage(f"Choose the threshold{suffix}"):
        rows = parts.threshold.rows
        score = calibration.calibrator(margins["threshold"])
        curve = cost_curve(score, sample.amount[rows], is_fraud[rows], costs)
        model = FraudModel(
            booster=fitted.booster,
            calibrator=calibration.calibrator,
            policy=Policy.at(curve.chosen, costs),
            distribution=distribution(sample.matrix[parts.fit.rows], score, sample.features.names),
            features=sample.features,
        )
    with reporter.stage(f"Evaluate on the test part{suffix}"):
        rows = parts.test.rows
        evaluation = evaluate(model, margins["test"], sample.amount[rows], is_fraud[rows])
    return Learned(fitted, calibration, curve, model, margins, evaluation)
