"""Recalibrate a registered version on newer labels: the same booster, a new calibrator and policy.

The labels are cut by time into three parts. The calibrator is chosen and fitted on the first, the
threshold is chosen on the second, and both are evaluated on the third.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from scoring.columns import FloatArray
from scoring.evaluation.comparison import MIN_FRAUDS, Comparison, Decisions, compare
from scoring.evaluation.cost_curve import CostCurve, cost_curve
from scoring.evaluation.weights import scaled
from scoring.model.fraud_model import FraudModel
from scoring.policy import Policy
from training.data.labels import Labels
from training.errors import TrainingError
from training.pipeline.calibration import Calibration, calibrate
from training.pipeline.distribution import SCORE_QUANTILES, binned
from training.pipeline.evaluation import Evaluation, evaluate
from training.pipeline.metrics import quality
from training.progress import Reporter

FRAUD_SHARES = {"calibrate": 0.5, "threshold": 0.2, "test": 0.3}
"""Shares of the frauds, since frauds are scarce."""

MIN_FRAUDS_OF_PART = {"calibrate": 30, "threshold": 10, "test": MIN_FRAUDS}
MIN_HONEST = 100

CURRENT = "current"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the labels, a stretch of time.

    Attributes:
        name: key in FRAUD_SHARES.
        rows: slice of the labels in time order.
        row_count: number of transactions.
        fraud_count: number of frauds whose label counts, one each.
    """

    name: str
    rows: slice
    row_count: int
    fraud_count: int


@dataclass(frozen=True, slots=True)
class Recalibrated:
    """A model with a new calibrator, not registered yet.

    Attributes:
        model: model as it would be served.
        parts: calibrate, threshold and test, in time order.
        calibration: chosen calibrator and the comparison that it was chosen by.
        curve: net savings by threshold on the threshold part.
        comparison: figures on the test part; the source model is the champion, the new one the
            challenger.
        evaluation: figures on the test part; `raw` is the source model's score.
        golden_matrix: features of the threshold part.
        golden_score: new scores of the threshold part.
    """

    model: FraudModel
    parts: tuple[Part, Part, Part]
    calibration: Calibration
    curve: CostCurve
    comparison: Comparison
    evaluation: Evaluation
    golden_matrix: FloatArray
    golden_score: FloatArray

    @property
    def keeps_calibrator(self) -> bool:
        """Whether no calibrator was better than the source model's."""
        return self.calibration.chosen == CURRENT

    @property
    def helps(self) -> bool:
        """Whether the model is better calibrated on the test part."""
        before, after = self.comparison.champion, self.comparison.challenger
        return not self.keeps_calibrator and after.log_loss.value < before.log_loss.value


def cut(labels: Labels) -> tuple[Part, Part, Part]:
    """Cut labels by time into parts that hold FRAUD_SHARES of the frauds.

    Raises:
        TrainingError: a part has too few frauds or honest transactions; the message gives the
            number found, the number needed, and what to do.
    """
    is_fraud = labels.is_fraud & (labels.weights > 0)
    moments = labels.time[is_fraud]
    shares = np.cumsum(list(FRAUD_SHARES.values()))[:-1]
    inner = [
        int(np.searchsorted(labels.time, moments[int(share * moments.size)])) if moments.size else 0
        for share in shares
    ]
    bounds = pairwise([0, *inner, labels.time.size])
    parts = tuple(
        Part(name, slice(*bound), bound[1] - bound[0], int(is_fraud[slice(*bound)].sum()))
        for name, bound in zip(FRAUD_SHARES, bounds, strict=True)
    )
    first, second, third = parts
    if any(p.fraud_count < MIN_FRAUDS_OF_PART[p.name] for p in parts):
        counts = " and ".join(
            f"{p.fraud_count:,} (of {MIN_FRAUDS_OF_PART[p.name]}) to {purpose}"
            for p, purpose in zip(
                parts,
                ("fit the calibrator", "choose the threshold", "evaluate both"),
                strict=True,
            )
        )
        needed = max(
            int(np.ceil(MIN_FRAUDS_OF_PART[name] / share)) for name, share in FRAUD_SHARES.items()
        )
        raise TrainingError(
            f"Too few labels: {moments.size:,} of the {labels.time.size:,} {labels.source} are "
            f"frauds. Cut by time they leave {counts}; about {needed} in all are needed. "
            f"{labels.remedy}"
        )
    if any(p.row_count - p.fraud_count < MIN_HONEST for p in parts):
        raise TrainingError(
            f"Too few labels: of the {labels.time.size:,} {labels.source} a part by time has fewer "
            f"than {MIN_HONEST} honest ones. {labels.remedy}"
        )
    return first, second, third


def recalibrate(source: FraudModel, labels: Labels, reporter: Reporter) -> Recalibrated:
    """Fit a calibrator, choose the threshold for the same costs, and evaluate both.

    The calibrators that are compared are that of the source model, which precedes the others in a
    tie, and those of `training.pipeline.calibration`.

    Raises:
        TrainingError: the labels are too few.
    """
    parts = cut(labels)
    with reporter.stage("Score with the booster"):
        matrix = labels.matrix(source.features)
        margin = source.margins(matrix)
    fitting, choosing, testing = (part.rows for part in parts)
    is_fraud, weights = labels.is_fraud & (labels.weights > 0), labels.weights
    with reporter.stage("Calibrate"):
        calibration = calibrate(
            margin[fitting],
            is_fraud[fitting],
            labels.time[fitting],
            {CURRENT: source.calibrator},
            weights[fitting],
        )
    costs = source.policy.cost_model
    amount = labels.amount
    with reporter.stage("Choose the threshold"):
        score = calibration.calibrator(margin[choosing])
        curve = cost_curve(score, amount[choosing], is_fraud[choosing], costs, weights[choosing])
    model = replace(
        source,
        calibrator=calibration.calibrator,
        policy=Policy.at(curve.chosen, costs),
        distribution={
            **source.distribution,
            "score": binned(score, SCORE_QUANTILES),
            "score_rows": int(score.size),
        },
        version=None,
    )
    with reporter.stage("Evaluate on the test part"):
        is_fraud, weights = is_fraud[testing], weights[testing]
        before = source.calibrator(margin[testing])
        evaluation = replace(
            evaluate(model, margin[testing], amount[testing], is_fraud, weights),
            raw=before,
            uncalibrated=quality(before, is_fraud, scaled(weights)),
        )
        comparison = compare(
            Decisions(before, before >= source.policy.threshold),
            Decisions(evaluation.score, evaluation.score >= model.policy.threshold),
            amount[testing],
            is_fraud,
            costs,
            weights,
        )
    return Recalibrated(
        model, parts, calibration, curve, comparison, evaluation, matrix[choosing], score
    )
