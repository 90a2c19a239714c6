"""The signature and input example of a registered model, in MLflow's types."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from registry.verify.signature import INPUTS, OUTPUTS


def _schema(columns: Mapping[str, str]) -> Schema:
    return Schema([ColSpec(kind, name) for name, kind in columns.items()])


SIGNATURE = ModelSignature(inputs=_schema(INPUTS), outputs=_schema(OUTPUTS))

EXAMPLE = pd.DataFrame(
    [
        (311, "PAYMENT", 9_214.50, "C1231006815", 118_360.25, "M1979787155", 0.0),
        (312, "TRANSFER", 461_730.10, "C1305486145", 461_730.10, "C553264065", 0.0),
        (312, "CASH_OUT", 229_133.94, "C905080434", 15_325.00, "C476402209", 5_083_211.10),
    ],
    columns=list(INPUTS),
)
