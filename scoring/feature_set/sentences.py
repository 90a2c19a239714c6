"""Sentences: what a feature's value says of an event, as a phrase for an analyst.

The phrase comes from the form of the expression: a ratio to a window, a count, a category and so
on. Any other feature is its description, or its expression, and its value.
"""

from __future__ import annotations

import math

from scoring.expressions import Schema
from scoring.expressions.nodes import Arithmetic, Call, FieldValue, Node, Window
from scoring.feature_set.condition_phrases import condition_phrase
from scoring.feature_set.feature_set import CompiledFeature
from scoring.feature_set.nouns import Nouns
from scoring.feature_set.wording import (
    count_words,
    delayed_window_words,
    elapsed_words,
    factor_words,
    number_words,
    percent_words,
)

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def phrase(feature: CompiledFeature, value: float, schema: Schema) -> str:
    """Return what a feature's value says of an event, such as `CHANNEL is web`.

    Args:
        feature: feature of a compiled feature set.
        value: its value for the event; NaN if missing.
        schema: schema of the compiled feature set.

    Returns:
        A phrase without a capital letter of its own and without a full stop.
    """
    definition, root = feature.definition, feature.expression.root
    nouns = Nouns(schema)
    subject = definition.description or (
        nouns.of(root) if isinstance(root, FieldValue | Window) else feature.expression.source
    )
    if math.isnan(value):
        return _missing_phrase(root, nouns) or f"{subject} is missing"
    word = _word(definition.words, value) or _category(root, value, schema)
    if word is not None:
        return _of_subject(_coded_subject(root, definition.description, nouns) or subject, word)
    if root.kind == "boolean":
        return _boolean_phrase(root, value != 0, subject, definition.description, nouns)
    return _number_phrase(root, value, nouns) or f"{subject} is {number_words(value)}"


def _of_subject(subject: str, word: str) -> str:
    return f"{subject}: {word}" if subject.startswith("whether ") else f"{subject} is {word}"


def _word(words: tuple[str, ...] | None, value: float) -> str | None:
    if words is None or value != int(value) or not 0 <= value < len(words):
        return None
    return words[int(value)]


def _category(root: Node, value: float, schema: Schema) -> str | None:
    match root:
        case Call("code", (FieldValue(name),)):
            return _word(schema.values_of(name), value) or "none of the known values"
    return None


def _coded_subject(root: Node, description: str | None, nouns: Nouns) -> str | None:
    match root:
        case Call("code", (FieldValue(name),)):
            return description or nouns.field(name)
    return None


def _missing_phrase(root: Node, nouns: Nouns) -> str | None:
    match root:
        case Window(definition) if definition.window_us is None:
            where = nouns.filter(definition)
            return f"no earlier event of {nouns.owner(definition)}{where} is known"
        case Call("code" | "hour" | "weekday", (FieldValue(name),)):
            return f"{nouns.field(name)} is missing"
    return None


def _boolean_phrase(
    root: Node, is_true: bool, subject: str, description: str | None, nouns: Nouns
) -> str:
    is_plain = isinstance(root, FieldValue) and description is not None
    found = None if is_plain else condition_phrase(root, is_true, nouns)
    if found is not None:
        return found
    if description is not None:
        return f"{description}: {'yes' if is_true else 'no'}"
    return f"{subject} is {'true' if is_true else 'false'}"


def _number_phrase(root: Node, value: float, nouns: Nouns) -> str | None:
    match root:
        case Window():
            return _window_phrase(root, value, nouns)
        case Arithmetic("/", left, Window() as window):
            times = factor_words(value)
            return f"{nouns.of(left)} is {times} times {nouns.of(window, left)}"
        case Arithmetic("-", FieldValue() as left, FieldValue() as right) if (
            left.kind == "timestamp"
        ):
            side = "after" if value >= 0 else "before"
            return f"{nouns.of(left)} is {elapsed_words(abs(value))} {side} {nouns.of(right)}"
        case Arithmetic("-", left, Window() as window):
            side = "above" if value >= 0 else "below"
            other = nouns.of(window, left)
            return f"{nouns.of(left)} is {number_words(abs(value))} {side} {other}"
        case Call("hour", (FieldValue(name),)):
            return f"{nouns.field(name)} is in the hour from {int(value):02d}:00 UTC"
        case Call("weekday", (FieldValue(name),)):
            return f"{nouns.field(name)} is on a {_WEEKDAYS[int(value)]} (UTC)"
        case _:
            return None


def _window_phrase(window: Window, value: float, nouns: Nouns) -> str:
    definition = window.definition
    owner, where = nouns.owner(definition), nouns.filter(definition)
    period = delayed_window_words(definition.window_us or 0, definition.delay_us)
    match definition.function:
        case "count":
            return f"{owner} had {count_words(value, 'event')}{where} in the {period}"
        case "distinct":
            counted = "" if window.value is None else nouns.of(window.value)
            values = count_words(value, "different value")
            return f"{owner} had {values} of {counted}{where} in the {period}"
        case "fraud_rate":
            return f"{percent_words(value)} of {owner}'s payments{where} of the {period} were fraud"
        case "seconds_since_last":
            return f"{elapsed_words(value)} after {owner}'s last event{where}"
        case "first_seen":
            since = elapsed_words(value)
            return f"{owner}'s first event{where} of the last 90 days was {since} ago"
        case _:
            return f"{nouns.of(window)} is {number_words(value)}"
