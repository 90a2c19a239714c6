"""Judge a registered model on a stretch of transactions, such as one after its training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.features import FEATURE_NAMES, feature_matrix
from scoring.model import FraudModel
from training.data import LabelledTransactions
from training.errors import TrainingError
from training.evaluate import Evaluation, evaluate


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a model does on a stretch of time.

    Attributes:
        model: the model.
        first_step, last_step: hours of the stretch's first and last transaction.
        row_count, fraud_count: its size.
        evaluation: the figures.
        hard_count: frauds that do not empty the payer's account; hard_caught: those reviewed.
    """

    model: FraudModel
    first_step: int
    last_step: int
    row_count: int
    fraud_count: int
    evaluation: Evaluation
    hard_count: int
    hard_caught: int


def judge(
    model: FraudModel,
    data: LabelledTransactions,
    from_step: int | None = None,
    until_step: int | None = None,
) -> Judgement:
    """Score and decide the transactions of the hours from_step to until_step, both included.

    Raises:
        TrainingError: there are none, or only frauds or only honest ones.
    """
    start = 0 if from_step is None else int(np.searchsorted(data.step, from_step, side="left"))
    stop = (
        len(data)
        if until_step is None
        else int(np.searchsorted(data.step, until_step, side="right"))
    )
    is_fraud = data.is_fraud[start:stop]
    if not is_fraud.any() or is_fraud.all():
        raise TrainingError(
            f"{data.source} has {is_fraud.size:,} transactions and {int(is_fraud.sum()):,} frauds "
            "in these hours; frauds and honest ones are both needed."
        )
    matrix = np.ascontiguousarray(feature_matrix(data.columns)[start:stop])
    evaluation = evaluate(model, model.margins(matrix), data.columns.amount[start:stop], is_fraud)
    hard = is_fraud & (matrix[:, FEATURE_NAMES.index("empties_account")] == 0)
    return Judgement(
        model=model,
        first_step=int(data.step[start]),
        last_step=int(data.step[stop - 1]),
        row_count=int(is_fraud.size),
        fraud_count=int(is_fraud.sum()),
        evaluation=evaluation,
        hard_count=int(hard.sum()),
        hard_caught=int((hard & (evaluation.score >= model.policy.threshold)).sum()),
    )
