"""Wire schemas that several routes share."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)
from pydantic.json_schema import SkipJsonSchema

from scoring.external_id import EXTERNAL_ID_PATTERN
from scoring.transaction import ACCOUNT_PATTERN
from web.problem_types import PROBLEM_TYPES, type_uri

Account = Annotated[
    str,
    Field(pattern=ACCOUNT_PATTERN, description="1 to 64 printable ASCII characters without spaces"),
]


_DECODED_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (?=\d\d:?\d\d$)")
"""What a query makes of the `+` of an offset that its sender did not encode."""


def _instant(text: object) -> datetime:
    """Read an ISO 8601 time; without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(_DECODED_PLUS.sub(r"\1+", str(text)))
    except ValueError as error:
        message = "must be an ISO 8601 time such as 2026-01-31T12:00:00Z"
        raise ValueError(message) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Instant = Annotated[
    datetime, PlainValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]
ExternalId = Annotated[str, Field(pattern=EXTERNAL_ID_PATTERN)]
# A parameter that is not sent is absent; nobody can send a null in a query.
Absent = SkipJsonSchema[None]

APPROVAL_PROBABILITY = (
    "probability with which the payment was approved at random, by the policy's `explore`, though "
    "its score reaches the threshold"
)

PROBLEM_URIS = sorted(type_uri(problem.code) for problem in PROBLEM_TYPES)

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
    value: float | None = Field(description="null: missing")
    contribution: float = Field(
        description="what it adds to the margin, in log-odds: it multiplies the model's odds of "
        "fraud by e to its power"
    )
    display_value: str | None = Field(
        description="the value as people know it, where it is a code: a type such as `TRANSFER`, "
        "an hour such as `13:00`, `yes` or `no`; null where the value is a quantity"
    )


class DecidedByOut(BaseModel):
    """What gave an outcome."""

    kind: Literal["list_entry", "rule", "model"] = Field(
        description="an entry of a list, a rule, or the model's score at the thresholds"
    )
    id: int | None = Field(description="of the entry or of the rule; null for the model")
    version: int | None = Field(description="of the rule; null otherwise")


class RuleVersionOut(BaseModel):
    """A version of a rule."""

    id: int
    version: int


class RuleHitsOut(BaseModel):
    """What the rules made of a payment, in the order in which they decide."""

    fired: list[RuleVersionOut] = Field(description="live rules whose condition is true")
    shadow: list[RuleVersionOut] = Field(description="rules in shadow whose condition is true")
    snoozed: list[RuleVersionOut] = Field(
        description="rules whose condition is true, but that are snoozed for the payment's entity"
    )
    failed: list[RuleVersionOut] = Field(
        description="rules without a value: a field, a feature or a window is missing"
    )


class EntryMatchOut(BaseModel):
    """An entry of a list that a payment matched."""

    list_id: int
    entry_id: int
    field: str = Field(description="field whose value it is")


DeclineThreshold = Annotated[
    float | None, Field(description="scores at or above it are declined; null: none is")
]
RULED = "left out where the tenant has no rules, no lists and declines nothing"


Reasons = Annotated[
    list[str],
    Field(
        description="the largest contributions as sentences: the value, the factor that multiplies "
        "or divides the model's odds of fraud, the log-odds of each feature that says this; "
        "`usual` is the median of the payments that the version was trained on. Sentences are for "
        "people: their wording may change"
    ),
]


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

    field: str = Field(description="path from the body's root, such as `transactions.3.amount`")
    message: str = Field(description="what the field must be")


class Problem(BaseModel):
    """An error (RFC 9457, application/problem+json)."""

    type: Annotated[str, WithJsonSchema({"type": "string", "enum": PROBLEM_URIS})] = Field(
        description="what a client decides by; docs/api.md describes each type, and a client "
        "treats one that it does not know by its status"
    )
    title: str = Field(description="summary of the type, for people")
    status: int = Field(description="that of the reply")
    detail: str = Field(description="what happened this time, for people; the wording may change")
    errors: list[FieldProblem] = Field(
        default_factory=list, description="every field that is not valid; left out without any"
    )
