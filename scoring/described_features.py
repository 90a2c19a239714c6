"""The features of one model version as people read them: names, descriptions and words for codes.

A decision keeps those of the version that made it, so that it reads the same whatever features a
later version or release has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_LISTED_WORDS = 5
"""Words of a range that are listed one by one; every transaction type fits."""


@dataclass(frozen=True, slots=True)
class FeatureDescription:
    """One input of a model, as people read it.

    Attributes:
        name: name in replies, rows and plots.
        description: phrase for an analyst, with the unit.
        words: words for the values 0, 1, 2 ..., where these are codes; None for a quantity.
    """

    name: str
    description: str
    words: tuple[str, ...] | None = None

    @property
    def display_values(self) -> dict[float, str]:
        """What a person reads in place of each code, such as `TRANSFER`; empty for a quantity."""
        return {float(code): word for code, word in enumerate(self.words or ())}

    def display_range(self, low: float | None, high: float | None) -> str | None:
        """Return the codes of a range in words: `CASH_OUT, TRANSFER`, `02:00 to 06:00`.

        Args:
            low: lowest value of the range; None: no lower end.
            high: value above the range; None: no upper end.

        Returns:
            The words of the codes; None for a quantity.
        """
        if not self.words:
            return None
        inside = [
            word
            for code, word in self.display_values.items()
            if (low is None or low <= code) and (high is None or code < high)
        ]
        if len(inside) > MAX_LISTED_WORDS:
            return f"{inside[0]} to {inside[-1]}"
        return ", ".join(inside)


@dataclass(frozen=True, slots=True)
class DescribedFeatures:
    """The features of one model version, in the order of its matrix.

    Attributes:
        features: descriptions in order.
        phrases: for each feature, the function from its value to a phrase about the event; empty
            where its sentences are PaySim's (`scoring/reasons.py`).
        names: names in order.
        display_values: for each feature, what a person reads in place of a code.
    """

    features: tuple[FeatureDescription, ...]
    phrases: tuple[Callable[[float], str], ...] = field(default=(), compare=False, repr=False)
    names: tuple[str, ...] = field(init=False, compare=False)
    display_values: tuple[Mapping[float, str], ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(f.name for f in self.features))
        display_values = tuple(f.display_values for f in self.features)
        object.__setattr__(self, "display_values", display_values)

    def find(self, name: str) -> FeatureDescription | None:
        """Return the description of a feature; None where there is no such feature."""
        return next((feature for feature in self.features if feature.name == name), None)

    def of_names(self, names: Iterable[str]) -> DescribedFeatures:
        """Return the descriptions of exactly these names.

        Those described here come first, in their order; the others follow in the order given, each
        described by its name.
        """
        given = list(names)
        if frozenset(given) == frozenset(self.names):
            return self
        described = [feature for feature in self.features if feature.name in given]
        others = [FeatureDescription(name, name) for name in given if name not in self.names]
        return DescribedFeatures((*described, *others))

    def phrase(self, name: str, value: float) -> str | None:
        """Return what a feature's value says of the event; None where no phrase is known."""
        if not self.phrases or name not in self.names:
            return None
        return self.phrases[self.names.index(name)](value)

    def as_document(self) -> list[dict[str, Any]]:
        """Return the descriptions as JSON-ready values; `described_features` is the inverse."""
        return [
            {"name": f.name, "description": f.description, "words": f.words and list(f.words)}
            for f in self.features
        ]


def described_features(document: Sequence[Mapping[str, Any]]) -> DescribedFeatures:
    """Return the descriptions that `DescribedFeatures.as_document` serialised.

    Args:
        document: result of `as_document`, possibly read from JSON.
    """
    return DescribedFeatures(
        tuple(
            FeatureDescription(f["name"], f["description"], f["words"] and tuple(f["words"]))
            for f in document
        )
    )
