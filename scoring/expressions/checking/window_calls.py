"""Window calls: checks the call of a window function and returns its definition."""

from __future__ import annotations

import ast
from typing import cast

from scoring.expressions.canonical import canonical_text
from scoring.expressions.checking.parts import Parts
from scoring.expressions.checking.source import quote
from scoring.expressions.checking.suggestions import did_you_mean
from scoring.expressions.durations import MAX_WINDOW_US, MIN_WINDOW_US, parse_duration
from scoring.expressions.nodes import FieldValue, Node, Window
from scoring.windows.definition import WindowDefinition, WindowFunction

_USAGE: dict[str, str] = {
    "count": "count(by=FIELD, window='30d')",
    "sum": "sum(number, by=FIELD, window='30d')",
    "mean": "mean(number, by=FIELD, window='30d')",
    "max": "max(number, by=FIELD, window='30d')",
    "min": "min(number, by=FIELD, window='30d')",
    "std": "std(number, by=FIELD, window='30d')",
    "distinct": "distinct(FIELD, by=FIELD, window='30d')",
    "seconds_since_last": "seconds_since_last(by=FIELD)",
    "first_seen": "first_seen(by=FIELD)",
    "fraud_rate": "fraud_rate(by=FIELD, window='28d', delay='7d')",
}
_OF_ALL_HISTORY = ("seconds_since_last", "first_seen")
_WITHOUT_VALUE = ("count", "seconds_since_last", "first_seen", "fraud_rate")


def check_window(parts: Parts, node: ast.Call, function: str) -> Window:
    """Return the window that a call means.

    Args:
        parts: checker of the expression.
        node: call.
        function: name of a window function.

    Raises:
        InvalidExpression: an argument is missing, unknown, of another kind or out of range, or no
            window may stand here.
    """
    if parts.no_windows is not None:
        raise parts.error(node, parts.no_windows)
    if not parts.schema.has_time:
        message = "A window needs events with a time; no field has the role `time`."
        raise parts.error(node, message)
    keywords = _keywords(parts, node, function)
    inner = parts.without_windows("A window's value and filter hold no other window.")
    value = _value(inner, node, function)
    where = inner.condition(keywords["where"]) if "where" in keywords else None
    definition = WindowDefinition(
        function=cast(WindowFunction, function),
        by=_by(inner, keywords["by"]),
        window_us=_window_us(parts, keywords.get("window")),
        delay_us=_delay_us(parts, keywords.get("delay")),
        value=None if value is None else canonical_text(value),
        where=None if where is None else canonical_text(where),
    )
    return Window(definition, value, where)


def _keywords(parts: Parts, node: ast.Call, function: str) -> dict[str, ast.expr]:
    required = ["by"] if function in _OF_ALL_HISTORY else ["by", "window"]
    known = [*required, "where", *(["delay"] if function == "fraud_rate" else [])]
    keywords: dict[str, ast.expr] = {}
    for keyword in node.keywords:
        name = str(keyword.arg)
        if name not in known:
            suggestion = did_you_mean(name, known)
            message = (
                f"{function} takes no keyword {quote(name)}, only "
                f"{', '.join(f'`{one}`' for one in known)}.{suggestion}"
            )
            raise parts.error(keyword, message)
        if name in keywords:
            raise parts.error(keyword, f"The keyword `{name}` is given twice.")
        keywords[name] = keyword.value
    for name in required:
        if name not in keywords:
            message = f"{function} needs `{name}=`; write {_USAGE[function]}."
            raise parts.error(node, message)
    return keywords


def _value(parts: Parts, node: ast.Call, function: str) -> Node | None:
    expected = 0 if function in _WITHOUT_VALUE else 1
    if len(node.args) != expected:
        count = len(node.args)
        given = (
            "1 argument without a keyword is"
            if count == 1
            else (f"{count} arguments without a keyword are")
        )
        message = f"Write {_USAGE[function]}; {given} given."
        raise parts.error(node, message)
    if not node.args:
        return None
    if function != "distinct":
        return parts.number(node.args[0])
    counted = parts.value(node.args[0])
    if not isinstance(counted, FieldValue):
        raise parts.error(node.args[0], "distinct counts the values of a field.")
    if counted.field_kind == "text":
        message = (
            f"{quote(counted.name)} is a text; distinct counts categories, entities or numbers."
        )
        raise parts.error(node.args[0], message)
    return counted


def _by(parts: Parts, node: ast.expr) -> tuple[str, ...]:
    listed = node.elts if isinstance(node, ast.List) else [node]
    if not 1 <= len(listed) <= 2:
        raise parts.error(node, "`by` is one entity field, or a list of two.")
    names = []
    for part in listed:
        field = parts.value(part)
        if not isinstance(field, FieldValue) or field.field_kind != "entity":
            message = f"{parts.source.quote(part)} is not an entity field, so it has no history."
            raise parts.error(part, message)
        if field.name in names:
            raise parts.error(part, "The two fields of `by` are the same.")
        names.append(field.name)
    # A pair has no order: [A, B] and [B, A] are the same history.
    return tuple(sorted(names))


def _window_us(parts: Parts, node: ast.expr | None) -> int | None:
    if node is None:
        return None
    window_us = _duration_us(parts, node, "window")
    if not MIN_WINDOW_US <= window_us <= MAX_WINDOW_US:
        raise parts.error(node, "A window is at least 1 minute ('1m') and at most 90 days ('90d').")
    return window_us


def _delay_us(parts: Parts, node: ast.expr | None) -> int:
    if node is None:
        return 0
    delay_us = _duration_us(parts, node, "delay")
    if delay_us > MAX_WINDOW_US:
        raise parts.error(node, "A delay is at most 90 days ('90d').")
    return delay_us


def _duration_us(parts: Parts, node: ast.expr, name: str) -> int:
    text = node.value if isinstance(node, ast.Constant) else None
    duration_us = parse_duration(text) if isinstance(text, str) else None
    if duration_us is None:
        message = (
            f"{parts.source.quote(node)} is not a duration; write a whole number and s, m, h or d, "
            f"such as {name}='7d'."
        )
        raise parts.error(node, message)
    return duration_us
