"""docs/features.md describes the whole language, and its examples compile."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from scoring.errors import InvalidExpression
from scoring.event_type.fields import EventType, Field
from scoring.expressions import MAX_DEPTH, MAX_LENGTH, MAX_WINDOWS, compile_expression
from scoring.expressions.checking.calls import CALLS, WINDOW_FUNCTIONS
from scoring.feature_set.document import MAX_FEATURES, from_document
from tests.support.expressions.events import a_field
from tests.support.paths import PROJECT

PAGE = (PROJECT / "docs" / "features.md").read_text()
EXAMPLE = re.compile(r"^\| (.+?) \| `([^`]+)` \|", re.M)
EXAMPLES = [*EXAMPLE.findall(PAGE)]
CATEGORIES = {"SHOP": ("books", "food", "fuel")}


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)
    assert found is not None
    return found[1]


def field_of(name: str, keys: dict[str, Any]) -> Field:
    values = keys.get("values")
    return a_field(
        name,
        keys["kind"],
        role=keys.get("role"),
        entity=keys.get("entity"),
        bounds=(keys["min"], keys["max"]) if "min" in keys else None,
        values=None if values is None else tuple(values),
        optional=keys.get("optional", False),
    )


def event_type() -> EventType:
    document = yaml.safe_load(block("yaml"))
    fields = tuple(field_of(name, keys) for name, keys in document["fields"].items())
    return EventType(document["name"], document["label"], fields)


@pytest.mark.parametrize("example", [example for _, example in EXAMPLES])
def test_an_example_compiles_for_the_documented_event_type(example: str) -> None:
    assert compile_expression(example, event_type(), categories=CATEGORIES).source


@pytest.mark.parametrize("function", [*CALLS, *WINDOW_FUNCTIONS])
def test_every_function_has_a_row_with_an_example_that_calls_it(function: str) -> None:
    of_function = [example for form, example in EXAMPLES if re.match(rf"`{function}\b", form)]
    assert any(f"{function}(" in example for example in of_function)
    if function in CALLS and function in WINDOW_FUNCTIONS:
        assert len(of_function) == 2


@pytest.mark.parametrize("keyword", ["by", "window", "delay", "where"])
def test_every_keyword_has_a_row_with_an_example_that_gives_it(keyword: str) -> None:
    assert any(form == f"`{keyword}=`" and f"{keyword}=" in example for form, example in EXAMPLES)


def test_the_feature_set_compiles() -> None:
    features = from_document(json.loads(block("json")))
    assert len(features.compile(event_type()).windows) == 3


def test_the_limits_are_those_of_the_code() -> None:
    text = " ".join(PAGE.split())
    limits = f"{MAX_LENGTH:,} characters, {MAX_DEPTH} levels of nesting and {MAX_WINDOWS} windows"
    assert limits in text
    assert f"{MAX_FEATURES} features with {MAX_WINDOWS} different windows" in text


def test_the_error_is_shown_as_it_is() -> None:
    lines = re.findall(r"(?:^    .*\n)+", PAGE, re.M)[-1].splitlines()
    shown = [line.removeprefix("    ") for line in lines]
    with pytest.raises(InvalidExpression) as caught:
        compile_expression(shown[0], event_type())
    assert caught.value.pointed() == "\n".join(shown)
