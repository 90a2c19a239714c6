"""Syntax of Python that is no part of the language, and text that is no expression at all."""

from __future__ import annotations

import pytest

from scoring.expressions import compile_expression
from tests.support.expressions.errors import EVENT_TYPE, error_of


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        ("«lambda: 1»", "lambda"),
        ("«TX_AMOUNT.real»", "attributes"),
        ("«().__class__»", "attributes"),
        ("«[x for x in FLAG]»", "comprehensions"),
        ("«{x for x in FLAG}»", "comprehensions"),
        ("«{x: 1 for x in FLAG}»", "comprehensions"),
        ("abs«(x for x in FLAG)»", "comprehensions"),
        ("«f'{TX_AMOUNT}'»", "f-strings"),
        ("«where(FLAG, 1, 2)»(3)", "before `(`"),
        ("(«x := 1»)", ":="),
        ("«TX_AMOUNT[0]»", "square brackets"),
        ("max(«*TX_AMOUNT», 1)", "`*`"),
        ("max(1, «**TX_AMOUNT»)", "`**`"),
        ("«1 if FLAG else 2»", "where(condition, a, b)"),
        ("«[1, 2]»", "list"),
        ("«(1, 2)»", "tuples"),
        ("«1, 2»", "tuples"),
        ("«{1, 2}»", "sets"),
        ("«{1: 2}»", "dictionaries"),
        ("(«yield»)", "yield"),
        ("(«yield from FLAG»)", "yield"),
        ("«await FLAG»", "await"),
        ("«TX_AMOUNT // 2»", "//"),
        ("«TX_AMOUNT @ 2»", "@"),
        ("«FLAG & FLAG»", "`and`"),
        ("«FLAG | FLAG»", "`or`"),
        ("«FLAG ^ FLAG»", "^"),
        ("«1 << 2»", "<<"),
        ("«1 >> 2»", ">>"),
        ("«~FLAG»", "`not`"),
        ("«+TX_AMOUNT»", "`+`"),
        ("«FLAG is True»", "`is`"),
        ("«FLAG is not True»", "`is not`"),
        ("TX_AMOUNT == «None»", "is_missing"),
        ("«1j»", "not a number"),
        ("«b'x'»", "not a number"),
        ("«...»", "not a number"),
    ],
)
def test_all_other_syntax_of_python_is_refused_with_a_sentence(marked: str, word: str) -> None:
    source = marked.replace("«", "").replace("»", "")
    error = error_of(source)
    assert word in error.detail
    assert error.detail.endswith(".")
    assert (error.column, error.end_column) == (marked.index("«") + 1, marked.index("»") - 1)


@pytest.mark.parametrize(
    ("source", "column"),
    [
        ("TX_AMOUNT +", 11),
        ("(TX_AMOUNT", 1),
        ("TX_AMOUNT)", 10),
        ("'open", 1),
        ("import os", 1),
        ("\xa0", 1),
        (" \u3000 ", 2),
        ("x = 1", 3),
        ("1 +\n\n* 2", 6),
        ("é é", 3),
    ],
)
def test_what_is_no_expression_is_refused_where_it_breaks(source: str, column: int) -> None:
    error = error_of(source)
    assert error.detail.startswith("The expression cannot be read")
    assert error.column == column


@pytest.mark.parametrize("duration", ["1h", "30d", "10m", "90s"])
def test_a_duration_without_quotes_is_refused_with_how_to_write_it(duration: str) -> None:
    error = error_of(f"count(CUSTOMER_ID, {duration}) > 3")
    assert error.detail == f"A duration is a text: write '{duration}'."
    assert (error.column, error.end_column) == (20, 19 + len(duration))


@pytest.mark.parametrize(
    ("source", "message", "column"),
    [
        ("", "The expression is empty.", 1),
        (" \n ", "The expression is empty.", 1),
        ("1 + \0", "The character U+0000 is not part of an expression.", 5),
        ("'\ud800'", "The character U+D800 is not part of an expression.", 2),
        ("1 # one", "An expression has no comments; `#` is for texts in quotes.", 3),
    ],
)
def test_characters_without_a_meaning_are_refused(source: str, message: str, column: int) -> None:
    error = error_of(source)
    assert (error.detail, error.column) == (message, column)


def test_a_number_sign_in_a_text_is_no_comment() -> None:
    assert compile_expression("NOTE == '#1'", EVENT_TYPE).source == "NOTE == '#1'"
