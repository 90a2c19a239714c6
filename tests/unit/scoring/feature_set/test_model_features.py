"""The features of a model version: their document, words, categories, windows and fit."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from scoring.errors import InvalidEventType, InvalidFeatureSet
from scoring.event_type.event import Event
from scoring.event_type.validation import EventValidator
from scoring.feature_set.definition import FeatureDefinition
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.model_features import ModelFeatures, model_features
from scoring.features import PAYSIM_FEATURES
from scoring.transaction import PAYSIM
from tests.support.event_types import NOW_US, an_event, an_event_type
from tests.support.own_models import WITH_WINDOWS, features_of

SHOPS = an_event_type(
    SHOP={"kind": "category", "optional": True}, CHIP={"kind": "boolean", "optional": True}
)
EXPRESSIONS = {
    **WITH_WINDOWS,
    "shop": "code(SHOP)",
    "large": "TX_AMOUNT > 100",
    "chip": "CHIP",
    "day": "weekday(TX_DATETIME)",
}
FEATURES = features_of(EXPRESSIONS, SHOPS, {"SHOP": ("books", "food")})


def events(*values: dict[str, Any]) -> list[Event]:
    validator = EventValidator(FEATURES.event_type)
    return [validator.validate(an_event(**one), NOW_US) for one in values]


def test_a_document_reads_and_writes_back_through_json() -> None:
    document = json.loads(json.dumps(FEATURES.as_document(), allow_nan=False))
    read = model_features(document)
    assert read == FEATURES
    assert read.names == tuple(EXPRESSIONS)
    assert read.windows == FEATURES.windows
    assert read.as_document() == document


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"event_type": None}, InvalidEventType),
        ({"event_type": {"name": "x", "fields": {}}}, InvalidEventType),
        ({"feature_set": None}, InvalidFeatureSet),
        ({"feature_set": {"version": 99, "features": []}}, InvalidFeatureSet),
        (
            {"feature_set": {"version": 1, "features": [{"name": "a", "expression": "B"}]}},
            InvalidFeatureSet,
        ),
    ],
)
def test_a_document_that_is_not_valid_is_refused(
    change: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        model_features(FEATURES.as_document() | change)


def test_codes_of_open_categories_alone_are_categorical() -> None:
    assert FEATURES.categorical == ("shop",)


def test_directions_are_signs_in_the_order_of_the_matrix() -> None:
    definitions = (
        FeatureDefinition("a", "TX_AMOUNT", monotone="increasing"),
        FeatureDefinition("b", "hour(TX_DATETIME)"),
        FeatureDefinition("c", "code(CHANNEL)", monotone="decreasing"),
    )
    held = ModelFeatures(an_event_type(), FeatureSet(definitions))
    assert held.monotone == (1, 0, -1)
    assert model_features(json.loads(json.dumps(held.as_document()))).monotone == (1, 0, -1)


def test_codes_and_conditions_have_words() -> None:
    words = {one.name: one.words for one in FEATURES.described.features}
    assert words["shop"] == ("books", "food", "another value")
    assert words["channel"] == ("pos", "web", "atm")
    assert words["large"] == words["chip"] == ("no", "yes")
    hours, days = words["hour"], words["day"]
    assert hours is not None
    assert days is not None
    assert (hours[0], hours[23], len(hours)) == ("00:00", "23:00", 24)
    assert (days[0], days[6]) == ("Monday", "Sunday")
    assert words["amount"] is None


def test_features_with_windows_are_named() -> None:
    assert FEATURES.windowed == ("events_1d", "amount_over_mean", "terminal_risk")
    assert PAYSIM_FEATURES.windowed == ()


def test_an_unknown_value_comes_after_the_known_ones() -> None:
    rows = events({"SHOP": "books"}, {"SHOP": "food"}, {"SHOP": "new"}, {})
    matrix = FEATURES.matrix_of(rows, FEATURES.windows_within(rows))
    codes = matrix[:, FEATURES.names.index("shop")].tolist()
    assert codes[:3] == [0, 1, 2]
    assert math.isnan(codes[3])


def test_a_feature_set_without_fields_still_has_a_row_for_each_event() -> None:
    constant = features_of({"one": "1"}, SHOPS)
    assert constant.matrix_of(events({}, {}, {})).tolist() == [[1.0]] * 3


def test_windows_within_a_list_see_the_events_before() -> None:
    rows = events(
        {"TX_DATETIME": "2026-03-31T10:00:00Z", "TX_AMOUNT": 10},
        {"TX_DATETIME": "2026-03-31T11:00:00Z", "TX_AMOUNT": 30},
        {"TX_DATETIME": "2026-03-31T11:00:00Z", "TX_AMOUNT": 50},
        {"TX_DATETIME": "2026-03-31T12:00:00Z", "CUSTOMER_ID": "other"},
        {"TX_DATETIME": "2026-03-31T12:00:00Z", "TX_AMOUNT": 90},
    )
    values = dict(zip(FEATURES.windows, FEATURES.windows_within(rows), strict=True))
    (count,) = (v for window, v in values.items() if window.function == "count")
    (mean,) = (v for window, v in values.items() if window.function == "mean")
    assert count.tolist() == [0, 1, 1, 0, 3]
    np.testing.assert_array_equal(mean, [np.nan, 10, 10, np.nan, 30])


def test_features_without_windows_have_none_to_compute() -> None:
    assert features_of({"amount": "TX_AMOUNT"}).windows_within(events({})) == []


def test_a_distinct_count_of_a_field_of_any_name() -> None:
    odd = an_event_type(**{'it\'s a "name"': {"kind": "category", "optional": True}})
    expression = "distinct(field('it\\'s a \"name\"'), by=CUSTOMER_ID, window='1d')"
    features = features_of({"different": expression}, odd)
    validator = EventValidator(odd)
    rows = [
        validator.validate(
            an_event(TX_DATETIME=f"2026-03-31T1{i}:00:00Z", **{'it\'s a "name"': value}), NOW_US
        )
        for i, value in enumerate(("a", "b", "a", "c"))
    ]
    (values,) = features.windows_within(rows)
    assert values.tolist() == [0, 1, 2, 2]


def fitting(**fields: dict[str, Any] | None) -> ModelFeatures:
    return features_of(WITH_WINDOWS, an_event_type(**fields))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"NOTE": {"kind": "text"}},
        {"CHANNEL": {"kind": "category", "values": ["pos", "web", "atm", "phone"]}},
        {"CHANNEL": {"kind": "category"}},
        {"TX_AMOUNT": {"kind": "number", "optional": True}},
    ],
)
def test_an_event_type_that_has_what_the_features_use_fits(fields: dict[str, Any]) -> None:
    assert fitting().misfit(an_event_type(**fields)) is None


def test_unused_fields_may_be_missing() -> None:
    amount = features_of({"amount": "TX_AMOUNT"})
    assert amount.misfit(an_event_type(CHANNEL=None, TERMINAL_ID=None)) is None
    assert PAYSIM_FEATURES.misfit(PAYSIM) is None


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"TERMINAL_ID": None},
            "The model needs the field TERMINAL_ID, which the event type card_payment lacks.",
        ),
        (
            {"TERMINAL_ID": {"kind": "number", "ignored": True}},
            "The model needs the field TERMINAL_ID, which the event type card_payment lacks.",
        ),
        (
            {"TERMINAL_ID": {"kind": "text"}},
            "The model needs the field TERMINAL_ID as entity; the event type card_payment has it"
            " as text.",
        ),
        (
            {"CHANNEL": {"kind": "category", "values": ["pos", "web"]}},
            "The values of the field CHANNEL have another order in the event type card_payment"
            " than in the model's training.",
        ),
        (
            {"TX_DATETIME": {"kind": "timestamp"}},
            "The model needs TX_DATETIME as the time of each event, which it is not in the event"
            " type card_payment.",
        ),
    ],
)
def test_what_does_not_fit_is_a_sentence(fields: dict[str, Any], sentence: str) -> None:
    assert fitting().misfit(an_event_type(**fields)) == sentence
