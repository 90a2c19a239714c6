"""Wire schemas that several routes share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from scoring.transaction import ACCOUNT_PATTERN

Account = Annotated[
    str,
    Field(pattern=ACCOUNT_PATTERN, description="1 to 64 printable ASCII characters without spaces"),
]

Timestamp = Annotated[
    datetime,
    # Pydantic writes UTC as `Z`; the contract has `+00:00`.
    PlainSerializer(datetime.isoformat, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""A time in a reply: ISO 8601 with its offset, and microseconds where they are not zero."""


class ModelOut(BaseModel):
    """The model version that made a decision."""

    name: str
    version: int


class FeatureOut(BaseModel):
    """One feature's value and what it did to the margin."""

    name: str
    value: float
    contribution: float = Field(description="log-odds")


class WindowOut(BaseModel):
    """The time in which what was looked at was decided."""

    model_config = ConfigDict(validate_by_name=True)

    from_: Timestamp = Field(
        validation_alias="from",
        serialization_alias="from",
        description="the oldest decision that was looked at",
    )
    to: Timestamp


class FieldProblem(BaseModel):
    """One thing wrong with one field."""

    field: str
    message: str


class Problem(BaseModel):
    """An error (RFC 9457, application/problem+json)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = []
