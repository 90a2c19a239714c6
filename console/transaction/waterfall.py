"""The waterfall from the model's base value over every contribution to the margin of a payment."""

from __future__ import annotations

import math
from dataclasses import dataclass

from console.scales import Scale, Tick, probability_of, probability_ticks
from scoring.prediction import Prediction

MAX_STEPS = 14
"""Contributions with a step of their own; the smaller ones are one step together."""
_VISIBLE = 0.008
"""Share of the width below which a step cannot be seen."""
_MARGIN = 0.06
"""Share of the width that stays empty at both ends."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step from one sum of contributions to the next.

    Attributes:
        features: places of its features in the version's order: one, or those that are together.
        contribution: log-odds that it adds.
        start: log-odds before it.
        end: log-odds after it.
        left: left end of its bar, in percent of the width.
        width: width of its bar, in percent of the width.
        start_at: position of `start`.
        end_at: position of `end`.
    """

    features: tuple[int, ...]
    contribution: float
    start: float
    end: float
    left: float
    width: float
    start_at: float
    end_at: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The steps of one prediction, the largest first.

    Attributes:
        base_value: log-odds of the model's average training transaction.
        margin: log-odds of the payment.
        base_at: position of the base value in percent of the width.
        margin_at: position of the margin.
        base_probability: sigmoid of the base value.
        steps: steps with one feature each.
        rest: step of the small contributions together; None where none is small.
        ticks: probabilities before calibration along the axis.
    """

    base_value: float
    margin: float
    base_at: float
    margin_at: float
    base_probability: float
    steps: tuple[Step, ...]
    rest: Step | None
    ticks: tuple[Tick, ...]


def waterfall(prediction: Prediction) -> Waterfall:
    """Return the waterfall of a prediction.

    Args:
        prediction: decision as it was made; base value and contributions sum to its margin.
    """
    contributions = prediction.contributions
    order = prediction.top_features(len(contributions))
    sums = [prediction.base_value]
    for place in order:
        sums.append(sums[-1] + contributions[place])
    ends = (*sums, prediction.margin)
    span = max(max(ends) - min(ends), 0.1)
    scale = Scale(min(ends) - span * _MARGIN, max(ends) + span * _MARGIN)
    shown = [place for place in order[:MAX_STEPS] if abs(contributions[place]) >= span * _VISIBLE]
    if len(order) - len(shown) == 1 and len(order) <= MAX_STEPS:
        shown = order  # one alone is named
    steps: list[Step] = []
    running = prediction.base_value
    for place in shown:
        steps.append(_step(scale, (place,), contributions[place], running))
        running = steps[-1].end
    small = tuple(order[len(shown) :])
    rest = None
    if small:
        together = math.fsum(contributions[place] for place in small)
        rest = _step(scale, small, together, running)
    return Waterfall(
        base_value=prediction.base_value,
        margin=prediction.margin,
        base_at=scale.at(prediction.base_value),
        margin_at=scale.at(prediction.margin),
        base_probability=probability_of(prediction.base_value),
        steps=tuple(steps),
        rest=rest,
        ticks=probability_ticks(scale, 24),
    )


def _step(scale: Scale, features: tuple[int, ...], contribution: float, start: float) -> Step:
    end = start + contribution
    start_at, end_at = scale.at(start), scale.at(end)
    return Step(
        features=features,
        contribution=contribution,
        start=start,
        end=end,
        left=min(start_at, end_at),
        width=round(max(abs(end_at - start_at), 0.4), 2),
        start_at=start_at,
        end_at=end_at,
    )
