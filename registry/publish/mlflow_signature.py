"""The signature and input example of a registered model, in MLflow's types."""

from __future__ import annotations

from typing import Any

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from registry.verify.signature import OUTPUTS, inputs_of
from scoring.event_type.fields import EventType, Field
from scoring.transaction import PAYSIM


def signature(event_type: EventType) -> ModelSignature:
    """Return the signature of a model of an event type."""
    inputs = [
        ColSpec(kind, name, required=not event_type.kept[name].optional)
        for name, kind in inputs_of(event_type).items()
    ]
    return ModelSignature(
        inputs=Schema(inputs),
        outputs=Schema([ColSpec(kind, name) for name, kind in OUTPUTS.items()]),
    )


def example(event_type: EventType) -> pd.DataFrame:
    """Return rows of an event type, to try a model with."""
    if event_type is PAYSIM:
        return PAYSIM_EXAMPLE
    row = {name: _value(field) for name, field in event_type.kept.items()}
    return pd.DataFrame([row], columns=list(row))


PAYSIM_EXAMPLE = pd.DataFrame(
    [
        (311, "PAYMENT", 9_214.50, "C1231006815", 118_360.25, "M1979787155", 0.0),
        (312, "TRANSFER", 461_730.10, "C1305486145", 461_730.10, "C553264065", 0.0),
        (312, "CASH_OUT", 229_133.94, "C905080434", 15_325.00, "C476402209", 5_083_211.10),
    ],
    columns=list(PAYSIM.kept),
)


def _value(field: Field) -> Any:  # noqa: ANN401 - a value of the field's kind
    match field.kind:
        case "number":
            return float(min(max(1.0, _bound(field.minimum, 1.0)), _bound(field.maximum, 1e12)))
        case "integer":
            return int(min(max(1.0, _bound(field.minimum, 1.0)), _bound(field.maximum, 1e12)))
        case "boolean":
            return False
        case "category":
            return field.values[0] if field.values else "a value"
        case "timestamp":
            return "2026-01-31T12:00:00Z"
        case _:
            return "1"


def _bound(bound: float | None, without: float) -> float:
    return without if bound is None else bound
