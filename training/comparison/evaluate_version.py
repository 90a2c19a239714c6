"""Evaluate a registered model on a period, such as one after its training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from registry.names import model_name
from registry.publish.tracking import Run, Tracking
from scoring.counted import counted
from scoring.features import FEATURE_NAMES, PAYSIM_FEATURES
from scoring.model.fraud_model import FraudModel
from scoring.prediction import ModelVersion
from training.data.labelled_events import LabelledEvents
from training.errors import TrainingError
from training.pipeline.evaluation import Evaluation, evaluate
from training.reporting import plots
from training.tracking.run_config import Configuration


@dataclass(frozen=True, slots=True)
class VersionEvaluation:
    """Figures of a registered model on a period.

    Attributes:
        model: evaluated model.
        version: registered version of the model.
        source: name of the transactions' source.
        first_step: hour of the first transaction.
        last_step: hour of the last transaction.
        span: phrase on these hours for people, such as `steps 5 to 9`.
        row_count: number of transactions.
        fraud_count: number of frauds.
        evaluation: figures on these transactions.
        hard_count: number of frauds that do not empty the payer's account; 0 where the version
            has other features than PaySim's.
        hard_caught: number of those that the model reviews.
    """

    model: FraudModel
    version: ModelVersion
    source: str
    first_step: int
    last_step: int
    span: str
    row_count: int
    fraud_count: int
    evaluation: Evaluation
    hard_count: int
    hard_caught: int

    @property
    def data(self) -> str:
        """A phrase on the transactions."""
        return f"{self.span} of {self.source}"


def evaluate_version(
    model: FraudModel,
    data: LabelledEvents,
    from_step: int | None = None,
    until_step: int | None = None,
) -> VersionEvaluation:
    """Evaluate a model on the hours from_step to until_step, both included.

    Raises:
        TrainingError: there are no transactions in these hours, only frauds or only honest ones.
        ValueError: the model has no registered version.
    """
    if model.version is None:
        raise ValueError("the model has no registered version")
    rows = data.rows_of_hours(from_step, until_step)
    is_fraud = data.is_fraud[rows]
    if not is_fraud.any() or is_fraud.all():
        raise TrainingError(
            f"{data.source} has {counted(is_fraud.size, 'transaction')} and "
            f"{counted(int(is_fraud.sum()), 'fraud')} in these hours; both frauds and honest "
            "transactions are needed."
        )
    matrix = np.ascontiguousarray(data.matrix(model.features)[rows])
    evaluation = evaluate(model, model.margins(matrix), data.amount[rows], is_fraud)
    hard = np.zeros_like(is_fraud)
    if model.features is PAYSIM_FEATURES:
        hard = is_fraud & (matrix[:, FEATURE_NAMES.index("empties_account")] == 0)
    return VersionEvaluation(
        model=model,
        version=model.version,
        source=data.source,
        first_step=int(data.step[rows.start]),
        last_step=int(data.step[rows.stop - 1]),
        span=data.scale.span(rows),
        row_count=int(is_fraud.size),
        fraud_count=int(is_fraud.sum()),
        evaluation=evaluation,
        hard_count=int(hard.sum()),
        hard_caught=int((hard & (evaluation.score >= model.policy.threshold)).sum()),
    )


def log(
    evaluated: VersionEvaluation,
    data: LabelledEvents,
    tenant: str,
    configuration: Configuration,
    tracking: Tracking,
) -> Run:
    """Log the figures as a run of the tenant's experiment; return the run, which has ended.

    Raises:
        PublishError: MLflow refuses a request.
    """
    version, evaluation = evaluated.version, evaluated.evaluation
    name = f"evaluate version {version.version} on {data.source}"
    tags = {
        "tenant": tenant,
        "data_fingerprint": data.fingerprint,
        "model_name": version.name,
        "model_version": str(version.version),
    }
    with tracking.run(model_name(tenant), name, tags) as run:
        configuration.log(run)
        run.log(
            {
                "data_source": data.source,
                "data_fingerprint": data.fingerprint,
                "steps": f"{evaluated.first_step} to {evaluated.last_step}",
                "rows": evaluated.row_count,
                "frauds": evaluated.fraud_count,
            },
            {
                **evaluation.figures(),
                "hard_frauds": evaluated.hard_count,
                "hard_frauds_caught": evaluated.hard_caught,
            },
        )
        threshold = evaluated.model.policy.threshold
        on, kind = evaluated.data, evaluated.model.calibrator.kind
        run.log_picture("precision_recall.png", plots.precision_recall(evaluation, on, threshold))
        run.log_picture("reliability.png", plots.reliability(evaluation, on, kind))
    return run
