"""What the registered model takes and gives, for MLflow's pages, checks and serving."""

from __future__ import annotations

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

SIGNATURE = ModelSignature(
    inputs=Schema(
        [
            ColSpec(DataType.long, "step"),
            ColSpec(DataType.string, "type"),
            ColSpec(DataType.double, "amount"),
            ColSpec(DataType.string, "nameOrig"),
            ColSpec(DataType.double, "oldbalanceOrg"),
            ColSpec(DataType.string, "nameDest"),
            ColSpec(DataType.double, "oldbalanceDest"),
        ]
    ),
    outputs=Schema(
        [
            ColSpec(DataType.double, "score"),
            ColSpec(DataType.double, "margin"),
            ColSpec(DataType.string, "risk_band"),
            ColSpec(DataType.string, "decision"),
        ]
    ),
)

EXAMPLE = pd.DataFrame(
    [
        (311, "PAYMENT", 9_214.50, "C1231006815", 118_360.25, "M1979787155", 0.0),
        (312, "TRANSFER", 461_730.10, "C1305486145", 461_730.10, "C553264065", 0.0),
        (312, "CASH_OUT", 229_133.94, "C905080434", 15_325.00, "C476402209", 5_083_211.10),
    ],
    columns=[column.name for column in SIGNATURE.inputs],
)
