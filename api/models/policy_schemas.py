"""The wire of policies: what an administrator changes, and what is in force."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from scoring.policy import CostModel, Policy
from scoring.transaction import MAX_AMOUNT
from web.problems import named
from web.schemas import ModelOut


def _kept() -> float:
    """Stand for a member that was not sent: what is in force stays."""
    return math.nan


Cost = Annotated[float, Field(ge=0, le=MAX_AMOUNT, allow_inf_nan=False)]
Probability = Annotated[float, Field(gt=0, lt=1)]

POLICY_EXAMPLE: JsonDict = {
    "threshold": 0.03,
    "high_from": 0.5,
    "cost_model": {"missed_fraud": 1000.0, "missed_fraud_share": 0.0, "false_alarm": 5.0},
}


class Costs(BaseModel):
    """What the two errors cost, in the tenant's currency; a member left out stays as it is."""

    missed_fraud: Cost = Field(default_factory=_kept, description="money a missed fraud costs")
    missed_fraud_share: Cost = Field(
        default_factory=_kept, description="share of its amount that a missed fraud costs besides"
    )
    false_alarm: Cost = Field(
        default_factory=_kept, description="money a review of an honest one costs"
    )

    def on(self, current: CostModel, *path: str) -> CostModel:
        """Return the costs with what is given here in place of `current`'s.

        Args:
            current: gives the rest.
            path: of these members, for errors.

        Raises:
            InvalidRequest: a missed fraud or a false alarm would be free; names one.
        """
        changes = self.model_dump(include=set(Costs.model_fields), exclude_unset=True)
        try:
            return replace(current, **changes)
        except ValueError as error:
            free = "false_alarm" if changes.get("false_alarm") == 0 else "missed_fraud"
            raise named([((*path, free), str(error))]) from error


class CostModelIn(Costs):
    """What the two errors cost, in your currency; a member left out stays as it is in force."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, json_schema_extra={"minProperties": 1}
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
        default_factory=_kept, description="scores from here on are reviewed"
    )
    high_from: Probability = Field(
        default_factory=_kept,
        description="scores from here on are in the band `high`; >= threshold; left out, it is "
        "raised to the threshold where that passes it",
    )
    cost_model: CostModelIn = Field(
        default_factory=CostModelIn,
        description="what errors cost; without `threshold`, it becomes the one at which a review "
        "and an approval cost the same: false_alarm / (false_alarm + missed_fraud)",
    )

    def on(self, current: Policy) -> Policy:
        """Return the policy with what is given here in place of `current`'s.

        Raises:
            InvalidRequest: nothing is given, or it cannot go together; names the field.
        """
        given = self.model_fields_set
        if not given:
            raise named([((), "must have at least one of threshold, high_from, cost_model")])
        if "cost_model" in given and not self.cost_model.model_fields_set:
            raise named([(("cost_model",), "must have at least one cost")])
        costs = self.cost_model.on(current.cost_model, "cost_model")
        threshold = current.threshold
        if "threshold" in given:
            threshold = self.threshold
        elif "cost_model" in given:
            threshold = self._break_even(costs)
        high_from = max(current.high_from, threshold)
        if "high_from" in given:
            high_from = self.high_from
            if high_from < threshold:
                message = f"must be >= threshold, which is {threshold:.6g}"
                raise named([(("high_from",), message)])
        return Policy(costs, threshold, high_from)

    @staticmethod
    def _break_even(costs: CostModel) -> float:
        try:
            threshold = costs.break_even()
        except ValueError as error:
            message = (
                f"must be given: {error}; GET /tuner shows what each threshold would have done"
            )
            raise named([(("threshold",), message)]) from error
        if not 0 < threshold < 1:
            message = f"gives a threshold of {threshold:.6g}; it must lie strictly between 0 and 1"
            raise named([(("cost_model",), message)])
        return threshold


class CostModelOut(BaseModel):
    """What the two errors cost, in your currency."""

    missed_fraud: float
    missed_fraud_share: float = Field(description="of its amount, besides")
    false_alarm: float


class PolicyNumbers(BaseModel):
    """How a calibrated probability becomes a decision."""

    threshold: float = Field(description="scores from here on are reviewed")
    high_from: float = Field(description="scores from here on are in the band `high`")
    cost_model: CostModelOut


class VersionPolicy(PolicyNumbers):
    """A model version's own policy, chosen when it was trained."""

    model: ModelOut


class PolicyOut(PolicyNumbers):
    """The policy in force for new decisions; stored ones keep the numbers they were made with."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "source": "tenant",
                **POLICY_EXAMPLE,
                "id": 7,
                "since": "2026-01-31T12:00:00Z",
                "actor": "k3Jd82mQpz",
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
    id: int | None = Field(description="of the tenant's policy; null where the version's own rules")
    since: datetime
    actor: str = Field(
        description="who put it in force: an API key's public prefix; `mlflow` for a promotion"
    )
    version_policy: VersionPolicy | None = Field(
        description="the production version's own, which DELETE /policy goes back to; null without "
        "a production version"
    )
