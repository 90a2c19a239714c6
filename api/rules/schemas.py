"""Wire schemas of rules and snoozes: the bodies and the replies."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.written_parts import EntityValue, Moment, Reason
from persistence.labels.reader import MATURITY_DAYS
from persistence.rules.figures import MAX_HITS
from scoring.expressions.checking.source import MAX_LENGTH
from scoring.policy import Outcome
from scoring.rules.rule import DEFAULT_PRIORITY, MAX_NAME_LENGTH, MAX_PRIORITY, RuleState
from web.schemas import Timestamp

Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_NAME_LENGTH,
        pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$",
        description="for people; no other rule has it",
    ),
]
Condition = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_LENGTH,
        description="in the language of features, with `score`, `feature('name')` and "
        "`in_list('name', FIELD)`; kept in canonical form",
    ),
]
State = Annotated[
    RuleState,
    Field(description="`live`: it acts; `shadow`: it is evaluated and stored only; `off`: neither"),
]
Priority = Annotated[
    int,
    Field(
        ge=0,
        le=MAX_PRIORITY,
        description="place among the rules with the same action, the smallest first",
    ),
]
Action = Annotated[
    Outcome, Field(description="outcome of a payment for which the condition is true")
]
Entity = Annotated[str, Field(min_length=1, max_length=40, description="kind of entity")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RuleIn(_Request):
    """A new rule."""

    name: Name
    condition: Condition
    action: Action
    state: State | None = Field(default=None, description="left out: `shadow`")
    priority: Priority | None = Field(default=None, description=f"left out: {DEFAULT_PRIORITY}")


class RuleChangeIn(_Request):
    """Another version of a rule; a member left out stays as it is."""

    version: int = Field(ge=1, description="version that you read and change")
    name: Name | None = None
    condition: Condition | None = None
    action: Action | None = None
    state: State | None = None
    priority: Priority | None = None


class SnoozeIn(_Request):
    """A time during which a rule does not act on the payments of one entity."""

    entity: Entity
    value: EntityValue
    until: Moment = Field(description="RFC 3339 with an offset, later than now")
    reason: Reason


class RuleOut(BaseModel):
    """A version of a rule."""

    id: int
    version: int
    name: str
    condition: str = Field(description="in canonical form")
    action: Action
    state: State
    priority: Priority
    actor: str = Field(description="who made this version")
    created_at: Timestamp = Field(description="since when it is in force")


class SnoozeOut(BaseModel):
    """A snooze that has not ended."""

    id: int
    rule_id: int
    entity: str
    value: str
    until: Timestamp
    reason: str
    actor: str
    created_at: Timestamp


class RuleDayOut(BaseModel):
    """What a rule did on one day in UTC, in any version."""

    day: date
    fires: int = Field(description="decisions in which it fired live")
    shadow: int = Field(description="decisions in which it fired in shadow")
    decided: int = Field(description="decisions that it decided")
    labelled: int = Field(description="of all in which it fired, those with a label")
    frauds: int = Field(description="known frauds among them")
    is_mature: bool = Field(
        description=f"the day is {MATURITY_DAYS:g} days ago, by which most chargebacks have come "
        "in; before that frauds, which are reported first, weigh too much"
    )
    precision: float | None = Field(description="frauds / labelled; null without a label")
    saved: float | None = Field(
        description="money that its known hits save against approving them, at your costs and the "
        "rule's action now; negative: what it costs; null without a policy in force"
    )


class RuleInForceOut(RuleOut):
    """The version of a rule that is in force."""

    problem: str | None = Field(
        description="why it does not fit your event type, the version in production or your lists, "
        "so that it fails for every payment; null: it fits"
    )
    snoozes: list[SnoozeOut] = Field(description="the one that ends first first")
    days: list[RuleDayOut] = Field(description="on which it fired, the oldest first")


class RulesOut(BaseModel):
    """Every rule, in the order in which they decide: approve, decline, review, then off."""

    rules: list[RuleInForceOut]
    truncated: bool = Field(
        description=f"more than {MAX_HITS:,} decisions of these days have a hit; `days` count the "
        "latest"
    )


class RuleDetailOut(BaseModel):
    """Every version of a rule, the newest first; the first is in force."""

    versions: list[RuleOut]
    snoozes: list[SnoozeOut]


class RulesQuery(BaseModel):
    """Which days the figures have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    window_days: int = Field(default=30, ge=1, le=365, description="days until now")


class EndedOut(BaseModel):
    """What was ended."""

    ended: Literal[True]
