"""Wire schemas that several routes share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from scoring.transaction import (
    ACCOUNT_PATTERN,
)

Account = Annotated[
    str,
    Field(pattern=ACCOUNT_PATTERN, description="1 to 64 printable ASCII characters without spaces"),
]


class ModelOut(BaseModel):
    """The model version that made a decision."""

    name: str
    version: int


class FeatureOut(BaseModel):
    """One feature's value and what it did to the margin."""

    name: str
    value: float
    contribution: float = Field(description="log-odds")


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
