"""Wire schemas of the review routes: queries, bodies and replies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.labels.schemas import EffectiveLabel, LabelOut
from api.pagination import MAX_CURSOR_LENGTH
from persistence.review.cases import Label
from persistence.review.search import MAX_AMOUNT_DAYS
from persistence.review.worklist import Kind
from scoring.policy import OUTCOMES, RISK_BANDS, Outcome, RiskBand
from scoring.transaction import MAX_AMOUNT
from web.schemas import (
    APPROVAL_PROBABILITY,
    Absent,
    Account,
    DecidedByOut,
    DeclineThreshold,
    EntryMatchOut,
    ExternalId,
    FeatureOut,
    Instant,
    ModelOut,
    Reasons,
    RuleHitsOut,
    Timestamp,
)

MAX_PAGE = 200
MAX_EXPORT_ROWS = 100_000
MAX_RATIONALE_LENGTH = 2000
# Line breaks and tabs are text; at least one character is neither a space nor one of those.
_TEXT = r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
RATIONALE_PATTERN = rf"^{_TEXT}*[^\x00-\x20\x7f-\xa0]{_TEXT}*$"


_BY_THRESHOLD = (("review", "high"), ("review", "medium"), ("approve", "low"))
"""What the threshold alone decides; cursors name its bands, as in releases without rules."""
TransactionType = Literal["PAYMENT", "CASH_IN", "DEBIT", "CASH_OUT", "TRANSFER"]
Action = Annotated[str, Field(pattern=r"^[a-z_]{1,40}\.[a-z_]{1,40}$")]
ActorName = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,256}$")]
AuditObject = Annotated[
    str,
    Field(
        pattern=r"^(labels|policy|(accounts|cases|keys|lists|models|rules|tenants|transactions|users)/[^\x00-\x1f\x7f]{1,300})$",
        examples=["transactions/01a20954-307f-76ad-bbfb-c426daea33c6"],
    ),
]
Amount = Annotated[float, Field(ge=0, le=MAX_AMOUNT, allow_inf_nan=False)]


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _CursorQuery(_Query):
    cursor: str | Absent = Field(
        default=None,
        max_length=MAX_CURSOR_LENGTH,
        description="`next_cursor`, or X-Next-Cursor, of the page before; the other parameters "
        "but `limit` stay as they were",
    )


class _PageQuery(_CursorQuery):
    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="entries a page")


class WorklistQuery(_PageQuery):
    """Filters of the worklist; without any, cases in review that no analyst settled."""

    risk_band: RiskBand | Absent = Field(default=None, description="only this band")
    decision: Outcome | Absent = Field(
        default=None,
        description="only this decision; without it and a risk_band: review. A risk_band alone "
        "has every decision but an approval above the threshold. Payments that were approved at "
        "random are on no worklist",
    )
    undecided: bool = Field(
        default=True,
        description="true: what waits for an analyst, escalated cases included; false: what is "
        "settled",
    )

    def kinds(self) -> list[Kind]:
        """Return outcome and band of the decisions that are asked for."""
        bands: Sequence[RiskBand] = [self.risk_band] if self.risk_band else RISK_BANDS
        if self.decision or not self.risk_band:
            return [(self.decision or "review", band) for band in bands]
        outcomes = OUTCOMES if self.risk_band == "low" else ("review", "decline")
        return [(outcome, self.risk_band) for outcome in outcomes]

    def cursor_key(self) -> Sequence[object]:
        """Return what a cursor of the worklist is made for."""
        kinds = self.kinds()
        return [band for kind, band in kinds if (kind, band) in _BY_THRESHOLD] or kinds


class SearchQuery(_Query):
    """What to look for. Filters add up."""

    external_id: ExternalId | Absent = Field(
        default=None, description="your own id of the transaction"
    )
    account: Account | Absent = Field(default=None, description="the payer or the receiver")
    amount_min: Amount | Absent = Field(
        default=None,
        description=f"from this amount on; by itself only with a time range of at most "
        f"{MAX_AMOUNT_DAYS} days",
    )
    amount_max: Amount | Absent = Field(default=None, description="up to this amount; likewise")
    from_: Instant | Absent = Field(
        default=None,
        alias="from",
        description="`transaction_id` made at this time or later (ISO 8601, to the millisecond); "
        "the id contains the time of the request, which `decided_at` follows by some milliseconds",
    )
    to: Instant | Absent = Field(
        default=None,
        description="`transaction_id` made before this time; spans that meet have every row once. "
        "Page with `cursor`, not with times: many rows can have the same",
    )


class TransactionsQuery(SearchQuery, _PageQuery):
    """A search, page by page."""


class ExportQuery(SearchQuery, _CursorQuery):
    """A search, as one file."""

    limit: int = Field(
        default=10_000,
        ge=1,
        le=MAX_EXPORT_ROWS,
        description="rows at most; where more follow, the reply has X-Next-Cursor and a last line "
        "that contains it: repeat with it as `cursor`",
    )


class AuditQuery(_PageQuery):
    """Filters of the audit log and of the access log. Filters add up."""

    reads: bool = Field(
        default=False,
        description="false: who changed what; true: who read which case or account, or searched "
        "or exported transactions",
    )
    action: Action | Absent = Field(
        default=None,
        description="only this, such as key.created, promotion.changed, label.created; of reads "
        "transaction.read, transactions.searched, transactions.exported, case.read, case.exported, "
        "upload.read, upload.exported",
    )
    actor: ActorName | Absent = Field(
        default=None,
        description="only of this actor: an API key's name, a user, or a part of the product",
    )
    object: AuditObject | Absent = Field(
        default=None,
        description="only of this: accounts/ACCOUNT, cases/NUMBER, keys/PREFIX, labels, "
        "models/NAME/VERSION, policy, tenants/SLUG or transactions/ID",
    )
    from_: Instant | Absent = Field(
        default=None, alias="from", description="at this time or later (ISO 8601)"
    )
    to: Instant | Absent = Field(default=None, description="before this time (ISO 8601)")


class FeedbackIn(BaseModel):
    """What an analyst decides."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        json_schema_extra={
            "example": {
                "label": "confirmed_fraud",
                "rationale": "The customer reports that the phone was stolen.",
            }
        },
    )

    label: Label = Field(
        description="confirmed_fraud and false_positive settle the case; escalated leaves it to "
        "somebody else, on the worklist"
    )
    rationale: str = Field(
        min_length=1,
        max_length=MAX_RATIONALE_LENGTH,
        pattern=RATIONALE_PATTERN,
        description="why; text without control characters",
    )


class FeedbackOut(BaseModel):
    """An analyst's feedback."""

    id: int
    label: Label
    rationale: str
    actor: str = Field(description="name of the API key")
    created_at: Timestamp


class TransactionOut(BaseModel):
    """A transaction as it was submitted."""

    step: int
    type: TransactionType
    amount: float
    nameOrig: str  # noqa: N815
    oldbalanceOrg: float  # noqa: N815
    nameDest: str  # noqa: N815
    oldbalanceDest: float  # noqa: N815
    external_id: str | None


EventOut = Annotated[
    dict[str, Any],
    Field(
        description="an event of your own event type as it was submitted, by field name, and its "
        "external_id"
    ),
]
Submitted = TransactionOut | EventOut
DisplayTime = Annotated[
    str | None,
    Field(
        description="the hour of `step` as people know it, such as `day 13, 00:00`; days count "
        "from 0 at your epoch. Of your own event type the time as it was sent; null without one"
    ),
]


ApprovalProbability = Annotated[
    float | None,
    Field(description=f"{APPROVAL_PROBABILITY}; null where chance had no part in the decision"),
]


UNRULED = "null where the tenant had no rules, no lists and declined nothing"


class CaseOut(BaseModel):
    """A decision in a list."""

    transaction_id: UUID
    prediction_id: UUID
    decided_at: Timestamp
    transaction: Submitted
    score: float = Field(description="calibrated probability of fraud")
    risk_band: RiskBand
    decision: Outcome
    threshold: float = Field(description="the one it was decided at")
    approval_probability: ApprovalProbability
    decided_by: DecidedByOut | None = Field(description=f"what decided; {UNRULED}")
    reasons: Reasons
    model: ModelOut
    undecided: bool = Field(description="no analyst has settled it")
    feedback: FeedbackOut | None = Field(description="the latest")
    display_time: DisplayTime
    label: EffectiveLabel


class CasePage(BaseModel):
    """A page of decisions."""

    items: list[CaseOut]
    next_cursor: str | None = Field(description="null on the last page")


class PredictionOut(BaseModel):
    """A decision with everything it was made from, as it was made."""

    prediction_id: UUID
    score: float = Field(description="calibrated probability of fraud")
    raw_probability: float = Field(description="before calibration")
    margin: float = Field(description="log-odds")
    base_value: float = Field(description="log-odds; plus every contribution it is the margin")
    features: list[FeatureOut] = Field(description="every feature; contributions add up")
    reasons: Reasons
    risk_band: RiskBand
    decision: Outcome
    threshold: float
    approval_probability: ApprovalProbability
    decided_by: DecidedByOut | None = Field(description=f"what decided; {UNRULED}")
    decline_threshold: DeclineThreshold
    rules: RuleHitsOut | None = Field(description=UNRULED)
    list_entries: list[EntryMatchOut] | None = Field(description=UNRULED)
    model: ModelOut
    decided_at: Timestamp


class CaseDetail(BaseModel):
    """A transaction, its decision, its review."""

    transaction_id: UUID
    transaction: Submitted
    prediction: PredictionOut
    undecided: bool = Field(description="no analyst has settled it")
    feedback: list[FeedbackOut] = Field(
        description="the latest 1000, latest first; the latest counts. GET /audit has all of them"
    )
    display_time: DisplayTime
    labels: list[LabelOut] = Field(
        description="labels of all sources, feedback among them, the latest 1000, latest first"
    )
    label: EffectiveLabel


class AuditEntryOut(BaseModel):
    """One change, or one reading."""

    id: int | UUID = Field(description="a number of a change, a UUIDv7 of a reading")
    at: Timestamp
    actor: str = Field(
        description="who: an API key's name, a user of MLflow or of the operating system, "
        "`mlflow`, a part of the product, or a database user"
    )
    action: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    via: str | None = Field(
        description="how: `key PREFIX`, `mlflow`, or a command such as `sentinel keys issue`; null "
        "for a part of the product and a database user"
    )
    object: str | None = Field(
        description="what was changed or read, such as transactions/ID or accounts/ACCOUNT"
    )
    details: dict[str, Any] | None = Field(
        description="of a reading: filter and number of rows of a search; null for a change"
    )


class AuditPage(BaseModel):
    """A page of the audit log."""

    items: list[AuditEntryOut]
    next_cursor: str | None = Field(description="null on the last page")
