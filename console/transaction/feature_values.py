"""The features of a decision beside what is usual for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from console.formats import MISSING, Formats
from console.reasons import feature_text, word_text
from persistence.review.cases import Case
from scoring.prediction import Prediction

MIN_EARLIER = 5
"""Earlier payments from which on their range says something."""


@dataclass(frozen=True, slots=True)
class FeatureValue:
    """One feature of a decision.

    Attributes:
        name: name in the model.
        description: phrase for a person.
        text: value as a person reads it.
        usual: median of the payments of the training; None where it is not known.
        earlier: lowest and highest value of the payer's earlier payments; None where they are too
            few, or the feature is no quantity.
        is_outside: whether the value lies outside of those.
        contribution: log-odds.
    """

    name: str
    description: str
    text: str
    usual: str | None
    earlier: tuple[str, str] | None
    is_outside: bool
    contribution: float


def feature_values(
    prediction: Prediction, earlier: Sequence[Case], formats: Formats
) -> list[FeatureValue]:
    """Return the features of a decision in the order of its model version.

    Args:
        prediction: decision as it was made.
        earlier: payer's earlier payments that the same version scored.
        formats: how the person sees numbers.
    """
    ranges = _ranges(len(prediction.features), earlier)
    found = []
    for place, feature in enumerate(prediction.described.features):
        value = prediction.features[place]
        usual = prediction.model.usual.get(feature.name)
        span = None if feature.words else ranges[place]
        found.append(
            FeatureValue(
                name=feature.name,
                description=_capital(
                    feature_text(feature.name, feature.description, formats.language)
                ),
                text=_text(prediction, place, value, formats),
                usual=None if usual is None else formats.number(usual, 2),
                earlier=span and (formats.number(span[0], 2), formats.number(span[1], 2)),
                is_outside=span is not None
                and not isnan(value)
                and not span[0] <= value <= span[1],
                contribution=prediction.contributions[place],
            )
        )
    return found


def _ranges(count: int, earlier: Sequence[Case]) -> list[tuple[float, float] | None]:
    columns = [case.decided.prediction.features for case in earlier]
    found: list[tuple[float, float] | None] = []
    for place in range(count):
        known = [values[place] for values in columns if not isnan(values[place])]
        found.append((min(known), max(known)) if len(known) >= MIN_EARLIER else None)
    return found


def _text(prediction: Prediction, place: int, value: float, formats: Formats) -> str:
    if isnan(value):
        return MISSING
    word = prediction.described.display_values[place].get(value)
    if word is not None:
        return word_text(word, formats.language)
    return formats.number(value, 2 if abs(value) >= 1 else 4)


def _capital(phrase: str) -> str:
    return f"{phrase[0].upper()}{phrase[1:]}" if phrase else phrase
