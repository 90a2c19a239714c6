"""Request and response schemas of the scoring routes."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scoring.external_id import EXTERNAL_ID_PATTERN
from scoring.transaction import MAX_AMOUNT, MAX_BALANCE, MAX_STEP, Transaction
from web.headers import IDEMPOTENCY_KEY
from web.invalid_fields import invalid_fields
from web.schemas import (
    APPROVAL_PROBABILITY,
    RULED,
    Absent,
    Account,
    DecidedByOut,
    DeclineThreshold,
    EntryMatchOut,
    FeatureOut,
    ModelOut,
    Reasons,
    RuleHitsOut,
)

MAX_BATCH_ROWS = 1000
Balance = Annotated[float, Field(ge=-MAX_BALANCE, le=MAX_BALANCE, allow_inf_nan=False)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class TransactionIn(_Request):
    """One PaySim-schema transaction, before it is decided."""

    model_config = ConfigDict(
        json_schema_extra={
            # OpenAPI 3.0's single example: BentoML's schema classes do not support `examples`.
            "example": {
                "step": 212,
                "type": "TRANSFER",
                "amount": 181250.75,
                "nameOrig": "C1305486145",
                "oldbalanceOrg": 181250.75,
                "nameDest": "C553264065",
                "oldbalanceDest": 0.0,
            }
        }
    )

    step: int = Field(ge=0, le=MAX_STEP, description="hours since the tenant's epoch")
    type: Literal["PAYMENT", "CASH_IN", "DEBIT", "CASH_OUT", "TRANSFER"]
    amount: float = Field(ge=0, le=MAX_AMOUNT, allow_inf_nan=False)
    nameOrig: Account = Field(description="account that pays")  # noqa: N815
    oldbalanceOrg: Balance = Field(description="the payer's balance before the payment")  # noqa: N815
    nameDest: Account = Field(description="account that receives; merchants: M...")  # noqa: N815
    oldbalanceDest: Balance = Field(description="the receiver's balance before the payment")  # noqa: N815
    newbalanceOrig: Any = Field(  # noqa: N815
        default=None, description="accepted and ignored: not known before the decision"
    )
    newbalanceDest: Any = Field(  # noqa: N815
        default=None, description="accepted and ignored: not known before the decision"
    )
    external_id: str | None = Field(
        default=None,
        pattern=EXTERNAL_ID_PATTERN,
        description="your own id, unique in your tenant: the idempotency key",
    )

    def to_domain(self, external_id: str | None = None) -> Transaction:
        """Return the domain's transaction.

        Args:
            external_id: idempotency key of the request's header, used when the body has none.

        Raises:
            InvalidRequest: the header and the body name different keys.
        """
        key = one_key(self.external_id, external_id)
        return Transaction(
            step=self.step,
            type=self.type,
            amount=self.amount,
            name_orig=self.nameOrig,
            oldbalance_org=self.oldbalanceOrg,
            name_dest=self.nameDest,
            oldbalance_dest=self.oldbalanceDest,
            external_id=key,
        )


def one_key(own_id: str | None, header: str | None) -> str | None:
    """Return the idempotency key of one event.

    Args:
        own_id: `external_id` of the body.
        header: idempotency key of the request's header, used when the body has none.

    Raises:
        InvalidRequest: the header and the body name different keys.
    """
    if header is not None and own_id is not None and own_id != header:
        raise invalid_fields(
            [
                ((IDEMPOTENCY_KEY,), "must be the same as external_id, or left out"),
                (("external_id",), f"must be the same as {IDEMPOTENCY_KEY}, or left out"),
            ]
        )
    return header if own_id is None else own_id


class BatchRequest(_Request):
    """Up to 1000 transactions, decided and stored together or not at all."""

    transactions: list[TransactionIn] = Field(min_length=1, max_length=MAX_BATCH_ROWS)


class ExplainRequest(_Request):
    """A transaction, which the production model explains, or the id of a stored prediction."""

    transaction: TransactionIn | None = None
    prediction_id: Annotated[UUID, Field(strict=False)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _not_bare(cls, body: Any) -> Any:  # noqa: ANN401 - any JSON
        # Else each field of a payment that is not wrapped would be an error of its own.
        own, of_payment = cls.model_fields.keys(), TransactionIn.model_fields.keys()
        if isinstance(body, dict) and body.keys() & of_payment and not body.keys() & own:
            raise ValueError(
                'the body must be {"transaction": {...}} or {"prediction_id": "..."}; put a '
                "payment under transaction"
            )
        return body

    @model_validator(mode="after")
    def _exactly_one(self) -> ExplainRequest:
        if (self.transaction is None) == (self.prediction_id is None):
            raise ValueError("give exactly one of transaction and prediction_id")
        return self


ApprovalProbability = Annotated[
    float | Absent,
    Field(
        description=f"{APPROVAL_PROBABILITY}; with `decision` approve it was. Left out where "
        "chance had no part in the decision"
    ),
]


class ScoreReply(BaseModel):
    """A decision, stored before this reply was sent."""

    transaction_id: UUID
    prediction_id: UUID
    score: float = Field(description="calibrated probability of fraud")
    risk_band: Literal["low", "medium", "high"]
    decision: Literal["approve", "review", "decline"]
    threshold: float = Field(description="scores at or above it are reviewed")
    top_features: list[FeatureOut] = Field(description="the five largest contributions")
    base_value: float = Field(description="log-odds; added to all contributions it is the margin")
    margin: float = Field(description="log-odds")
    model: ModelOut
    approval_probability: ApprovalProbability = None
    decided_by: DecidedByOut | Absent = Field(default=None, description=f"what decided; {RULED}")
    decline_threshold: DeclineThreshold = None
    rules: RuleHitsOut | Absent = Field(default=None, description=RULED)
    list_entries: list[EntryMatchOut] | Absent = Field(default=None, description=RULED)
    unread_windows: list[str] | Absent = Field(
        default=None,
        description="windows of past events that could not be read, and were missing to the model"
        " and to the rules; left out where all were read",
    )
    stored: Literal["journal"] | Absent = Field(
        default=None,
        description="`journal`: the decision is on the disk of the process, since Postgres is away"
        " and the tenant chose that; left out where it is in Postgres",
    )
    latency_ms: float = Field(description="time from the request's arrival to this reply")


class BatchReply(BaseModel):
    """The decisions, in the order of the request."""

    results: list[ScoreReply]
    total_latency_ms: float


class ExplainReply(BaseModel):
    """A score with the contribution of every feature and the reasons as sentences."""

    prediction_id: UUID | None
    score: float
    raw_probability: float = Field(description="probability before calibration")
    margin: float = Field(description="log-odds")
    base_value: float = Field(description="log-odds")
    features: list[FeatureOut] = Field(
        description="every feature; base value + contributions = margin"
    )
    reasons: Reasons
    risk_band: Literal["low", "medium", "high"]
    decision: Literal["approve", "review", "decline"]
    threshold: float
    model: ModelOut
    approval_probability: ApprovalProbability = None
    decided_by: DecidedByOut | Absent = Field(default=None, description=f"what decided; {RULED}")
    decline_threshold: DeclineThreshold = None
    rules: RuleHitsOut | Absent = Field(default=None, description=RULED)
    list_entries: list[EntryMatchOut] | Absent = Field(default=None, description=RULED)
    latency_ms: float
