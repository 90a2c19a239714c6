"""The text of an expression: its one canonical form, and the names of fields in it."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.expressions import compile_expression
from tests.support.expressions.values import KINDS


@pytest.mark.parametrize(
    ("source", "canonical"),
    [
        (" ( A+1.0 ) *2 ", "(A + 1) * 2"),
        ("A\n + 1", "A + 1"),
        ("(A * B) + 1", "A * B + 1"),
        ("A - (B - 1)", "A - (B - 1)"),
        ('CHANNEL=="web"', "CHANNEL == 'web'"),
        ("not(FLAG)and(A<1)", "not FLAG and A < 1"),
        ("field('A') + 1e3", "A + 1000"),
        ("count(window='48h',by=[CUSTOMER])", "count(by=CUSTOMER, window='2d')"),
        (
            "fraud_rate(where=FLAG, delay='0d', window='90m', by=CUSTOMER)",
            "fraud_rate(by=CUSTOMER, window='90m', where=FLAG)",
        ),
    ],
)
def test_the_canonical_text_is_one_for_all_that_means_the_same(source: str, canonical: str) -> None:
    assert compile_expression(source, KINDS).source == canonical  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["odd name", "class", "it's", "True", "9", "ﬁeld", "a\\b", "é "])
def test_a_field_of_any_name_can_be_named(name: str) -> None:
    source = f"field({name!r}) * 2"
    expression = compile_expression(source, {name: "number"})
    assert expression.source == source
    assert expression.evaluate({name: np.array([2.0])}).tolist() == [4.0]


def test_an_identifier_with_letters_beyond_ascii_names_a_field() -> None:
    assert compile_expression("größe", {"größe": "number"}).source == "größe"
