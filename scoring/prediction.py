"""The results of scoring: a scored batch, and the prediction for one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from scoring.columns import FloatArray
from scoring.described_features import DescribedFeatures
from scoring.exploration import Exploration
from scoring.policy import Outcome, RiskBand
from scoring.rules.ruling import Ruling
from scoring.rules.verdict import BY_MODEL

TOP_FEATURES = 5


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """A model's results for n transactions.

    Attributes:
        features: inputs of the model, float64 (n, f).
        margins: log-odds, float64 (n,).
        contributions: log-odds, float64 (n, f); base_value + contributions[i].sum() == margins[i].
        base_value: log-odds of the model's average training transaction.
        raw_probabilities: sigmoids of the margins, before calibration, float64 (n,).
        scores: calibrated probabilities, float64 (n,).
    """

    features: FloatArray
    margins: FloatArray
    contributions: FloatArray
    base_value: float
    raw_probabilities: FloatArray
    scores: FloatArray


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of a registered model.

    Attributes:
        name: registered model's name.
        version: number of the version.
        usual: medians of the payments that it was trained on, by feature name; empty where they are
            not known. Two values with the same name and number are equal.
    """

    name: str
    version: int
    usual: Mapping[str, float] = field(default_factory=dict, compare=False, repr=False)


class Prediction(NamedTuple):
    """One decided transaction, as it is stored and replied.

    A tuple, because creating it takes 0.2 us; a frozen dataclass of as many fields takes 1.0 us.

    Attributes:
        score: calibrated probability of fraud.
        margin: log-odds, base_value + sum(contributions).
        base_value: log-odds of the model's average training transaction.
        raw_probability: sigmoid of the margin, before calibration.
        risk_band: band of the score under the policy.
        decision: outcome at the thresholds, by a rule or a list, or `approve` by chance.
        threshold: threshold of the policy at the time of the decision.
        features: one float for each feature of the version, in its order.
        contributions: log-odds, one float for each feature of the version, in its order.
        model: version that scored the transaction.
        described: names and descriptions of the version's features.
        approval_probability: probability with which a would-be review was approved, also where it
            was not; None where chance had no part in the decision.
        decline_threshold: score from which the policy declines; None: it declines nothing.
        ruling: what rules and lists made of the transaction; None where the tenant has neither.
        unread_windows: windows of past events that could not be read, and were missing to the
            model and to the rules.
    """

    score: float
    margin: float
    base_value: float
    raw_probability: float
    risk_band: RiskBand
    decision: Outcome
    threshold: float
    features: Sequence[float]
    contributions: Sequence[float]
    model: ModelVersion
    described: DescribedFeatures
    approval_probability: float | None = None
    decline_threshold: float | None = None
    ruling: Ruling | None = None
    unread_windows: tuple[str, ...] = ()

    def top_features(self, count: int = TOP_FEATURES) -> list[int]:
        """Return the indices of the `count` largest contributions by absolute value, largest first.

        Ties keep the order of the version's features, so that a stored prediction has one result.
        """
        sizes = list(map(abs, self.contributions))
        return sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True)[:count]

    def ruled(self, ruling: Ruling) -> Prediction:
        """Return the prediction as rules and lists decide it.

        Args:
            ruling: what they make of the transaction.
        """
        return self._replace(decision=ruling.verdict.outcome, ruling=ruling)

    def randomised(
        self, exploration: Exploration, amount: float | None, decision_id: UUID
    ) -> Prediction:
        """Return the prediction as chance decides it: a review of the model may be approved.

        Args:
            exploration: probability and largest amount of a randomised approval.
            amount: amount of the event, money; None without one.
            decision_id: id of the prediction, which draws.
        """
        by_model = self.ruling is None or self.ruling.verdict.decided_by == BY_MODEL
        if self.decision != "review" or not by_model or not exploration.covers(amount):
            return self
        return self._replace(
            decision="approve" if exploration.approves(decision_id) else "review",
            approval_probability=exploration.share,
        )
