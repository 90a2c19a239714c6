"""Feature sets: what they share, their documents, and their errors."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.columns import TextColumn
from scoring.errors import FieldError, InvalidFeatureSet
from scoring.expressions import MAX_WINDOWS, compile_expression
from scoring.feature_set.definition import FeatureDefinition
from scoring.feature_set.document import from_document, to_document
from scoring.feature_set.feature_set import FeatureSet
from scoring.windows.definition import WindowDefinition
from tests.support.expressions.events import PastEvent, columns_of
from tests.support.expressions.strategies import (
    CATEGORIES,
    EVENT_TYPE,
    conditions,
    events,
    numbers,
)

KINDS = {"A": "number", "B": "number", "CUSTOMER": "entity", "CHANNEL": "category"}


def a_feature_set(
    *expressions: str, categories: dict[str, tuple[str, ...]] | None = None
) -> FeatureSet:
    named = enumerate(expressions)
    definitions = tuple(FeatureDefinition(f"f{index}", text) for index, text in named)
    return FeatureSet(definitions, categories or {})


def compiled(*expressions: str, **options: Any) -> Any:
    return a_feature_set(*expressions, **options).compile(KINDS)  # type: ignore[arg-type]


def missing(window: WindowDefinition) -> float:
    """What a window has of no events."""
    return 0.0 if window.function in ("count", "distinct") else math.nan


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.one_of(numbers(2), conditions(2)), min_size=1, max_size=5),
    st.lists(events(), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
def test_a_feature_has_the_value_of_its_expression_alone(
    sources: list[str], rows: list[PastEvent], random: Any
) -> None:
    features = a_feature_set(*sources, categories=CATEGORIES).compile(EVENT_TYPE)
    columns = columns_of(EVENT_TYPE, [row.values for row in rows])
    values = {
        window: np.array([random.choice([missing(window), random.random()]) for _ in rows])
        for window in features.windows
    }
    matrix = features.matrix(columns, [values[window] for window in features.windows])
    assert matrix.flags.c_contiguous
    for index, source in enumerate(sources):
        alone = compile_expression(source, EVENT_TYPE, categories=CATEGORIES)
        expected = alone.evaluate(columns, [values[window] for window in alone.windows])
        assert matrix[:, index].tobytes() == expected.tobytes()


def test_features_share_common_parts_and_windows() -> None:
    one = compiled("sqrt(A * B) + mean(A, by=CUSTOMER, window='24h')")
    two = compiled(
        "sqrt(A * B) + mean(A, by=CUSTOMER, window='24h')",
        "sqrt(A*B)",
        "mean(A, window='1440m', by=[CUSTOMER])",
    )
    assert len(two.windows) == 1
    assert len(two.program.steps) == len(one.program.steps)


def test_features_keep_their_order_and_name_their_fields() -> None:
    features = compiled("B", "A", "count(by=CUSTOMER, window='1d')")
    matrix = features.matrix({"A": np.array([1.0]), "B": np.array([2.0])}, [np.array([3.0])])
    assert matrix.tolist() == [[2.0, 1.0, 3.0]]
    assert features.names == ("f0", "f1", "f2")
    assert features.fields == ("A", "B", "CUSTOMER")


def test_a_constant_feature_has_a_value_for_every_event() -> None:
    features = compiled("1 + 1", "A > 0", "1 / 0", "True")
    matrix = features.matrix({"A": np.array([1.0, -1.0, math.nan])})
    expected = [[2, 1, math.nan, 1], [2, 0, math.nan, 1], [2, math.nan, math.nan, 1]]
    np.testing.assert_array_equal(matrix, expected)


def test_learned_categories_give_the_codes() -> None:
    features = compiled("code(CHANNEL)", categories={"CHANNEL": ("web", "pos")})
    column = TextColumn(np.array([0, 1, 2, -1]), ("pos", "fax", "web"))
    values = features.matrix({"CHANNEL": column})[:, 0]
    np.testing.assert_array_equal(values, [1, 2, 0, math.nan])


def test_a_feature_set_names_the_open_categories_that_training_has_to_learn() -> None:
    features = a_feature_set("A", "where(A > 1, code(CHANNEL), 0)", "CHANNEL == 'web'")
    assert features.open_categories(KINDS) == ("CHANNEL",)  # type: ignore[arg-type]
    assert a_feature_set("CHANNEL == 'web'").open_categories(KINDS) == ()  # type: ignore[arg-type]
    assert a_feature_set("code(CHANNEL)").open_categories(EVENT_TYPE) == ()


def test_every_expression_that_does_not_fit_is_named() -> None:
    with pytest.raises(InvalidFeatureSet) as caught:
        compiled("A", "1 + C", "CUSTOMER * 2")
    assert caught.value.errors == (
        FieldError("features.f1.expression", "1 + C\n    ^\nThere is no field `C`."),
        FieldError(
            "features.f2.expression",
            "CUSTOMER * 2\n^^^^^^^^\n`CUSTOMER` is a text, not a number; write code(x) for a "
            "category's code, or compare it with a text.",
        ),
    )
    assert caught.value.status == 422


def test_the_windows_of_all_features_together_are_limited() -> None:
    windows = [f"count(by=CUSTOMER, window='{n + 1}h')" for n in range(MAX_WINDOWS + 1)]
    assert len(compiled(*windows[:-1]).windows) == MAX_WINDOWS
    with pytest.raises(InvalidFeatureSet) as caught:
        compiled(*windows)
    assert caught.value.errors == (
        FieldError("features", "must have at most 100 distinct windows; it has 101"),
    )


def test_the_code_of_an_open_category_cannot_be_monotone() -> None:
    falling = FeatureDefinition("channel", "code(CHANNEL)", monotone="decreasing")
    features = FeatureSet((falling,), {"CHANNEL": ("web", "pos")})
    with pytest.raises(InvalidFeatureSet) as caught:
        features.compile(KINDS)  # type: ignore[arg-type]
    assert caught.value.errors == (
        FieldError(
            "features.channel.monotone",
            "cannot be decreasing: CHANNEL is an open category, whose codes have no order; list "
            "its values in the event type, or leave this out",
        ),
    )


def test_the_code_of_a_closed_category_has_the_order_of_its_list_and_can_be_monotone() -> None:
    closed = next(field.name for field in EVENT_TYPE.fields if field.values)
    rising = FeatureDefinition("code", f"code({closed})", monotone="increasing")
    assert FeatureSet((rising,)).compile(EVENT_TYPE).features[0].definition == rising


DOCUMENT: dict[str, Any] = {
    "version": 1,
    "features": [
        {"name": "amount", "expression": "A", "description": "amount moved"},
        {"name": "is_large", "expression": "A > 100", "words": ["no", "yes"]},
        {"name": "channel", "expression": "code(CHANNEL)"},
        {"name": "risk", "expression": "B", "monotone": "increasing"},
        {"name": "age", "expression": "A * B", "monotone": "decreasing"},
    ],
    "categories": {"CHANNEL": ["web", "pos"]},
}


def test_a_document_reads_and_writes_back() -> None:
    features = from_document(json.loads(json.dumps(DOCUMENT)))
    assert features == FeatureSet(
        (
            FeatureDefinition("amount", "A", "amount moved"),
            FeatureDefinition("is_large", "A > 100", words=("no", "yes")),
            FeatureDefinition("channel", "code(CHANNEL)"),
            FeatureDefinition("risk", "B", monotone="increasing"),
            FeatureDefinition("age", "A * B", monotone="decreasing"),
        ),
        {"CHANNEL": ("web", "pos")},
    )
    assert to_document(features) == DOCUMENT


def test_a_feature_set_without_learned_categories_has_none_in_its_document() -> None:
    assert "categories" not in to_document(a_feature_set("A"))


def changed(**changes: Any) -> dict[str, Any]:
    return {**DOCUMENT, **changes}


def a_document_of(**feature: Any) -> dict[str, Any]:
    return changed(features=[{"name": "f", "expression": "A", **feature}])


@pytest.mark.parametrize(
    ("document", "field", "message"),
    [
        ([], "document", "must be a mapping with version and features"),
        (changed(version=2), "version", "must be 1"),
        (changed(version=True), "version", "must be 1"),
        (changed(extra=1), "extra", "is unknown; known are version, features, categories"),
        (changed(features=[]), "features", "must be a list of 1 to 500 features"),
        (changed(features={}), "features", "must be a list of 1 to 500 features"),
        (changed(features=["A"]), "features.0", "must be an object"),
        (
            changed(features=[{"name": "f", "expression": "A"}] * 2),
            "features.1.name",
            "must differ from all before",
        ),
        (
            a_document_of(kind="x"),
            "features.0.kind",
            "is unknown; known are name, expression, description, words, monotone",
        ),
        (
            a_document_of(name="1st"),
            "features.0.name",
            "must be a letter or `_`, then letters, digits and `_`, at most 64 characters",
        ),
        (
            a_document_of(name="f\n"),
            "features.0.name",
            "must be a letter or `_`, then letters, digits and `_`, at most 64 characters",
        ),
        (a_document_of(expression=3), "features.0.expression", "must be a text"),
        (
            a_document_of(description=""),
            "features.0.description",
            "must be a text of 1 to 200 characters",
        ),
        (a_document_of(monotone="up"), "features.0.monotone", "must be increasing or decreasing"),
        (a_document_of(monotone=[1]), "features.0.monotone", "must be increasing or decreasing"),
        (a_document_of(words=[1]), "features.0.words", "must be a list of 1 to 10000 texts"),
        (changed(categories=[]), "categories", "must be an object"),
        (
            changed(categories={"CHANNEL": ["web", "web"]}),
            "categories.CHANNEL",
            "must be a list of 1 to 10000 different texts",
        ),
    ],
)
def test_a_document_that_is_not_valid_is_refused_by_its_field(
    document: Any, field: str, message: str
) -> None:
    with pytest.raises(InvalidFeatureSet) as caught:
        from_document(document)
    assert FieldError(field, message) in caught.value.errors


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["version", "features", "categories", "name", "expression", "words", "monotone"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=20,
)


@settings(max_examples=300)
@given(json_values)
def test_any_json_is_read_or_refused(document: Any) -> None:
    try:
        features = from_document(document)
    except InvalidFeatureSet:
        return
    assert from_document(to_document(features)) == features
