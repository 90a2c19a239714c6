"""A model of an own event type is saved and loaded with its features, missing values too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scoring.errors import ModelRefused
from scoring.event_type.validation import EventValidator
from scoring.model.fraud_model import GOLDEN_TOLERANCE, FraudModel, read_features
from scoring.prediction import ModelVersion
from tests.support.event_types import NOW_US, an_event, an_event_type
from tests.support.own_models import WITH_WINDOWS, a_model_of, features_of, golden_rows

EVENT_TYPE = an_event_type(SHOP={"kind": "category", "optional": True})
FEATURES = features_of(
    {**WITH_WINDOWS, "shop": "code(SHOP)"}, EVENT_TYPE, {"SHOP": tuple("abcdefgh")}
)
VERSION = ModelVersion("fraud-cards", 1)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    a_model_of(FEATURES).save(tmp_path, golden_rows(FEATURES))
    return tmp_path


def test_golden_rows_have_missing_values_as_null(saved: Path) -> None:
    golden = json.loads((saved / "golden.json").read_text())
    cells = [cell for row in golden["features"] for cell in row]
    assert None in cells
    assert not any(cell != cell for cell in cells)


def test_a_loaded_model_gives_the_same_bits_as_the_saved_one(saved: Path) -> None:
    loaded, original = FraudModel.load(saved, VERSION), a_model_of(FEATURES).as_served()
    assert loaded.features == FEATURES == read_features(saved)
    rows = golden_rows(FEATURES, 500, seed=9)
    assert np.isnan(rows).any()
    found, expected = loaded.explain_matrix(rows), original.explain_matrix(rows)
    np.testing.assert_array_equal(found.margins, expected.margins)
    np.testing.assert_array_equal(found.contributions, expected.contributions)
    np.testing.assert_array_equal(found.margins, loaded.margins(rows))


def test_a_categorical_feature_is_split_by_sets_of_codes_and_explained(saved: Path) -> None:
    loaded = FraudModel.load(saved, VERSION)
    text = (saved / "booster.txt").read_text()
    assert sum(int(n) for line in text.splitlines() if line.startswith("num_cat=")
               for n in [line.partition("=")[2]]) > 0  # fmt: skip
    rows = golden_rows(FEATURES, 200, seed=4)
    rows[:, -1] = np.arange(200) % 9
    batch = loaded.explain_matrix(np.ascontiguousarray(rows))
    sums = batch.base_value + batch.contributions.sum(axis=1)
    np.testing.assert_allclose(sums, batch.margins, rtol=0, atol=GOLDEN_TOLERANCE)
    np.testing.assert_array_equal(batch.margins, loaded.margins(rows))


def test_it_decides_events_with_their_windows(saved: Path) -> None:
    loaded = FraudModel.load(saved, VERSION)
    validator = EventValidator(EVENT_TYPE)
    events = [
        validator.validate(an_event(TX_DATETIME=f"2026-03-31T1{i}:00:00Z", SHOP="b"), NOW_US)
        for i in range(3)
    ]
    predictions = loaded.predict(events, window_values=FEATURES.windows_within(events))
    names = FEATURES.names
    assert [p.features[names.index("events_1d")] for p in predictions] == [0, 1, 2]
    assert [p.features[names.index("shop")] for p in predictions] == [1, 1, 1]
    assert predictions[0].described.names == names


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"names": ["amount"]}, "lists other features than it defines"),
        ({"event_type": {}}, r"features\.json: .*name"),
        ({"feature_set": {"version": 2, "features": []}}, r"features\.json: .*version"),
        ({"feature_set": {"version": 1, "features": [{"name": "a", "expression": "GONE"}]}},
         "GONE"),
        ({"feature_set": {"version": 1, "features": [
            {"name": "a", "expression": "__import__('os').system('true')"}]}}, "features.a"),
    ],
)  # fmt: skip
def test_features_that_are_not_valid_are_refused(
    saved: Path, change: dict[str, object], sentence: str
) -> None:
    path = saved / "features.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelRefused, match=sentence):
        FraudModel.load(saved)


def test_a_golden_row_whose_missing_value_became_a_number_is_refused(saved: Path) -> None:
    path = saved / "golden.json"
    golden = json.loads(path.read_text())
    golden["features"] = [[50.0 if cell is None else cell for cell in row]
                          for row in golden["features"]]  # fmt: skip
    path.write_text(json.dumps(golden))
    with pytest.raises(ModelRefused, match="golden rows"):
        FraudModel.load(saved)
