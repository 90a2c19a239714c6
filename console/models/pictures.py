"""Pictures of what scores would have done: money by threshold, precision by recall, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.models.threshold_tuning import Tuning
from console.models.axes import Axis, ScoreAxis, linear_axis, path, score_axis
from scoring.evaluation.cost_curve import Outcome
from scoring.evaluation.probability_metrics import CalibrationBin
from scoring.policy import Thresholds

WIDTH, HEIGHT = 560, 250
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 34, 30
"""Margins of the area of a picture, SVG units."""
_LOSS_SHOWN = 0.5
"""Losses are shown down to this share of the largest savings; below, the curve leaves the area."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A threshold on the axis of scores.

    Attributes:
        name: `in_force` or `proposed`.
        kind: `review` or `decline`.
        score: threshold.
        x: position, SVG units.
    """

    name: str
    kind: str
    score: float
    x: float


@dataclass(frozen=True, slots=True)
class CostPicture:
    """Net savings of reviewing from each score on.

    Attributes:
        x: axis of scores.
        y: axis of money.
        line: points of the curve.
        marks: thresholds.
        best: outcome with the largest savings.
    """

    x: ScoreAxis
    y: Axis
    line: str
    marks: list[Mark]
    best: Outcome


@dataclass(frozen=True, slots=True)
class PrecisionPicture:
    """Precision by recall.

    Attributes:
        x: axis of recall.
        y: axis of precision.
        line: points of the curve.
        current: outcome at the threshold in force; None where it reviews nothing.
    """

    x: Axis
    y: Axis
    line: str
    current: Outcome | None


@dataclass(frozen=True, slots=True)
class CalibrationPicture:
    """Observed by predicted fraud rates.

    Attributes:
        x: axis of the predicted rate.
        y: axis of the observed rate.
        diagonal: points of the line on which both are equal.
        bins: bins of scores.
    """

    x: ScoreAxis
    y: ScoreAxis
    diagonal: str
    bins: list[CalibrationBin]


def cost_picture(
    tuning: Tuning, in_force: Thresholds, proposed: Thresholds | None = None
) -> CostPicture:
    """Return the picture of a cost curve with the thresholds in force, and proposed ones."""
    marks = [("in_force", in_force), *([("proposed", proposed)] if proposed else [])]
    named = [
        (name, kind, score)
        for name, thresholds in marks
        for kind, score in (("review", thresholds.review), ("decline", thresholds.decline))
        if score is not None
    ]
    x = _scores([*(o.threshold for o in tuning.curve), *(score for *_, score in named)])
    savings = [outcome.savings for outcome in tuning.curve]
    highest = max([0.0, *savings])
    lowest = min([0.0, *savings])
    y = linear_axis(
        max(lowest, -_LOSS_SHOWN * highest) if highest else lowest, highest, HEIGHT - BOTTOM, TOP
    )
    return CostPicture(
        x,
        y,
        path((x.at(outcome.threshold), y.at(outcome.savings)) for outcome in tuning.curve),
        [Mark(name, kind, score, x.at(score)) for name, kind, score in named],
        tuning.best,
    )


def precision_picture(tuning: Tuning) -> PrecisionPicture:
    """Return the picture of precision by recall at the thresholds of a cost curve."""
    x = linear_axis(0, 1, LEFT, WIDTH - RIGHT)
    y = linear_axis(0, 1, HEIGHT - BOTTOM, TOP)
    flagged = [outcome for outcome in tuning.curve if outcome.flagged]
    points = sorted((recall(outcome), precision(outcome)) for outcome in flagged)
    current = tuning.current if tuning.current.flagged else None
    return PrecisionPicture(x, y, path((x.at(r), y.at(p)) for r, p in points), current)


def calibration_picture(bins: Sequence[CalibrationBin]) -> CalibrationPicture:
    """Return the picture of predicted and observed fraud rates."""
    shown = [rate for one in bins for rate in (one.predicted, one.low, one.high)]
    x, across = _scores(shown), _scores(shown)
    axis = across.log_odds
    y = ScoreAxis(Axis(axis.low, axis.high, HEIGHT - BOTTOM, TOP, ()), across.ticks)
    ends = (across.ticks[0], across.ticks[-1])
    return CalibrationPicture(x, y, path((x.at(end), y.at(end)) for end in ends), list(bins))


def precision(outcome: Outcome) -> float:
    """Return the share of frauds among the reviewed transactions, of which there are some."""
    return outcome.caught / outcome.flagged


def recall(outcome: Outcome) -> float:
    """Return the share of the frauds that are reviewed."""
    return outcome.caught / max(1, outcome.caught + outcome.missed)


def _scores(scores: Sequence[float]) -> ScoreAxis:
    return score_axis(scores, LEFT, WIDTH - RIGHT)
