"""FeatureDefinition: one input of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["increasing", "decreasing"]


@dataclass(frozen=True, slots=True)
class FeatureDefinition:
    """One input of a model.

    Attributes:
        name: name in replies, rows and plots; a letter or `_`, then letters, digits and `_`, at
            most 64 characters.
        expression: text in the language of `scoring.expressions`.
        description: phrase for an analyst, with the unit, or None.
        words: words for the values 0, 1, 2 ..., where these are codes; None for a quantity.
        monotone: direction in which the score may move as the value rises and all other features
            stay; None for any.
    """

    name: str
    expression: str
    description: str | None = None
    words: tuple[str, ...] | None = None
    monotone: Direction | None = None
