"""A feature set is suggested for every event type, and compiles within the limits."""

from __future__ import annotations

import keyword
from typing import Any

import numpy as np
import pytest

from scoring.event_type.document import from_document
from scoring.event_type.fields import EventType
from scoring.event_type.validation import EventValidator
from scoring.expressions import MAX_WINDOWS
from scoring.feature_set.document import (
    MAX_FEATURES,
    to_document,
)
from scoring.feature_set.document import (
    from_document as feature_set_from,
)
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.model_features import ModelFeatures
from scoring.transaction import PAYSIM
from tests.support.event_types import NOW_US, an_event, an_event_type
from training.features.suggest import suggest

Fields = dict[str, dict[str, Any]]


def of_fields(fields: Fields) -> EventType:
    return from_document({"name": "any", "label": "y", "fields": fields})


def compiled(event_type: EventType) -> ModelFeatures:
    """The suggested features, compiled, after their document was written and read."""
    suggested = suggest(event_type)
    read = feature_set_from(to_document(suggested))
    assert read == suggested
    learned = dict.fromkeys(read.open_categories(event_type), ("a", "b"))
    features = ModelFeatures(event_type, FeatureSet(read.definitions, learned))
    assert 1 <= len(features.names) <= MAX_FEATURES
    assert len(features.windows) <= MAX_WINDOWS
    return features


ENTITY = {"kind": "entity", "entity": "person"}
TIME = {"kind": "timestamp", "role": "time"}
EVERY_KIND: Fields = {
    "at": TIME,
    "born": {"kind": "timestamp", "optional": True},
    "price": {"kind": "number", "role": "amount"},
    "items": {"kind": "integer"},
    "is new": {"kind": "boolean"},
    "closed": {"kind": "category", "values": ["x", "y"]},
    "open": {"kind": "category", "optional": True},
    "who": ENTITY | {"role": "payer"},
    "whom": ENTITY | {"role": "payee", "optional": True},
    "device": {"kind": "entity", "entity": "device", "optional": True},
    "note": {"kind": "text", "optional": True},
    "old": {"kind": "number", "ignored": True},
}


def without(*names: str) -> Fields:
    return {name: field for name, field in EVERY_KIND.items() if name not in names}


@pytest.mark.parametrize(
    "event_type",
    [
        pytest.param(PAYSIM, id="paysim"),
        pytest.param(an_event_type(), id="card payments"),
        pytest.param(of_fields(EVERY_KIND), id="every kind"),
        pytest.param(of_fields(without("at")), id="no time"),
        pytest.param(of_fields(without("price")), id="no amount"),
        pytest.param(of_fields(without("who", "whom", "device")), id="no entity"),
        pytest.param(of_fields({"x": {"kind": "number"}}), id="one number"),
        pytest.param(of_fields({"at": TIME}), id="a time alone"),
        pytest.param(of_fields({"x": {"kind": "text", "optional": True}}), id="one text"),
    ],
)
def test_every_event_type_gives_features_that_compile(event_type: EventType) -> None:
    compiled(event_type)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"x": ENTITY}, id="one entity"),
        pytest.param({"x": {"kind": "text"}}, id="one text"),
        pytest.param({"x": {"kind": "timestamp"}}, id="one timestamp"),
    ],
)
def test_an_event_type_of_which_nothing_can_be_learned_is_still_answered(fields: Fields) -> None:
    assert suggest(of_fields(fields)).definitions == ()


def test_without_a_time_or_an_entity_there_are_no_windows() -> None:
    assert compiled(of_fields(without("at"))).windows == ()
    assert compiled(of_fields(without("who", "whom", "device"))).windows == ()


def test_without_an_amount_windows_count_only() -> None:
    functions = {window.function for window in compiled(of_fields(without("price"))).windows}
    assert functions == {"count", "distinct", "seconds_since_last", "fraud_rate"}


def test_ignored_fields_and_the_label_are_not_used() -> None:
    assert "old" not in compiled(of_fields(EVERY_KIND)).compiled.fields


ODD_NAMES = [
    "card limit", "it's", 'a "quote"', "back\\slash", "naïve", "金额", "1st", "a-b", "a.b", "(x)",
    "hour", "weekday", "count", "mean", "field", "where", "x" * 128, "__", "has_x", "and",
    *keyword.kwlist, *keyword.softkwlist,
]  # fmt: skip


@pytest.mark.parametrize("kind", ["number", "boolean", "category", "text", "timestamp", "entity"])
def test_odd_field_names(kind: str) -> None:
    more = {"entity": "thing"} if kind == "entity" else {}
    fields: Fields = {
        name: {"kind": kind, "optional": True} | more for name in dict.fromkeys(ODD_NAMES)
    }
    features = compiled(of_fields({"at": TIME, "x": {"kind": "number"}} | fields))
    if kind != "entity":
        assert set(fields) <= set(features.compiled.fields)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_of_what_windows_read(name: str) -> None:
    fields: Fields = {
        f"{name}1"[-128:]: TIME,
        name: ENTITY | {"role": "payer"},
        f"{name}2"[-128:]: {"kind": "number", "role": "amount"},
        f"{name}3"[-128:]: ENTITY | {"role": "payee"},
    }
    assert compiled(of_fields(fields)).windows


def test_fields_of_one_entity_are_called_by_their_own_names() -> None:
    features = compiled(of_fields(EVERY_KIND))
    descriptions = [definition.description for definition in features.feature_set.definitions]
    assert len(set(descriptions)) == len(descriptions)
    assert {"who_events_1d", "whom_events_1d", "device_events_1d"} <= set(features.names)


def test_names_that_differ_in_odd_characters_alone_stay_apart() -> None:
    names = ["a b", "a-b", "a_b", "a.b", "a b_2"]
    features = compiled(of_fields({name: {"kind": "number"} for name in names}))
    assert len(set(features.names)) == len(names)


@pytest.mark.parametrize("kind", ["number", "category", "text", "timestamp", "entity"])
def test_200_more_fields_stay_within_the_limits(kind: str) -> None:
    more = {"entity": "thing"} if kind == "entity" else {}
    many: Fields = {f"f{i}": {"kind": kind, "optional": True} | more for i in range(200)}
    compiled(of_fields(EVERY_KIND | many))


def test_the_suggested_features_have_values_for_an_event() -> None:
    features = compiled(an_event_type())
    validator = EventValidator(features.event_type)
    events = [
        validator.validate(an_event(TX_DATETIME=f"2026-03-{day:02d}T12:00:00Z"), NOW_US)
        for day in range(1, 31)
    ]
    matrix = features.matrix_of(events, features.windows_within(events))
    assert matrix.shape == (30, len(features.names))
    last = dict(zip(features.names, matrix[-1], strict=True))
    assert (last["customer_events_7d"], last["customer_amount_over_mean_30d"]) == (7, 1)
    assert last["terminal_risk_7d"] == 0
    assert np.isfinite(matrix[-1]).sum() > 40
