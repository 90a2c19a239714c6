"""The smallest change of one feature is real, and brute force finds none that is nearer."""

from __future__ import annotations

from functools import cache
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from scoring.counterfactual import Change, smallest_changes
from scoring.explain.lightgbm_text import MISSING_ZERO, read_trees
from scoring.feature_set.model_features import ModelFeatures
from scoring.model.calibration import SigmoidCalibrator
from scoring.model.fraud_model import FraudModel
from scoring.policy import CostModel, Outcome, Policy, Thresholds
from scoring.prediction import ModelVersion, Prediction
from tests.support.event_types import an_event_type
from tests.support.factories import a_model, feature_rows
from tests.support.own_models import features_of

CITIES = ("Bern", "Genf", "Basel", "Chur")
THRESHOLD = 0.25
RANKS: tuple[Outcome, ...] = ("approve", "review", "decline")


@cache
def features() -> ModelFeatures:
    """A feature of each kind: quantity, hour, ordered and unordered category, yes or no, count."""
    event_type = an_event_type(
        CITY={"kind": "category", "optional": True}, ITEMS={"kind": "integer", "min": 0}
    )
    expressions = {
        "amount": "TX_AMOUNT",
        "hour": "hour(TX_DATETIME)",
        "channel": "code(CHANNEL)",
        "city": "code(CITY)",
        "large": "TX_AMOUNT > 100",
        "events_1d": "count(by=CUSTOMER_ID, window='1d')",
        "items": "ITEMS",
    }
    return features_of(expressions, event_type, {"CITY": CITIES})


def rows(seed: int, count: int, missing: float) -> Any:
    rng = np.random.default_rng(seed)
    words = [one.words for one in features().described.features]
    matrix = np.column_stack(
        [
            rng.integers(0, len(of), count).astype(float)
            if of
            else rng.normal(0, 50, count).round(1)
            if name == "amount"
            else rng.integers(0, 6, count).astype(float)
            for name, of in zip(features().names, words, strict=True)
        ]
    )
    matrix[rng.random(matrix.shape) < missing] = np.nan
    return matrix


@cache
def a_random_model(seed: int, leaves: int, missing: float, zero_as_missing: bool) -> FraudModel:
    rng = np.random.default_rng(seed)
    matrix = rows(seed, 400, missing)
    effect = np.nan_to_num(matrix) * rng.normal(size=matrix.shape[1]) / (matrix.shape[1] * 4)
    labels = effect.sum(axis=1) + rng.normal(size=400) > 0.5
    names = list(features().names)
    data = lgb.Dataset(
        matrix, labels, feature_name=names, categorical_feature=list(features().categorical)
    )
    parameters = {
        "objective": "binary",
        "num_leaves": leaves,
        "min_data_in_leaf": 5,
        "min_data_per_group": 5,
        "cat_smooth": 1,
        "zero_as_missing": zero_as_missing,
        "num_threads": 1,
        "verbose": -1,
        "seed": seed,
    }
    return FraudModel(
        lgb.train(parameters, data, 6),
        SigmoidCalibrator(0.9, -0.1),
        Policy.at(0.4, CostModel()),
        {},
        ModelVersion("fraud-demo", 1),
        features=features(),
    ).as_served()


def decided(model: FraudModel, row: Any, review: float, decline: float | None) -> Prediction:
    policy = Policy(CostModel(), review, max(review, 0.99), None, decline)
    (prediction,) = model.decide(model.explain_matrix(np.ascontiguousarray(row[None])), [policy])
    return prediction


def outcomes(model: FraudModel, matrix: Any, thresholds: Thresholds) -> list[Outcome]:
    """Outcomes by LightGBM itself, which the search does not use."""
    margins = model.booster.predict(matrix, raw_score=True, num_threads=1)
    return [thresholds.outcome(score) for score in model.calibrator(np.asarray(margins)).tolist()]


def is_flip(before: Outcome, after: Outcome) -> bool:
    if before == "approve":
        return after != "approve"
    return RANKS.index(after) < RANKS.index(before)


def split_values(model: FraudModel, place: int) -> list[float]:
    found: set[float] = set()
    has_own_zero = False
    for tree in read_trees(model.booster.model_to_string()):
        numeric = (tree.feature == place) & ~tree.is_categorical
        found |= set(tree.threshold[numeric].tolist())
        has_own_zero |= bool((tree.missing[numeric] == MISSING_ZERO).any())
    if has_own_zero:  # 0 counts as missing there: an interval of its own
        zero = float(np.float32(1e-35))
        found = {one for one in found if abs(one) > zero}
        found |= {float(np.nextafter(-zero, -np.inf)), zero}
    return sorted(one for one in found if abs(one) < 1e300)


def grid(place: int, splits: list[float]) -> list[float]:
    words = features().described.features[place].words
    if words:
        return [float(code) for code in range(len(words))]
    if features().names[place] in ("events_1d", "items"):
        return [float(number) for number in range(-1, 10)]
    near = [v for s in splits for v in (s - 0.01, s, s + 0.01, np.nextafter(s, np.inf))]
    return sorted({0.0, *near, *np.linspace(-200, 200, 81).tolist()})


def brute_force(model: FraudModel, row: Any, thresholds: Thresholds) -> dict[int, float]:
    """The distance of the nearest change by feature, over a grid of every feature."""
    (before,) = outcomes(model, row[None], thresholds)
    found: dict[int, float] = {}
    for place in range(len(row)):
        if np.isnan(row[place]):
            continue
        splits = split_values(model, place)
        values = [v for v in grid(place, splits) if v != row[place]]
        matrix = np.tile(row, (len(values), 1))
        matrix[:, place] = values
        for value, after in zip(values, outcomes(model, matrix, thresholds), strict=True):
            if not is_flip(before, after):
                continue
            low, high = sorted((float(row[place]), value))
            passed = sum(low <= split < high for split in splits)
            is_category = features().compiled.features[place].coded_field is not None
            distance = 1.0 if is_category else passed / len(splits)
            found[place] = min(distance, found.get(place, np.inf))
    return found


def changed(row: Any, place: int, value: float) -> Any:
    other = row.copy()
    other[place] = value
    return other


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 40),
    row_seed=st.integers(0, 10_000),
    leaves=st.sampled_from([3, 8, 20]),
    missing=st.sampled_from([0.0, 0.15]),
    zero_as_missing=st.booleans(),
    review=st.floats(0.05, 0.9),
    share=st.none() | st.floats(0.05, 0.95),
)
def test_the_change_is_real_and_nothing_nearer_gives_another_outcome(
    seed: int,
    row_seed: int,
    leaves: int,
    missing: float,
    zero_as_missing: bool,
    review: float,
    share: float | None,
) -> None:
    model = a_random_model(seed, leaves, missing, zero_as_missing)
    assume(model.compiled is not None)
    (row,) = rows(row_seed, 1, missing)
    decline = None if share is None else review + (1 - review) * share
    prediction = decided(model, row, review, decline)
    thresholds = Thresholds(review, decline)
    found = smallest_changes(model, prediction, limit=len(row))
    assert isinstance(found, list)
    expected = brute_force(model, row, thresholds)
    assert {one.feature: one.distance for one in found} == pytest.approx(expected)
    assert [one.distance for one in found] == sorted(one.distance for one in found)
    for one in found:
        for value in one.values:
            (after,) = outcomes(model, changed(row, one.feature, value)[None], thresholds)
            assert is_flip(prediction.decision, after), one
        first = np.ascontiguousarray(changed(row, one.feature, one.values[0])[None])
        batch = model.explain_matrix(first)
        assert one.score == batch.scores[0]
        assert one.outcome == thresholds.outcome(one.score)


def some_changes() -> list[Change]:
    """The changes of many payments that the same model scored."""
    model = a_model(version=ModelVersion("fraud-demo", 1)).as_served()
    changes = []
    for row in feature_rows(60, 7):
        found = smallest_changes(model, decided(model, row, THRESHOLD, None))
        assert isinstance(found, list)
        changes += found
    return changes


def test_at_most_three_features_are_named_the_smallest_change_first() -> None:
    model = a_model(version=ModelVersion("fraud-demo", 1)).as_served()
    for row in feature_rows(40, 3):
        found = smallest_changes(model, decided(model, row, 0.1, None))
        assert isinstance(found, list)
        assert len(found) <= 3
        assert len({one.feature for one in found}) == len(found)


def test_sentences_have_few_digits_categories_by_name_and_hours_as_hours() -> None:
    changes = some_changes()
    assert "The transaction is a TRANSFER" in {text for one in changes for text in one.after}
    values = {one.values[0] for one in changes}
    assert any(value != int(value) for value in values)
    for value in values:
        assert value == float(f"{value:.4g}")
    model = a_random_model(3, 20, 0.0, False)
    hours = {
        text
        for row in rows(5, 200, 0.0)
        for change in smallest_changes(model, decided(model, row, 0.4, None), limit=9)
        if isinstance(change, Change) and features().names[change.feature] == "hour"
        for text in change.after
    }
    assert hours
    assert all(":00" in text for text in hours), hours


def test_a_derived_feature_is_stated_by_itself() -> None:
    """Its phrase is about its own value, not about the fields that it comes from."""
    shares = [
        change
        for change in some_changes()
        if change.before.startswith("Amount as a share of the payer's balance: ")
    ]
    assert shares
    for change in shares:
        assert change.after != (change.before,)
        assert change.after[0].startswith("Amount as a share of the payer's balance: ")


def test_a_model_that_does_not_give_the_stored_margin_is_not_used() -> None:
    version = ModelVersion("fraud-demo", 1)
    model, other = (a_model(seed, version=version).as_served() for seed in (0, 1))
    prediction = decided(model, feature_rows(1)[0], 0.1, None)
    assert smallest_changes(other, prediction) == "not_repeated"
    assert smallest_changes(model, prediction._replace(margin=0.123)) == "not_repeated"


def test_features_of_another_set_are_not_used() -> None:
    prediction = decided(
        a_model(version=ModelVersion("m", 1)).as_served(), feature_rows(1)[0], 0.1, None
    )
    assert smallest_changes(a_random_model(1, 8, 0.0, False), prediction) == "not_repeated"


def test_trees_that_are_not_compiled_and_too_much_work_are_reported() -> None:
    model = a_model(version=ModelVersion("fraud-demo", 1))
    prediction = decided(model.as_served(), feature_rows(1)[0], 0.1, None)
    assert smallest_changes(model, prediction) == "not_compiled"
    assert smallest_changes(model.as_served(), prediction, max_work=10) == "costly"


def test_what_is_missing_stays_missing() -> None:
    model = a_random_model(2, 20, 0.15, False)
    row = np.full(len(features().names), np.nan)
    assert smallest_changes(model, decided(model, row, 0.4, None)) == []
