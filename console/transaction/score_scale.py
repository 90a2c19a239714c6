"""The score of a decision between the thresholds that were in force."""

from __future__ import annotations

from dataclasses import dataclass

from console.scales import Scale, Tick, log_odds
from scoring.prediction import Prediction

_ENDS = 0.0001
"""Probabilities nearer to 0 or 1 than this are drawn at the ends."""


@dataclass(frozen=True, slots=True)
class ScoreScale:
    """Positions on an axis of the log-odds of probabilities.

    Attributes:
        score: score.
        review: threshold from which the policy reviews.
        decline: threshold from which it declines; None: it declines nothing.
    """

    score: Tick
    review: Tick
    decline: Tick | None


def score_scale(prediction: Prediction) -> ScoreScale:
    """Return the scale of a decision, as scored."""
    scale = Scale(log_odds(_ENDS), log_odds(1 - _ENDS))

    def tick(probability: float) -> Tick:
        return scale.tick(log_odds(min(max(probability, _ENDS), 1 - _ENDS)), probability)

    decline = prediction.decline_threshold
    return ScoreScale(
        tick(prediction.score),
        tick(prediction.threshold),
        None if decline is None else tick(decline),
    )
