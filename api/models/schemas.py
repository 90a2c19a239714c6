"""Wire schemas of the tuner and the model versions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.models.policy_schemas import (
    POLICY_EXAMPLE,
    CostModelOut,
    Costs,
    HighFrom,
    PolicyOut,
    Threshold,
)
from api.models.threshold_tuning import MAX_POINTS
from api.written_parts import Reason
from persistence.labels.reader import MATURITY_DAYS
from web.schemas import Absent, Instant, ModelOut, Timestamp, WindowOut

MAX_DAYS = 3650.0
WINDOW_DAYS = 90.0
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

_POINT: JsonDict = {
    "threshold": 0.05,
    "alerts": 1210,
    "alerts_per_day": 13.4,
    "caught": 54,
    "missed": 3,
    "false_alarms": 1156,
    "net_savings": 48220.0,
}
_BEST_POINT: JsonDict = {
    **_POINT,
    "threshold": 0.03,
    "alerts": 1502,
    "alerts_per_day": 16.7,
    "caught": 56,
    "missed": 1,
    "false_alarms": 1446,
    "net_savings": 48770.0,
}
_PAIR: JsonDict = {
    "threshold": 0.03,
    "decline_from": 0.9,
    "reviews_per_day": 15.9,
    "declines_per_day": 0.8,
    "caught": 56,
    "missed": 1,
    "false_alarms": 1443,
    "false_declines": 3,
    "net_savings": 48770.0,
}
_VERSION: JsonDict = {
    "model": {"name": "fraud-demo", "version": 3},
    **POLICY_EXAMPLE,
    "calibrator": "sigmoid",
    "first_served_at": "2026-01-02T09:00:00+00:00",
}


_APPROVAL: JsonDict = {
    "model": {"name": "fraud-demo", "version": 4},
    "actor": "ruth",
    "note": "Compared on September: 12 more frauds for 40 more reviews a day.",
    "at": "2026-01-03T09:00:00+00:00",
}


def _past(moment: datetime) -> datetime:
    if not _EARLIEST <= moment <= datetime.now(UTC):
        raise ValueError("must be a time from 1970 until now")
    return moment


PastInstant = Annotated[Instant, AfterValidator(_past)]


class MaturedQuery(BaseModel):
    """Which decisions are looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    maturity_days: float = Field(
        default=MATURITY_DAYS,
        ge=0,
        le=MAX_DAYS,
        allow_inf_nan=False,
        description="only decisions at least so old: until then chargebacks come in",
    )
    window_days: float = Field(
        default=WINDOW_DAYS,
        gt=0,
        le=MAX_DAYS,
        allow_inf_nan=False,
        description="how much older than that at most",
    )
    as_of: PastInstant | Absent = Field(
        default=None,
        description="with the labels that were known at this time, on decisions that were so old "
        "then (ISO 8601); left out: now",
    )


Limit = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class TunerQuery(Costs, MaturedQuery):
    """Which decisions, and what errors cost; a cost left out is the one in force."""

    max_reviews_per_day: Limit | Absent = Field(
        default=None, description="limit of `pairs.best`; left out: none"
    )
    max_declines_per_day: Limit | Absent = Field(
        default=None, description="limit of `pairs.best`; left out: none"
    )


class PointOut(BaseModel):
    """What reviewing from a threshold on would have done."""

    threshold: float
    alerts: int = Field(description="transactions reviewed")
    alerts_per_day: float
    caught: int = Field(description="frauds among them")
    missed: int = Field(description="frauds approved")
    false_alarms: int = Field(description="honest transactions reviewed")
    net_savings: float = Field(description="money saved against approving everything")


class PairOut(BaseModel):
    """What reviewing from one threshold on and declining from another would have done."""

    threshold: float
    decline_from: float | None = Field(description="null: nothing is declined")
    reviews_per_day: float
    declines_per_day: float
    caught: int = Field(description="frauds reviewed or declined")
    missed: int = Field(description="frauds approved")
    false_alarms: int = Field(description="honest payments reviewed")
    false_declines: int = Field(description="honest payments declined")
    net_savings: float = Field(description="money saved against approving everything")


class PairsOut(BaseModel):
    """What two thresholds would have done."""

    current: PairOut = Field(description="those in force")
    best: PairOut = Field(
        description="the largest net savings within the limits, the lucky spike of this sample "
        "included"
    )
    grid: list[PairOut] = Field(description="by rising thresholds")


class _Matured(BaseModel):
    as_of: Timestamp = Field(
        description="`as_of` of the request, or when the decisions were read; up to 30 s ago"
    )
    window: WindowOut
    matured: int = Field(description="decisions looked at, escalated ones left out")
    labelled: int = Field(description="those with a label that counts")
    presumed_honest: int = Field(description="decisions without one")
    unknown: int = Field(
        description="reviews of which nobody knows what they were; payments that were approved at "
        "random stand for them in every figure. 0 without the policy's `explore`"
    )
    frauds: int = Field(description="among the labelled ones, each counted once")
    truncated: bool = Field(description="there were more; the latest 50,000 were looked at")
    cost_model: CostModelOut = Field(description="what the money is reckoned with")
    selection_bias: str = Field(description="what the labels cannot say")


class TunerReply(_Matured):
    """What each threshold would have done, on matured decisions at the scores as stored."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "as_of": "2026-01-31T12:00:00+00:00",
                "window": {"from": "2025-10-03T12:00:00+00:00", "to": "2026-01-01T12:00:00+00:00"},
                "matured": 48210,
                "labelled": 1630,
                "presumed_honest": 46580,
                "unknown": 0,
                "frauds": 57,
                "truncated": False,
                "cost_model": POLICY_EXAMPLE["cost_model"],
                "selection_bias": "Analysts review mostly flagged transactions...",
                "current": _POINT,
                "best": _BEST_POINT,
                "suggested": _BEST_POINT,
                "curve": [_BEST_POINT, _POINT],
                "note": None,
                "pairs": {"current": _PAIR, "best": _PAIR, "grid": [_PAIR]},
            }
        }
    )

    current: PointOut | None = Field(description="the threshold in force")
    best: PointOut | None = Field(
        description="the largest net savings, the lucky spike of this sample included"
    )
    suggested: PointOut | None = Field(
        description="what training would choose: of the thresholds within one average fraud of "
        "`best`, the one nearest to the fraud rate"
    )
    curve: list[PointOut] = Field(
        max_length=MAX_POINTS,
        description="by rising threshold, the three above among them; thinned to be dense where "
        "alerts are few",
    )
    note: str | None = Field(description="why there is no curve, or what it says against itself")
    pairs: PairsOut | None = Field(description="review and decline thresholds; null as the curve")


class IntervalOut(BaseModel):
    """A figure and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


class FiguresOut(BaseModel):
    """How one version did on the same transactions."""

    model: ModelOut
    net_savings: IntervalOut = Field(description="money saved against approving everything")
    alerts: IntervalOut
    caught: IntervalOut
    missed: IntervalOut
    false_alarms: IntervalOut
    ece: IntervalOut = Field(description="expected calibration error, 0 to 1")
    log_loss: IntervalOut = Field(description="nats")
    brier: IntervalOut


class ComparisonOut(_Matured):
    """Champion against challenger on the matured decisions that both scored."""

    agreement: float = Field(description="share of equal decisions, 0 to 1")
    champion: FiguresOut
    challenger: FiguresOut
    difference: IntervalOut = Field(description="net savings of the challenger over the champion")
    is_better: bool = Field(description="the whole interval of the difference is above 0")


class VersionOut(BaseModel):
    """A model version that has served, be it in shadow, with its own policy."""

    model: ModelOut
    cost_model: CostModelOut
    threshold: Threshold
    high_from: HighFrom
    calibrator: str = Field(description="uncalibrated, sigmoid, beta or isotonic")
    first_served_at: Timestamp


class ProductionOut(VersionOut):
    """The version in production."""

    since: Timestamp


class ChallengerOut(ProductionOut):
    """The version under the alias `challenger`."""

    canary_percent: float = Field(description="share of accounts it decides for, 0 to 100")


class RefusalOut(BaseModel):
    """A version that must not serve."""

    model: ModelOut
    reason: str
    at: Timestamp
    awaits_approval: bool = Field(
        description="it failed no check; a second person has to approve it"
    )


class ApprovalIn(BaseModel):
    """Why a version may serve."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    note: Reason | None = None


class ApprovalOut(BaseModel):
    """A person's approval of a version."""

    model_config = ConfigDict(json_schema_extra={"example": _APPROVAL})

    model: ModelOut
    actor: str = Field(description="name of the API key that approved it")
    note: str | None = Field(description="reason in the person's words")
    at: Timestamp = Field(description="of the person's first approval of the version")


class ModelsReply(BaseModel):
    """What serves, what challenges it, what served before, and what was refused."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "production": {**_VERSION, "since": "2026-01-02T09:00:00+00:00"},
                "challenger": None,
                "policy": {
                    "source": "model",
                    **POLICY_EXAMPLE,
                    "decline_from": None,
                    "explore": None,
                    "id": None,
                    "since": "2026-01-02T09:00:00+00:00",
                    "actor": "mlflow",
                    "version_policy": {
                        **POLICY_EXAMPLE,
                        "model": {"name": "fraud-demo", "version": 3},
                    },
                },
                "versions": [_VERSION],
                "refusals": [
                    {
                        "model": {"name": "fraud-demo", "version": 2},
                        "reason": "calibrator.json is missing",
                        "at": "2026-01-01T09:00:00+00:00",
                        "awaits_approval": False,
                    }
                ],
                "four_eyes": False,
                "approvals": [_APPROVAL],
                "comparison": None,
                "note": "No model version is under the alias `challenger`.",
            }
        }
    )

    production: ProductionOut | None
    challenger: ChallengerOut | None
    policy: PolicyOut | None = Field(description="in force; null without a production version")
    versions: list[VersionOut] = Field(description="the latest to come first")
    refusals: list[RefusalOut] = Field(
        description="the latest 50, latest first; GET /audit?action=refusal.created pages through "
        "all of them"
    )
    four_eyes: bool = Field(
        description="a version serves only after a second person's POST /models/{version}/approve"
    )
    approvals: list[ApprovalOut] = Field(description="the latest 50, latest first")
    comparison: ComparisonOut | None
    note: str | None = Field(description="why there is no comparison")
