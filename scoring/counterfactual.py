"""Counterfactuals: the smallest change of one feature that gives a payment another outcome.

A tree ensemble is constant between the split values of a feature while all other features are held,
so one value from each interval between them is every outcome that this feature can bring about.
Those values of all features are scored as one batch.

The distance of a change is Gower's (Biometrics 27, 1971), with ranks among the model's own split
values in place of the range: the share of the feature's split values that the change passes, and 1
for any other category. It has no unit, so features compare, and it needs nothing but the model.
Wachter, Mittelstadt and Russell (Harvard JOLT 31, 2018) divide by the median absolute deviation,
which is 0 where most payments have the same value; Karimi et al. (AISTATS 2020) and Dandl et al.
(PPSN 2020) take Gower's distance for features of several kinds, as here.

A changed feature is not a changed field: features that are derived from the same field are held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from itertools import pairwise
from math import floor, inf, isnan, nextafter
from typing import Literal, NamedTuple

import numpy as np

from scoring.columns import FloatArray
from scoring.explain.kernel import ZERO_THRESHOLD, Forest
from scoring.explain.treeshap import TOLERANCE
from scoring.expressions.nodes import FieldValue, Window
from scoring.feature_set.feature_set import CompiledFeature
from scoring.feature_set.model_features import ModelFeatures
from scoring.model.fraud_model import FraudModel
from scoring.policy import Outcome, Thresholds
from scoring.prediction import Prediction
from scoring.reasons import phrase

MAX_CHANGES = 3
"""Features whose change is reported."""
_COUNTS = ("count", "distinct")
_BELOW_ZERO = nextafter(-ZERO_THRESHOLD, -inf)
_FEWEST_DIGITS, _MOST_DIGITS = 3, 17
_LARGEST = 1e300
_NEAR_ZERO = (1.0, 0.01)
"""Values that stand for an interval that begins at zero."""
_ORDER: tuple[Outcome, ...] = ("approve", "review", "decline")

MAX_WORK = 10_000_000
"""Candidates times leaves that are scored while a page waits: 30 ms for 3,000 leaves."""
MAX_ASKED_WORK = 1_000_000_000
"""The same while a person waits who asked for it: 3 s by the same measure."""
NoChanges = Literal["not_compiled", "not_repeated", "costly"]
"""Why changes are not computed: LightGBM alone explains the model, or the model does not give the
payment the margin that is stored, or it would take more work than is allowed."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one feature, all others held, that gives another outcome.

    Attributes:
        feature: place of the feature in the version's order.
        values: value after it; of a category all that give another outcome, the one with the
            nearest score first.
        distance: share of the feature's split values that it passes, in (0, 1]; 1 of a category.
        score: calibrated probability at the first value.
        outcome: model's outcome at the first value.
        before: phrase about the payment as it was scored.
        after: phrase for each value.
    """

    feature: int
    values: tuple[float, ...]
    distance: float
    score: float
    outcome: Outcome
    before: str
    after: tuple[str, ...]


class Candidate(NamedTuple):
    """A value that a feature is given.

    A tuple, because a payment has thousands.

    Attributes:
        feature: place of the feature.
        value: value that is scored.
        distance: as of `Change`.
        low: largest number below the interval in which the trees are constant.
        high: largest number of it.
        is_up: whether the interval is above the payment's own value.
        is_exact: whether the value is stated as it is: a word or a whole number.
    """

    feature: int
    value: float
    distance: float
    low: float
    high: float
    is_up: bool
    is_exact: bool

    @property
    def stated_value(self) -> float:
        """Value of the interval that is stated to a person: with few digits where one fits."""
        return self.value if self.is_exact else _plain_value(self.low, self.high, self.is_up)


class _Flip(NamedTuple):
    """A candidate with another outcome, in the order in which they are preferred."""

    distance: float
    move: float
    score: float
    candidate: Candidate


def smallest_changes(
    model: FraudModel,
    prediction: Prediction,
    limit: int = MAX_CHANGES,
    *,
    max_work: float = MAX_WORK,
) -> list[Change] | NoChanges:
    """Return the smallest changes of one feature that give another outcome, the smallest first.

    From a review or a decline they lead to a milder outcome, from an approval to a stricter one, by
    the thresholds of the decision. Features that are missing stay so.

    Args:
        model: version that scored the payment.
        prediction: decision as it was made; what a rule, a list or chance made of it is ignored.
        limit: largest number of changes.
        max_work: largest number of candidates times leaves.
    """
    if model.compiled is None:
        return "not_compiled"
    named = dict(zip(prediction.described.names, prediction.features, strict=True))
    names = model.features.names
    if named.keys() != set(names):
        return "not_repeated"
    row = np.array([named[name] for name in names], dtype=np.float64)
    forest = model.compiled.forest
    candidates = list(candidate_values(forest, model.features, row))
    if len(candidates) * forest.leaf_value.size > max_work:
        return "costly"
    matrix = np.tile(row, (len(candidates) + 1, 1))
    places = np.array([candidate.feature for candidate in candidates], dtype=np.intp)
    matrix[np.arange(len(candidates)), places] = [candidate.value for candidate in candidates]
    batch = model.explain_matrix(matrix)
    if not abs(batch.margins[-1] - prediction.margin) <= TOLERANCE:
        return "not_repeated"
    thresholds = Thresholds(prediction.threshold, prediction.decline_threshold)
    *others, score = batch.scores.tolist()
    outcome = thresholds.outcome(score)
    flips: dict[int, list[_Flip]] = {}
    for candidate, other in zip(candidates, others, strict=True):
        if _differs(outcome, thresholds.outcome(other)):
            move = abs(candidate.value - row[candidate.feature])
            if is_category(model.features, candidate.feature):
                move = abs(other - score)
            flip = _Flip(candidate.distance, float(move), other, candidate)
            flips.setdefault(candidate.feature, []).append(flip)
    nearest = sorted((min(found).distance, place) for place, found in flips.items())[:limit]
    return [
        _change(model, prediction, float(row[place]), sorted(flips[place])) for _, place in nearest
    ]


def _change(model: FraudModel, prediction: Prediction, value: float, flips: list[_Flip]) -> Change:
    """Return the change of one feature.

    Args:
        model: version that scored the payment.
        prediction: decision as it was made.
        value: feature's value as scored.
        flips: its values with another outcome, the nearest first.
    """
    nearest = flips[0]
    place = nearest.candidate.feature
    name = model.features.names[place]
    if not is_category(model.features, place):
        flips = flips[:1]

    def stated(other: float) -> str:
        # The value alone: with the others', PaySim's phrases state the fields behind the feature.
        return phrase(name, {name: other}, prediction.model.usual, model.features.described)

    values = tuple(flip.candidate.stated_value for flip in flips)
    return Change(
        feature=place,
        values=values,
        distance=nearest.distance,
        score=nearest.score,
        outcome=Thresholds(prediction.threshold, prediction.decline_threshold).outcome(
            nearest.score
        ),
        before=stated(value),
        after=tuple(map(stated, values)),
    )


def is_category(features: ModelFeatures, place: int) -> bool:
    """Return whether a feature is a category: its values have no order."""
    return features.compiled.features[place].coded_field is not None


def candidate_values(
    forest: Forest, features: ModelFeatures, row: FloatArray
) -> Iterator[Candidate]:
    """Yield a value from each interval in which the trees are constant, but for the row's own.

    Args:
        forest: trees of the model.
        features: features of the model.
        row: features of the payment, float64 (features,).
    """
    is_numeric = forest.column < forest.column_feature.size
    feature_of = forest.column_feature[forest.column[is_numeric]]
    threshold = forest.threshold[is_numeric]
    for place, feature in enumerate(features.compiled.features):
        value = float(row[place])
        if isnan(value):
            continue
        words = features.described.features[place].words
        if is_category(features, place):
            for code in range(len(words or ())):
                if code != value:
                    yield Candidate(place, float(code), 1.0, code - 1.0, float(code), True, True)
            continue
        splits = _split_values(forest, place, threshold[feature_of == place])
        own = int(np.searchsorted(splits, value, side="left"))
        whole = words is not None or _is_whole(feature, features)
        ends = [-inf, *splits.tolist(), inf]
        for interval, (low, high) in enumerate(pairwise(ends)):
            if interval == own:
                continue
            up = interval > own
            other = nextafter(low, inf) if up else high
            if whole:
                other = floor(low) + 1.0 if up else float(floor(high))
                if not low < other <= high or (words and not 0 <= other < len(words)):
                    continue
            distance = abs(interval - own) / len(splits)
            yield Candidate(place, other, distance, low, high, up, whole)


def _differs(outcome: Outcome, other: Outcome) -> bool:
    """Whether another outcome is milder than a review or decline, or stricter than an approval."""
    if outcome == "approve":
        return other != "approve"
    return _ORDER.index(other) < _ORDER.index(outcome)


def _split_values(forest: Forest, place: int, thresholds: FloatArray) -> FloatArray:
    """Return the largest values that go left at some split on a feature, ascending.

    LightGBM takes a value within ZERO_THRESHOLD of 0 for 0, and 0 for missing where it is.
    """
    splits = np.where(np.abs(thresholds) > ZERO_THRESHOLD, thresholds, ZERO_THRESHOLD)
    splits[(thresholds < 0) & (thresholds >= -ZERO_THRESHOLD)] = _BELOW_ZERO
    if np.any(forest.column_zero[forest.column_feature == place] != 0):
        splits = np.append(splits, (_BELOW_ZERO, ZERO_THRESHOLD))
    # A split that only sends missing values right is at infinity.
    return np.unique(splits[np.abs(splits) < _LARGEST])


def _is_whole(feature: CompiledFeature, features: ModelFeatures) -> bool:
    """Whether a feature without words only has whole values."""
    match feature.expression.root:
        case FieldValue(name):
            return features.event_type.kept[name].kind == "integer"
        case Window(definition):
            return definition.function in _COUNTS
    return False


def _plain_value(low: float, high: float, up: bool) -> float:
    """Return a number in (low, high] next to one end, with as few digits as fit into it.

    Args:
        low: largest number below the interval.
        high: largest number of the interval.
        up: whether it is next to `low`, else to `high`.
    """
    end = nextafter(low, inf) if up else high
    if abs(end) <= ZERO_THRESHOLD or end in (nextafter(ZERO_THRESHOLD, inf), _BELOW_ZERO):
        sign = 1.0 if up else -1.0
        around = (0.0, *(sign * size for size in _NEAR_ZERO), (high if up else low) / 2)
        inside = [value for value in around if low < value <= high]
        return inside[0] if inside else end
    rounding = ROUND_CEILING if up else ROUND_FLOOR
    for digits in range(_FEWEST_DIGITS, _MOST_DIGITS):
        value = float(Context(prec=digits, rounding=rounding).create_decimal_from_float(end))
        if low < value <= high:
            return value
    return end
