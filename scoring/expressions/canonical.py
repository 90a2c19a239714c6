"""The canonical text of an expression: equal expressions have equal texts."""

from __future__ import annotations

import keyword
import unicodedata

from scoring.expressions.durations import format_duration
from scoring.expressions.nodes import (
    Arithmetic,
    Boolean,
    Call,
    Comparison,
    FeatureValue,
    FieldValue,
    InList,
    Logic,
    Membership,
    Negative,
    Node,
    Not,
    Number,
    Score,
    StartsWith,
    Text,
    Window,
)
from scoring.windows.definition import WindowDefinition

SCORE = "score"
"""The model's score in a rule's condition; a field of this name is written `field('score')`."""

# How tightly each form binds, as in Python's grammar.
_OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(9)
_ARITHMETIC_LEVEL = {
    "+": _SUM,
    "-": _SUM,
    "*": _PRODUCT,
    "/": _PRODUCT,
    "%": _PRODUCT,
    "**": _POWER,
}


def canonical_text(node: Node) -> str:
    """Return the text of an expression in canonical form.

    It has one space around operators, only the parentheses that are needed, numbers in their
    shortest form, durations in their longest unit and keywords in a fixed order. It compiles to the
    same expression.
    """
    return _text(node, _OR)


def field_text(name: str) -> str:
    """Return how a field is written: by its name, or as `field('…')` if that reads otherwise."""
    is_plain = (
        name != SCORE
        and name.isidentifier()
        and not keyword.iskeyword(name)
        # Python reads identifiers in this form.
        and unicodedata.normalize("NFKC", name) == name
    )
    return name if is_plain else f"field({name!r})"


def _text(node: Node, level: int) -> str:
    """Return a node's text, in parentheses where its place binds more tightly than it does."""
    text, own = _form(node)
    return text if own >= level else f"({text})"


def _form(node: Node) -> tuple[str, int]:
    match node:
        case Number(value):
            return number_text(value), _ATOM
        case Boolean(value):
            return str(value), _ATOM
        case Text(text):
            return repr(text), _ATOM
        case FieldValue(name):
            return field_text(name), _ATOM
        case Negative(operand):
            return f"-{_text(operand, _SIGN)}", _SIGN
        case Arithmetic("**", left, right):
            return f"{_text(left, _ATOM)} ** {_text(right, _SIGN)}", _POWER
        case Arithmetic(operator, left, right):
            level = _ARITHMETIC_LEVEL[operator]
            return f"{_text(left, level)} {operator} {_text(right, level + 1)}", level
        case Comparison(operands, operators):
            first, *rest = (_text(operand, _SUM) for operand in operands)
            pairs = zip(operators, rest, strict=True)
            return " ".join([first, *(f"{operator} {text}" for operator, text in pairs)]), _COMPARE
        case Membership(operand, items, is_negated):
            listed = ", ".join(_text(item, _OR) for item in items)
            word = "not in" if is_negated else "in"
            return f"{_text(operand, _SUM)} {word} [{listed}]", _COMPARE
        case Not(operand):
            return f"not {_text(operand, _NOT)}", _NOT
        case Logic(operator, operands):
            level = _AND if operator == "and" else _OR
            return f" {operator} ".join(_text(part, level + 1) for part in operands), level
        case StartsWith(operand, prefix):
            return f"starts_with({_text(operand, _OR)}, {prefix!r})", _ATOM
        case Call(function, arguments):
            return f"{function}({', '.join(_text(part, _OR) for part in arguments)})", _ATOM
        case Window():
            return _window_text(node), _ATOM
        case Score():
            return SCORE, _ATOM
        case FeatureValue(name):
            return f"feature({name!r})", _ATOM
        case InList(list_name, operand):
            return f"in_list({list_name!r}, {_text(operand, _OR)})", _ATOM


def window_text(definition: WindowDefinition) -> str:
    """Return the canonical text of a window."""
    return _window_of(definition, definition.value, definition.where)


def _window_text(node: Window) -> str:
    value = _text(node.value, _OR) if node.value is not None else None
    where = _text(node.where, _OR) if node.where is not None else None
    return _window_of(node.definition, value, where)


def _window_of(definition: WindowDefinition, value: str | None, where: str | None) -> str:
    by = [field_text(name) for name in definition.by]
    parts = [value] if value is not None else []
    parts.append(f"by={by[0]}" if len(by) == 1 else f"by=[{', '.join(by)}]")
    if definition.window_us is not None:
        parts.append(f"window='{format_duration(definition.window_us)}'")
    if definition.delay_us:
        parts.append(f"delay='{format_duration(definition.delay_us)}'")
    if where is not None:
        parts.append(f"where={where}")
    return f"{definition.function}({', '.join(parts)})"


def number_text(value: float) -> str:
    """Return a number's shortest text that reads back to it, without `.0`."""
    return repr(value).removesuffix(".0")
