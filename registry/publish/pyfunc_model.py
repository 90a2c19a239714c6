"""The registered model as an MLflow pyfunc, for `mlflow models serve` and MLflow's evaluation.

It is logged as code (https://mlflow.org/docs/latest/ml/model/models-from-code/), so nothing is
pickled: MLflow runs this file and passes it the directory of plain files. The service does not use
it; it reads the same files itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from scoring.event import AnyEvent
from scoring.event_type.validation import EventValidator
from scoring.model.fraud_model import FraudModel
from scoring.transaction import PAYSIM, from_wire

ARTIFACT = "model"


class FraudPyfunc(PythonModel):  # type: ignore[misc]
    """Maps events of the version's event type to score, margin, risk band and decision."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read and verify the model, as the service does."""
        self._model = FraudModel.load(Path(context.artifacts[ARTIFACT]))
        self._validator = EventValidator(self._model.features.event_type)

    def _event(self, row: Mapping[Any, Any]) -> AnyEvent:
        if self._model.features.event_type is PAYSIM:
            return from_wire(row)
        body = {name: _plain(value) for name, value in row.items()}
        return self._validator.validate(body, time.time_ns() // 1000)

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002 - MLflow's signature
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """Decide every row. Windows see the rows before, and no other history.

        Raises:
            InvalidRequest: a row is not a valid event.
        """
        features = self._model.features
        rows: list[dict[Any, Any]] = model_input.to_dict("records")
        events = [self._event(row) for row in rows]
        matrix = features.matrix_of(events, features.windows_within(events))
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


def _plain(value: Any) -> Any:  # noqa: ANN401 - any cell
    """Return a cell as JSON has it, a missing one as None."""
    if value is None or (isinstance(value, float) and value != value):
        return None
    return value.item() if hasattr(value, "item") else value


set_model(FraudPyfunc())
