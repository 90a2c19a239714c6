"""The values of requests and replies.

Replies ignore fields that this version of the client does not know: the API adds fields over time.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

RiskBand = Literal["low", "medium", "high"]
Outcome = Literal["approve", "review", "decline"]
LabelSource = Literal["chargeback", "analyst", "customer", "rule", "import"]
FeedbackLabel = Literal["confirmed_fraud", "false_positive", "escalated"]


class _Reply(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())


class Model(_Reply):
    """The version of the model that scored.

    Attributes:
        name: name of the registered model.
        version: number of its version.
    """

    name: str
    version: int


class Feature(_Reply):
    """A feature of a decision.

    Attributes:
        name: name of the feature.
        value: what the model reads; None: missing.
        contribution: addition to the log-odds of fraud.
        display_value: a code as people know it, such as `TRANSFER`; None for a quantity.
    """

    name: str
    value: float | None
    contribution: float
    display_value: str | None = None


class DecidedBy(_Reply):
    """What decided.

    Attributes:
        kind: `list_entry`, `rule` or `model`.
        id: id of the entry or the rule; None: the model.
        version: version of the rule; None for the others.
    """

    kind: str
    id: int | None = None
    version: int | None = None


class RuleVersion(_Reply):
    """A version of a rule."""

    id: int
    version: int


class RuleHits(_Reply):
    """What the rules made of a payment, in the order in which they decide.

    Attributes:
        fired: live rules whose condition is true.
        shadow: rules in shadow whose condition is true.
        snoozed: rules whose condition is true, snoozed for an entity of the payment.
        failed: rules without a value, since a field, a feature or a window is missing.
    """

    fired: list[RuleVersion] = []
    shadow: list[RuleVersion] = []
    snoozed: list[RuleVersion] = []
    failed: list[RuleVersion] = []


class EntryMatch(_Reply):
    """An entry of a list that a payment matched.

    Attributes:
        list_id: id of the list.
        entry_id: id of the entry.
        field: field whose value it is.
    """

    list_id: int
    entry_id: int
    field: str


class _Scored(_Reply):
    score: float
    risk_band: RiskBand
    decision: Outcome
    threshold: float
    base_value: float
    margin: float
    model: Model
    approval_probability: float | None = None
    decided_by: DecidedBy | None = None
    decline_threshold: float | None = None
    rules: RuleHits | None = None
    list_entries: list[EntryMatch] | None = None


class Decision(_Scored):
    """The reply to a payment: act on `decision`.

    Attributes:
        transaction_id: id of the stored payment.
        prediction_id: id of the stored decision.
        score: calibrated probability of fraud, 0 to 1.
        risk_band: `low`, `medium` or `high`.
        decision: `approve`, `review` or `decline`.
        threshold: score from which the model reviews.
        top_features: five largest contributions.
        base_value: log-odds; added to all contributions it is `margin`.
        margin: log-odds before calibration.
        model: version that scored.
        decided_by: what decided; None, as `rules` and `list_entries`, where the tenant has no
            rules, no lists and declines nothing.
        rules: rules that the payment met.
        list_entries: entries of lists that it matched.
        latency_ms: milliseconds from the request's arrival to the reply, in the service.
    """

    transaction_id: UUID
    prediction_id: UUID
    top_features: list[Feature]
    latency_ms: float


class Decisions(_Reply):
    """The reply to a batch."""

    results: list[Decision]
    total_latency_ms: float


class Explanation(_Scored):
    """A decision with every feature and its reasons.

    Attributes:
        prediction_id: id of the stored decision; None for a payment that is not stored.
        features: every feature; contributions and base value add up to the margin.
        reasons: the same as sentences, the strongest first.
    """

    prediction_id: UUID | None
    raw_probability: float
    features: list[Feature]
    reasons: list[str]


class Feedback(_Reply):
    """What an analyst decided about a payment."""

    id: int
    label: FeedbackLabel
    rationale: str
    actor: str
    created_at: datetime


class StoredDecision(_Reply):
    """A decision in a list.

    Attributes:
        transaction: payment as it was sent, with its `external_id`.
        decided_by: what decided; None as in a `Decision`.
        undecided: whether no analyst has settled it.
        label: label that counts; None: there is none.
    """

    transaction_id: UUID
    prediction_id: UUID
    decided_at: datetime
    transaction: dict[str, Any]
    score: float
    risk_band: RiskBand
    decision: Outcome
    threshold: float
    reasons: list[str]
    model: Model
    undecided: bool
    decided_by: DecidedBy | None = None
    feedback: Feedback | None = None
    label: str | None = None


class DecisionPage(_Reply):
    """A page of a list."""

    items: list[StoredDecision]
    next_cursor: str | None = None


class Label(BaseModel):
    """What an event turned out to be, for `send_labels`; give one of the two ids.

    Attributes:
        label: what the event was; of a reversal: the label that is withdrawn.
        source: who reports it.
        external_id: your own id of the payment.
        transaction_id: the service's id of the payment.
        occurred_at: when it became known, with a time zone; None: now.
        amount_lost: money that was lost; None: not known.
        reversed: whether the source withdraws its earlier label.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: Literal["fraud", "legitimate"]
    source: LabelSource
    external_id: str | None = None
    transaction_id: UUID | None = None
    occurred_at: datetime | None = None
    amount_lost: float | None = None
    reversed: bool | None = None


class StoredLabel(_Reply):
    """A label as it was stored, and what its event counts as now."""

    id: int
    transaction_id: UUID
    label: str
    source: str
    reversed: bool
    occurred_at: datetime
    amount_lost: float | None
    effective_label: str | None


class StoredLabels(_Reply):
    """The stored labels in the order of the request."""

    labels: list[StoredLabel]


class FieldProblem(_Reply):
    """A field that is not valid.

    Attributes:
        field: dotted path, such as `transactions.3.amount`.
        message: what the field must be.
    """

    field: str
    message: str


class Problem(_Reply):
    """An error as the API sends it (RFC 9457)."""

    type: str = "about:blank"
    title: str = ""
    status: int = 0
    detail: str = ""
    errors: list[FieldProblem] = []
