"""Condition phrases: what a condition's being true or false says of an event."""

from __future__ import annotations

from scoring.expressions.nodes import (
    Call,
    Comparison,
    ComparisonOperator,
    FieldValue,
    Membership,
    Node,
    Not,
    Number,
    StartsWith,
    Text,
    Window,
)
from scoring.feature_set.nouns import Nouns
from scoring.feature_set.wording import delayed_window_words

_TRUE: dict[ComparisonOperator, str] = {
    "<": "below",
    "<=": "at most",
    ">": "above",
    ">=": "at least",
    "==": "",
    "!=": "not",
}
_OPPOSITE: dict[ComparisonOperator, ComparisonOperator] = {
    "<": ">=",
    "<=": ">",
    ">": "<=",
    ">=": "<",
    "==": "!=",
    "!=": "==",
}


def condition_phrase(node: Node, is_true: bool, nouns: Nouns) -> str | None:
    """Return what is so when a condition is true or false; None if it has no form of its own."""
    match node:
        case Not(operand):
            return condition_phrase(operand, not is_true, nouns)
        case FieldValue(name):
            return f"{nouns.field(name)} is {'true' if is_true else 'false'}"
        case StartsWith(FieldValue(name), prefix):
            verb = "starts" if is_true else "does not start"
            return f"{nouns.field(name)} {verb} with {prefix}"
        case Call("is_missing", (operand,)):
            return f"{nouns.of(operand)} is {'' if is_true else 'not '}missing"
        case Membership(operand, items, is_negated):
            listed = ", ".join(_text(item, nouns) for item in items)
            among = "one of" if is_true is not is_negated else "none of"
            return f"{nouns.of(operand)} is {among} {listed}"
        case Comparison((Window() as window, Number(0.0)), (operator,)) if (
            window.definition.function == "count" and operator in ("==", "!=", ">")
        ):
            return _any_events(window, is_true is not (operator == "=="), nouns)
        case Comparison((Text() as text, operand), (operator,)):
            return _comparison(operand, operator, text, is_true, nouns)
        case Comparison((operand, other), (operator,)):
            return _comparison(operand, operator, other, is_true, nouns)
        case _:
            return None


def _comparison(
    left: Node, operator: ComparisonOperator, right: Node, is_true: bool, nouns: Nouns
) -> str:
    word = _TRUE[operator if is_true else _OPPOSITE[operator]]
    other = _text(right, nouns) if isinstance(right, Text) else nouns.of(right, beside=left)
    return " ".join(filter(None, [nouns.of(left, beside=right), "is", word, other]))


def _text(node: Node, nouns: Nouns) -> str:
    return node.value if isinstance(node, Text) and node.value else nouns.of(node)


def _any_events(window: Window, has_events: bool, nouns: Nouns) -> str:
    definition = window.definition
    period = delayed_window_words(definition.window_us or 0, definition.delay_us)
    events = f"{'events' if has_events else 'no events'}{nouns.filter(definition)}"
    return f"{nouns.owner(definition)} had {events} in the {period}"
