"""Wire schemas of policies: a change, and what is in force."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.written_parts import Reason
from persistence.policy_proposals import Status
from scoring.exploration import MAX_SHARE
from scoring.transaction import MAX_AMOUNT
from web.schemas import ModelOut, Timestamp


def _not_sent() -> float:
    """Return the value of a member that was not sent; nothing reads it."""
    return math.nan


Cost = Annotated[float, Field(ge=0, le=MAX_AMOUNT, allow_inf_nan=False)]
Probability = Annotated[float, Field(gt=0, lt=1)]

POLICY_EXAMPLE: JsonDict = {
    "threshold": 0.03,
    "high_from": 0.5,
    "cost_model": {
        "missed_fraud": 1000.0,
        "missed_fraud_share": 0.0,
        "false_alarm": 5.0,
        "false_decline": None,
    },
}


class Costs(BaseModel):
    """What the two errors cost, in the tenant's currency; a member left out stays as it is."""

    missed_fraud: Cost = Field(default_factory=_not_sent, description="money a missed fraud costs")
    missed_fraud_share: Cost = Field(
        default_factory=_not_sent,
        description="share of its amount that a missed fraud costs besides",
    )
    false_alarm: Cost = Field(
        default_factory=_not_sent, description="money a review of an honest one costs"
    )

    def sent(self) -> dict[str, float]:
        """Return the costs that were sent, by name."""
        return self.model_dump(include=set(Costs.model_fields), exclude_unset=True)


class CostModelIn(Costs):
    """What the two errors cost, in your currency; a member left out stays as it is in force."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, json_schema_extra={"minProperties": 1}
    )

    false_decline: Cost | None = Field(
        default=None, description="money a decline of an honest one costs; null: a false alarm's"
    )


class ExploreIn(BaseModel):
    """Which would-be reviews are approved at random, to learn what they were."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    share: float = Field(
        gt=0, le=MAX_SHARE, description="probability with which each of them is approved"
    )
    max_amount: float = Field(
        gt=0,
        le=MAX_AMOUNT,
        description="largest amount, in your currency; a payment of more, or without an amount, is "
        "never approved at random",
    )


class PolicyIn(BaseModel):
    """A change of the policy in force; a member left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        json_schema_extra={"minProperties": 1, "example": {"threshold": 0.03}},
    )

    threshold: Probability = Field(
        default_factory=_not_sent, description="scores from here on are reviewed"
    )
    high_from: Probability = Field(
        default_factory=_not_sent,
        description="scores from here on are in the band `high`; >= threshold; left out, it is "
        "raised to the threshold where that passes it",
    )
    decline_from: Probability | None = Field(
        default=None,
        description="scores from here on are declined, >= threshold; nothing is unless you set it; "
        "null ends it",
    )
    cost_model: CostModelIn = Field(
        default_factory=CostModelIn,
        description="what errors cost; without `threshold`, it becomes the one at which a review "
        "and an approval cost the same: false_alarm / (false_alarm + missed_fraud)",
    )
    explore: ExploreIn | None = Field(
        default=None,
        description="randomised approvals, off unless you set them; null ends them",
    )
    reason: Reason | None = Field(
        default=None, description="why, for the audit log and for who approves it"
    )


class CostModelOut(BaseModel):
    """What the two errors cost, in your currency."""

    missed_fraud: float
    missed_fraud_share: float = Field(description="of its amount, besides")
    false_alarm: float
    false_decline: float | None = Field(description="null: a false alarm's")


Threshold = Annotated[float, Field(description="scores from here on are reviewed")]
HighFrom = Annotated[float, Field(description="scores from here on are in the band `high`")]


class ExploreOut(BaseModel):
    """Which would-be reviews are approved at random."""

    share: float = Field(description="probability with which each of them is approved")
    max_amount: float = Field(description="largest amount, in your currency")


class VersionPolicy(BaseModel):
    """A model version's own policy, chosen when it was trained."""

    cost_model: CostModelOut
    threshold: Threshold
    high_from: HighFrom
    model: ModelOut


class PolicyOut(BaseModel):
    """The policy in force for new decisions; stored ones keep the numbers they were made with."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "source": "tenant",
                **POLICY_EXAMPLE,
                "decline_from": 0.9,
                "explore": {"share": 0.02, "max_amount": 200.0},
                "id": 7,
                "since": "2026-01-31T12:00:00+00:00",
                "actor": "policy-console",
                "version_policy": {
                    **POLICY_EXAMPLE,
                    "threshold": 0.05,
                    "model": {"name": "fraud-demo", "version": 3},
                },
            }
        }
    )

    source: Literal["tenant", "model"] = Field(
        description="whose it is: set by PUT /policy, or the production version's own"
    )
    cost_model: CostModelOut
    threshold: Threshold
    high_from: HighFrom
    decline_from: float | None = Field(
        description="scores from here on are declined; null: nothing is"
    )
    explore: ExploreOut | None = Field(description="randomised approvals; null: there are none")
    id: int | None = Field(description="of the tenant's policy; null where the version's own rules")
    since: Timestamp
    actor: str = Field(
        description="who put it in force: the name of an API key, or who promoted the version, as "
        "GET /audit names them"
    )
    version_policy: VersionPolicy | None = Field(
        description="the production version's own, which DELETE /policy goes back to; null without "
        "a production version"
    )


class ProposedPolicy(BaseModel):
    """The numbers of a policy that is proposed, or that was in force then."""

    cost_model: CostModelOut
    threshold: Threshold
    high_from: HighFrom
    decline_from: float | None = Field(
        description="scores from here on are declined; null: nothing is"
    )
    explore: ExploreOut | None = Field(description="randomised approvals; null: there are none")


_PROPOSED: JsonDict = {**POLICY_EXAMPLE, "decline_from": None, "explore": None}
_PROPOSAL: JsonDict = {
    "id": 3,
    "status": "open",
    "policy": {**_PROPOSED, "threshold": 0.05},
    "before": _PROPOSED,
    "reason": "Too many false alarms.",
    "proposed_by": "ruth",
    "proposed_at": "2026-01-31T12:00:00+00:00",
    "decided_by": None,
    "decided_at": None,
    "note": None,
    "policy_id": None,
}


class PolicyProposalOut(BaseModel):
    """A policy that waits for a second person's approval, or waited."""

    model_config = ConfigDict(json_schema_extra={"example": _PROPOSAL})

    id: int
    status: Status = Field(
        description="open: it waits; replaced: it was outdated when another one was proposed"
    )
    policy: ProposedPolicy | None = Field(
        description="what is proposed; null: the policy of the version in production again"
    )
    before: ProposedPolicy = Field(description="what was in force when it was proposed")
    reason: str | None = Field(description="in the words of who proposed it")
    proposed_by: str = Field(description="name of the API key, or of the person")
    proposed_at: Timestamp
    decided_by: str | None = Field(description="who approved, refused or replaced it; null: nobody")
    decided_at: Timestamp | None
    note: str | None = Field(description="in the words of who decided")
    policy_id: int | None = Field(description="`id` of the policy that its approval put in force")


class PolicyProposalsReply(BaseModel):
    """The latest proposals, the latest first."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"four_eyes": True, "proposals": [_PROPOSAL]}}
    )

    four_eyes: bool = Field(
        description="a policy is in force only after a second person's approval"
    )
    proposals: list[PolicyProposalOut] = Field(description="at most 50; only the first may be open")


class DecisionIn(BaseModel):
    """Why a proposal is approved or refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    note: Reason | None = None
