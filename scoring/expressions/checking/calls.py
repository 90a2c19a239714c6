"""Calls: the functions of an event's own values, each with the check of its arguments."""

from __future__ import annotations

import ast
from collections.abc import Callable

from scoring.expressions.checking.parts import Parts
from scoring.expressions.checking.source import quote
from scoring.expressions.checking.suggestions import did_you_mean
from scoring.expressions.nodes import Call, FeatureValue, Function, InList, Node, StartsWith

WINDOW_FUNCTIONS = (
    "count",
    "sum",
    "mean",
    "max",
    "min",
    "std",
    "distinct",
    "seconds_since_last",
    "first_seen",
    "fraud_rate",
)


def _require_count(parts: Parts, node: ast.Call, count: int, usage: str) -> None:
    if len(node.args) != count:
        given = "1 argument is" if len(node.args) == 1 else f"{len(node.args)} arguments are"
        raise parts.error(node, f"Write {usage}; {given} given.")


def _of_number(function: Function) -> Callable[[Parts, ast.Call], Node]:
    def check(parts: Parts, node: ast.Call) -> Node:
        _require_count(parts, node, 1, f"{function}(number)")
        return Call(function, (parts.number(node.args[0]),), "number")

    return check


def _of_timestamp(function: Function) -> Callable[[Parts, ast.Call], Node]:
    def check(parts: Parts, node: ast.Call) -> Node:
        _require_count(parts, node, 1, f"{function}(timestamp)")
        operand = parts.value(node.args[0])
        if operand.kind != "timestamp":
            message = f"{parts.source.quote(node.args[0])} is a {operand.kind}, not a timestamp."
            raise parts.error(node.args[0], message)
        return Call(function, (operand,), "number")

    return check


def _extreme(function: Function) -> Callable[[Parts, ast.Call], Node]:
    def check(parts: Parts, node: ast.Call) -> Node:
        if len(node.args) < 2:
            message = (
                f"Write {function}(a, b), or {function}(number, by=FIELD, window='30d') "
                "for a window."
            )
            raise parts.error(node, message)
        return Call(function, tuple(parts.number(part) for part in node.args), "number")

    return check


def _where(parts: Parts, node: ast.Call) -> Node:
    _require_count(parts, node, 3, "where(condition, a, b)")
    condition = parts.condition(node.args[0])
    chosen = tuple(parts.value(part) for part in node.args[1:])
    kinds = {part.kind for part in chosen}
    if "text" in kinds:
        raise parts.error(node, "where chooses between numbers, conditions or timestamps.")
    if len(kinds) == 2 and "timestamp" in kinds:
        raise parts.error(node, "where chooses between two values of one kind.")
    kind = chosen[0].kind if len(kinds) == 1 else "number"
    return Call("where", (condition, *chosen), kind)


def _is_missing(parts: Parts, node: ast.Call) -> Node:
    _require_count(parts, node, 1, "is_missing(x)")
    return Call("is_missing", (parts.value(node.args[0]),), "boolean")


def _code(parts: Parts, node: ast.Call) -> Node:
    _require_count(parts, node, 1, "code(CATEGORY)")
    field = parts.text_field(node.args[0])
    if field.field_kind != "category":
        message = f"{parts.source.quote(node.args[0])} is not a category, so it has no codes."
        raise parts.error(node.args[0], message)
    if parts.schema.values_of(field.name) is None:
        message = (
            f"{parts.source.quote(node.args[0])} is an open category; its codes need the feature "
            "set's `categories`."
        )
        raise parts.error(node.args[0], message)
    return Call("code", (field,), "number")


def _starts_with(parts: Parts, node: ast.Call) -> Node:
    _require_count(parts, node, 2, "starts_with(FIELD, 'prefix')")
    field = parts.text_field(node.args[0])
    prefix = parts.text(node.args[1], "A prefix")
    if not prefix:
        raise parts.error(node.args[1], "A prefix has at least one character.")
    return StartsWith(field, prefix)


def _field(parts: Parts, node: ast.Call) -> Node:
    _require_count(parts, node, 1, "field('name')")
    return parts.field(node, parts.text(node.args[0], "A field's name"))


def refuse_in_window(parts: Parts, node: ast.AST) -> None:
    """Refuse a value of the payment that is decided inside a window, which reads past events."""
    if parts.no_windows is not None:
        message = "A window reads past events, which have fields alone; this is of the payment."
        raise parts.error(node, message)


def _feature(parts: Parts, node: ast.Call) -> Node:
    refuse_in_window(parts, node)
    _require_count(parts, node, 1, "feature('name')")
    name = parts.text(node.args[0], "A feature's name")
    features = parts.schema.scored.features if parts.schema.scored else {}
    if name not in features:
        message = f"The model has no feature {quote(name)}.{did_you_mean(name, features)}"
        raise parts.error(node.args[0], message)
    return FeatureValue(name, features[name])


def _in_list(parts: Parts, node: ast.Call) -> Node:
    refuse_in_window(parts, node)
    _require_count(parts, node, 2, "in_list('name', FIELD)")
    name = parts.text(node.args[0], "A list's name")
    lists = parts.schema.scored.lists if parts.schema.scored else {}
    if name not in lists:
        message = f"There is no list {quote(name)}.{did_you_mean(name, lists)}"
        raise parts.error(node.args[0], message)
    operand = parts.text_field(node.args[1])
    entity = parts.schema.fields[operand.name].entity
    field = parts.source.quote(node.args[1])
    if operand.field_kind != "entity":
        message = f"{field} is a {operand.field_kind}; a list has entities."
        raise parts.error(node.args[1], message)
    if entity != lists[name]:
        message = (
            f"{field} is a {entity}; the list {quote(name)} has entities of the kind {lists[name]}."
        )
        raise parts.error(node.args[1], message)
    return InList(name, operand)


CALLS: dict[str, Callable[[Parts, ast.Call], Node]] = {
    "abs": _of_number("abs"),
    "log": _of_number("log"),
    "sqrt": _of_number("sqrt"),
    "min": _extreme("min"),
    "max": _extreme("max"),
    "where": _where,
    "is_missing": _is_missing,
    "hour": _of_timestamp("hour"),
    "weekday": _of_timestamp("weekday"),
    "code": _code,
    "starts_with": _starts_with,
    "field": _field,
}
"""Check by the function's name. `min` and `max` with keywords are windows."""
SCORED_CALLS: dict[str, Callable[[Parts, ast.Call], Node]] = {
    "feature": _feature,
    "in_list": _in_list,
}
"""Check by the name of a function that only a rule's condition has."""
