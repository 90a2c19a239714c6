"""Conditions of rules: what they may name, and errors that point at the part."""

from __future__ import annotations

import pytest

from scoring.errors import InvalidExpression
from scoring.expressions import compile_expression
from scoring.feature_set.definition import FeatureDefinition
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.model_features import ModelFeatures
from scoring.rules.condition import check_condition, condition_schema, feature_kinds
from tests.support.expressions.events import a_field
from tests.support.expressions.strategies import EVENT_TYPE
from tests.support.rules.strategies import FEATURES, LISTS

SCHEMA = condition_schema(EVENT_TYPE, FEATURES, LISTS)


@pytest.mark.parametrize(
    ("source", "canonical"),
    [
        ("score>=.5", "score >= 0.5"),
        ("is_new", "feature('is_new')"),
        ("feature('odd one')>1", "feature('odd one') > 1"),
        ("in_list('watched',CUSTOMER)", "in_list('watched', CUSTOMER)"),
        (
            "not in_list( 'watched', field('CUSTOMER') ) and score*100 > RATE",
            "not in_list('watched', CUSTOMER) and score * 100 > RATE",
        ),
        (
            "count(by=CUSTOMER, window='24h') > 3 and ratio < 2",
            "count(by=CUSTOMER, window='1d') > 3 and feature('ratio') < 2",
        ),
    ],
)
def test_a_condition_has_one_canonical_text(source: str, canonical: str) -> None:
    checked = check_condition(source, SCHEMA)
    assert checked.source == canonical
    assert check_condition(canonical, SCHEMA) == checked


@pytest.mark.parametrize(
    ("source", "column", "end_column", "message"),
    [
        ("score", 1, 5, "A rule's condition is true or false; this is a number. Compare it"),
        ("scor > 1", 1, 4, "There is no field or feature `scor`. Did you mean `score`?"),
        ("feature('rato') > 1", 9, 14, "The model has no feature `rato`. Did you mean `ratio`?"),
        ("feature(ratio) > 1", 9, 13, "A feature's name is a text in quotes."),
        ("in_list('watch', CUSTOMER)", 9, 15, "There is no list `watch`. Did you mean `watched`?"),
        (
            *("in_list('watched', TERMINAL)", 20, 27),
            "`TERMINAL` is a terminal; the list `watched` has entities of the kind customer.",
        ),
        (
            *("in_list('watched', CHANNEL)", 20, 26),
            "`CHANNEL` is a category; a list has entities.",
        ),
        ("in_list('watched')", 1, 18, "Write in_list('name', FIELD); 1 argument is given."),
        ("is_new > 'a'", 10, 12, "`is_new` is a boolean and `'a'` is a text;"),
        ("code(SHOP) == 1", 6, 9, "`SHOP` is an open category;"),
        *(
            (
                *(f"1 < count(by=CUSTOMER, window='1d', where={text})", 43, 42 + len(part)),
                "A window reads past events, which have fields alone; this is of the payment.",
            )
            for text, part in (
                ("score > 0.5", "score"),
                ("is_new", "is_new"),
                ("feature('ratio') > 1", "feature('ratio')"),
                ("in_list('watched', CUSTOMER)", "in_list('watched', CUSTOMER)"),
            )
        ),
    ],
)
def test_what_does_not_fit_is_refused_and_pointed_at(
    source: str, column: int, end_column: int, message: str
) -> None:
    with pytest.raises(InvalidExpression) as refused:
        check_condition(source, SCHEMA)
    assert (refused.value.column, refused.value.end_column) == (column, end_column)
    assert refused.value.detail.startswith(message)


@pytest.mark.parametrize("source", ["score > 1", "feature('ratio')", "in_list('x', CUSTOMER)"])
def test_a_feature_knows_nothing_of_a_scored_payment(source: str) -> None:
    with pytest.raises(InvalidExpression, match=r"There is no (field|function)"):
        compile_expression(source, EVENT_TYPE)


def test_a_field_comes_before_a_feature_of_its_name_and_score_before_a_field() -> None:
    kinds = {"amount": "number", "score": "number"}
    fields = (a_field("amount", "number"), a_field("score", "number"))
    schema = condition_schema(type(EVENT_TYPE)("own", None, fields), kinds, ())  # type: ignore[arg-type]
    source = "amount > feature('amount') and score > field('score') and feature('score') > 1"
    assert check_condition(source, schema).source == source


def test_a_field_of_the_name_score_is_read_as_a_field_by_features() -> None:
    expression = compile_expression("score + 1", {"score": "number"})
    assert expression.source == "field('score') + 1"


def test_the_features_of_a_version_are_numbers_or_conditions() -> None:
    definitions = (FeatureDefinition("ratio", "BALANCE / RATE"), FeatureDefinition("sure", "SURE"))
    features = ModelFeatures(EVENT_TYPE, FeatureSet(definitions))
    assert feature_kinds(features) == {"ratio": "number", "sure": "boolean"}
