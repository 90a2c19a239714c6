"""Wire schemas of a backtest: the body and the reply."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.lists.schemas import MAX_ENTRIES_A_REQUEST, ListName
from api.models.policy_schemas import CostModelOut
from api.models.schemas import IntervalOut
from api.rules.schemas import Action, Condition, Entity
from api.written_parts import EntityValue, Moment
from persistence.labels.reader import MATURITY_DAYS
from scoring.lists.entity_list import ListAction
from scoring.policy import Outcome
from scoring.rules.rule import MAX_RULES
from scoring.rules.verdict import Decider
from web.schemas import Timestamp

MAX_DAYS = 3650
WINDOW_DAYS = 90.0
Days = Annotated[float, Field(ge=0, le=MAX_DAYS, allow_inf_nan=False)]
Threshold = Annotated[float, Field(gt=0, lt=1)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RuleTriedIn(_Request):
    """A rule as if it had been live."""

    condition: Condition
    action: Action


class ListTriedIn(_Request):
    """A list as if it had been in force: `entity` and `values`, or the `name` of a stored one."""

    action: ListAction
    entity: Entity | None = None
    values: list[EntityValue] | None = Field(
        default=None, min_length=1, max_length=MAX_ENTRIES_A_REQUEST
    )
    name: ListName | None = Field(default=None, description="of a list in force")
    fields: list[str] | None = Field(default=None, min_length=1, max_length=500)

    @model_validator(mode="after")
    def _given_or_named(self) -> ListTriedIn:
        given = [self.entity is not None, self.values is not None]
        if any(given) if self.name is not None else not all(given):
            raise ValueError("give entity and values, or the name of a list alone")
        return self


class ThresholdsTriedIn(_Request):
    """Thresholds at which the model would have decided."""

    threshold: Threshold = Field(description="scores from here on are reviewed")
    decline_from: Threshold | None = Field(
        default=None, description="scores from here on are declined, >= threshold; null: none"
    )


RulesTried = Annotated[list[RuleTriedIn], Field(min_length=1, max_length=MAX_RULES)]


class BacktestIn(_Request):
    """What is tried, and on which decisions.

    One of `rule`, `rules`, `list`, `thresholds` and `version`.
    """

    rule: RuleTriedIn | None = Field(default=None, description="beside what was in force")
    rules: RulesTried | None = Field(
        default=None,
        description="in place of all rules that there were, beside the lists in force now; of one "
        "action they decide in this order",
    )
    list: ListTriedIn | None = Field(default=None, description="beside what was in force")
    thresholds: ThresholdsTriedIn | None = Field(
        default=None, description="what lists and rules decided stays"
    )
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(
        default=None,
        description="number of a model version, as if it had decided what the model did: by the "
        "scores that it gave, in production or as challenger, and by the policy in force at each "
        "decision; what lists and rules decided stays",
    )
    maturity_days: Days | None = Field(
        default=None,
        description=f"only decisions at least so old; left out: {MATURITY_DAYS:g}, by which most "
        "chargebacks have come in",
    )
    window_days: Annotated[float, Field(gt=0, le=MAX_DAYS, allow_inf_nan=False)] | None = Field(
        default=None, description=f"how much older than that at most; left out: {WINDOW_DAYS:g}"
    )
    as_of: Moment | None = Field(
        default=None, description="with the labels that were known at this time; left out: now"
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> BacktestIn:
        tried = [self.rule, self.rules, self.list, self.thresholds, self.version]
        if sum(one is not None for one in tried) != 1:
            raise ValueError("give exactly one of rule, rules, list, thresholds and version")
        return self


class TotalsOut(BaseModel):
    """The results of outcomes, each with its 95 % interval."""

    savings: IntervalOut = Field(description="money saved against approving everything")
    reviews: IntervalOut
    declines: IntervalOut
    caught: IntervalOut = Field(description="frauds reviewed or declined")
    missed: IntervalOut = Field(description="frauds approved")
    false_alarms: IntervalOut = Field(description="honest payments reviewed")
    false_declines: IntervalOut = Field(description="honest payments declined")


class DifferenceOut(BaseModel):
    """What is tried against what was decided, from paired resamples."""

    saved: IntervalOut = Field(description="money that it saves more")
    frauds_stopped: IntervalOut
    frauds_let_pass: IntervalOut
    honest_stopped: IntervalOut
    honest_let_pass: IntervalOut


class OverlapOut(BaseModel):
    """Payments of the rule or list that something else gave one outcome."""

    decider: Decider
    id: int = Field(description="of the list or of the rule; 0 for the model")
    outcome: Outcome
    payments: int
    frauds: int = Field(description="known frauds among them")


class FiringOut(BaseModel):
    """Where the rule or list fires."""

    fires: int
    labelled: int
    unseen: int = Field(description="stopped and without a label, so presumed honest")
    frauds: IntervalOut
    honest: IntervalOut
    precision: IntervalOut | None = Field(description="share of frauds; null: nothing counts")
    overlap: list[OverlapOut] = Field(description="what was decided of them, and by what")


class DayOut(BaseModel):
    """The decisions of one day in UTC."""

    day: date
    decisions: int
    changed: int
    reviews_before: int
    declines_before: int
    reviews: int
    declines: int
    fires: int
    labelled_fires: int
    fraud_fires: int
    saved: float


class ExampleOut(BaseModel):
    """A payment that the rule or list hits, or that would be decided otherwise."""

    transaction_id: UUID
    decided_at: Timestamp
    amount: float | None
    score: float
    decided: Outcome
    tried: Outcome
    is_fraud: bool | None = Field(description="null: nobody knows")


class SuggestionsQuery(BaseModel):
    """Which decisions rules are learned from and tried on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    maturity_days: Days = Field(default=MATURITY_DAYS, description="only decisions at least so old")
    window_days: Annotated[float, Field(gt=0, le=MAX_DAYS, allow_inf_nan=False)] = Field(
        default=WINDOW_DAYS, description="how much older than that at most"
    )


class SuggestionOut(BaseModel):
    """A suggested review rule, with its figures on decisions that had no part in its choice."""

    condition: str
    firing: FiringOut
    difference: DifferenceOut = Field(description="as if the rule had been live")
    has_few_frauds: bool
    examples: list[ExampleOut]


class SuggestionsOut(BaseModel):
    """Up to three rules for what the model approves, from the earlier two thirds of decisions."""

    rules: list[SuggestionOut] = Field(description="in the order in which they were found")
    note: str | None = Field(description="why there are fewer than three")
    earlier: int = Field(description="decisions that the rules were learned from")
    earlier_frauds: int = Field(description="frauds among them that the model approved")
    later: int = Field(description="decisions that the figures are of")


class BacktestOut(BaseModel):
    """What is tried, on stored decisions with their labels.

    Figures with an interval presume a payment without a label to be honest; counts are of known
    labels.
    """

    as_of: Timestamp
    from_: Timestamp = Field(serialization_alias="from", description="the oldest decision")
    to: Timestamp = Field(description="the newest decision")
    decisions: int
    labelled: int
    frauds: int
    truncated: bool = Field(description="there were more; the latest were looked at")
    unknown: int = Field(
        description="decisions for which a condition had no value: a field, a feature or a window "
        "is missing. A window is known where a rule with it was live or in shadow"
    )
    unscored: int = Field(
        description="decisions that the version tried did not score; they are left out of all "
        "other figures"
    )
    cost_model: CostModelOut = Field(description="what the money is reckoned with")
    decided: TotalsOut
    tried: TotalsOut
    difference: DifferenceOut
    has_few_frauds: bool = Field(
        description="the difference rests on fewer frauds than its interval needs"
    )
    changes: list[list[int]] = Field(
        description="payments by what was decided, then by what is tried: approve, review, decline"
    )
    fraud_changes: list[list[int]] = Field(description="known frauds, likewise")
    firing: FiringOut | None = Field(description="null of `rules`, `thresholds` and `version`")
    days: list[DayOut] = Field(description="the oldest first")
    examples: list[ExampleOut] = Field(description="up to twenty payments")
