"""Wire schemas of drift."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from scoring.evaluation.drift import Level
from web.schemas import ModelOut, Timestamp, WindowOut

_SCORE: JsonDict = {
    "name": "score",
    "level": "stable",
    "psi": 0.0121,
    "expected_without_drift": 0.0087,
    "limit_without_drift": 0.0182,
    "rows": 2310,
    "trained_rows": 3500,
    "bins": [
        {"from": None, "to": 0.004, "trained": 0.9, "rows": 2051, "display_value": None},
        {"from": 0.004, "to": None, "trained": 0.1, "rows": 259, "display_value": None},
    ],
}


class BinOut(BaseModel):
    """A range of values."""

    model_config = ConfigDict(validate_by_name=True)

    from_: float | None = Field(
        validation_alias="from",
        serialization_alias="from",
        description="included; null: no lower end",
    )
    to: float | None = Field(description="not included; null: no upper end")
    trained: float = Field(description="share of the training rows, 0 to 1")
    rows: int = Field(description="of the window")
    display_value: str | None = Field(
        description="the values in the range as people know them, where they are codes: "
        "`CASH_OUT, TRANSFER`, `02:00 to 06:00`; null for a quantity"
    )


class MeasureOut(BaseModel):
    """One feature, or the score: the window against training."""

    name: str
    level: Level = Field(
        description="stable below 0.1, moderate from there, major from 0.25 on; insufficient where "
        "chance alone could reach 0.1 with so few rows; empty without rows; constant where "
        "training saw one value"
    )
    psi: float | None = Field(description="population stability index, nats; null: not measured")
    expected_without_drift: float | None = Field(description="mean of `psi` were there no drift")
    limit_without_drift: float | None = Field(
        description="what `psi` would exceed once in a thousand windows were there no drift"
    )
    rows: int = Field(description="of the window")
    trained_rows: int
    bins: list[BinOut]


class VersionDriftOut(BaseModel):
    """A model version's payments and predictions in the window."""

    model: ModelOut
    in_production: bool
    predictions: int = Field(description="that it made in the window")
    score: MeasureOut | None
    features: list[MeasureOut]
    note: str | None = Field(description="why nothing was measured")


class DriftReply(BaseModel):
    """The latest run of `sentinel monitor` for the tenant."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "computed_at": "2026-01-31T12:00:04+00:00",
                "window": {"from": "2026-01-30T12:00:00+00:00", "to": "2026-01-31T12:00:00+00:00"},
                "versions": [
                    {
                        "model": {"name": "fraud-demo", "version": 3},
                        "in_production": True,
                        "predictions": 2310,
                        "score": _SCORE,
                        "features": [{**_SCORE, "name": "amount", "level": "major", "psi": 0.41}],
                        "note": None,
                    }
                ],
                "note": None,
            }
        }
    )

    computed_at: Timestamp | None
    window: WindowOut | None = Field(description="when the predictions were made")
    versions: list[VersionDriftOut] = Field(
        description="those that decided in the window, the version in production first"
    )
    note: str | None = Field(description="why there is nothing")
