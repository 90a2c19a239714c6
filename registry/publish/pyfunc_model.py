"""The registered model as an MLflow pyfunc, for `mlflow models serve` and MLflow's evaluation.

It is logged as code (https://mlflow.org/docs/latest/ml/model/models-from-code/), so nothing is
pickled: MLflow runs this file and passes it the directory of plain files. The service does not use
it; it reads the same files itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from scoring.features import PAYSIM_FEATURES
from scoring.model.fraud_model import FraudModel
from scoring.transaction import from_wire

ARTIFACT = "model"


class FraudPyfunc(PythonModel):  # type: ignore[misc]
    """Maps transactions in the PaySim schema to score, margin, risk band and decision."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read and verify the model, as the service does."""
        self._model = FraudModel.load(Path(context.artifacts[ARTIFACT]))

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002 - MLflow's signature
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """Decide every row.

        Raises:
            InvalidRequest: a row is not a valid transaction.
        """
        rows: list[dict[Any, Any]] = model_input.to_dict("records")
        transactions = [from_wire(row) for row in rows]
        matrix = PAYSIM_FEATURES.matrix_of(transactions)
        margins = self._model.margins(matrix)
        scores = self._model.calibrator(margins)
        policy = self._model.policy
        return pd.DataFrame(
            {
                "score": scores,
                "margin": margins,
                "risk_band": [policy.risk_band(score) for score in scores.tolist()],
                "decision": [policy.decide(score) for score in scores.tolist()],
            }
        )


set_model(FraudPyfunc())
