"""Checker: turns Python's syntax tree into nodes whose names and kinds fit the schema."""

from __future__ import annotations

import ast
import math
from typing import cast

from scoring.errors import InvalidExpression
from scoring.expressions.canonical import SCORE
from scoring.expressions.checking.calls import (
    CALLS,
    SCORED_CALLS,
    WINDOW_FUNCTIONS,
    refuse_in_window,
)
from scoring.expressions.checking.refused_syntax import REFUSED_OPERATORS, REFUSED_SYNTAX
from scoring.expressions.checking.source import Source, quote
from scoring.expressions.checking.suggestions import did_you_mean
from scoring.expressions.checking.window_calls import check_window
from scoring.expressions.nodes import (
    Arithmetic,
    ArithmeticOperator,
    Boolean,
    Comparison,
    ComparisonOperator,
    FeatureValue,
    FieldValue,
    Logic,
    Membership,
    Negative,
    Node,
    Not,
    Number,
    Score,
    Text,
)
from scoring.expressions.schema import Schema

_ARITHMETIC: dict[type[ast.operator], ArithmeticOperator] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Mod: "%",
    ast.Pow: "**",
}
_COMPARISON: dict[type[ast.cmpop], ComparisonOperator] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_AS_NUMBER = {
    "text": "write code(x) for a category's code, or compare it with a text",
    "timestamp": "write hour(x) or weekday(x), or subtract another timestamp",
}


class Checker:
    """Checks one expression.

    Attributes:
        source: text of the expression, for errors.
        schema: fields that it may name.
        no_windows: sentence that says why no window may stand here; None where one may.
    """

    def __init__(self, source: Source, schema: Schema, no_windows: str | None = None) -> None:
        self.source = source
        self.schema = schema
        self.no_windows = no_windows

    def without_windows(self, reason: str) -> Checker:
        """Return a checker of the same expression that refuses windows for a reason."""
        return Checker(self.source, self.schema, reason)

    def error(self, node: ast.AST, message: str) -> InvalidExpression:
        """Return the error of one part of the expression."""
        return self.source.error(node, message)

    def value(self, node: ast.expr) -> Node:
        """Return a part that has a value of any kind but a text in quotes."""
        checked = self.any_value(node)
        if isinstance(checked, Text):
            raise self.error(node, "A text in quotes stands only beside a field's name.")
        return checked

    def number(self, node: ast.expr) -> Node:
        """Return a part that is a number; a boolean counts as 0 or 1."""
        return self._as_number(node, self.value(node))

    def _as_number(self, node: ast.expr, checked: Node) -> Node:
        if checked.kind in _AS_NUMBER:
            kind, hint = checked.kind, _AS_NUMBER[checked.kind]
            message = f"{self.source.quote(node)} is a {kind}, not a number; {hint}."
            raise self.error(node, message)
        return checked

    def condition(self, node: ast.expr) -> Node:
        """Return a part that is true or false."""
        checked = self.value(node)
        if checked.kind != "boolean":
            message = (
                f"{self.source.quote(node)} is a {checked.kind}, not a condition; "
                "compare it with something."
            )
            raise self.error(node, message)
        return checked

    def text_field(self, node: ast.expr) -> FieldValue:
        """Return a part that is a category, entity or text field."""
        checked = self.value(node)
        if not isinstance(checked, FieldValue) or checked.kind != "text":
            message = f"{self.source.quote(node)} is not a category, entity or text field."
            raise self.error(node, message)
        return checked

    def text(self, node: ast.expr, what: str) -> str:
        """Return a text in quotes."""
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            raise self.error(node, f"{what} is a text in quotes.")
        return node.value

    def field(self, node: ast.AST, name: str) -> FieldValue:
        """Return a field by its name."""
        field = self.schema.fields.get(name)
        if name == self.schema.label or (field is not None and field.role == "label"):
            message = f"{quote(name)} is the label, which is not known when a payment is decided."
            raise self.error(node, message)
        if field is None:
            usable = [known.name for known in self.schema.fields.values() if not known.ignored]
            what = "field"
            if self.schema.scored is not None:
                usable += [SCORE, *self.schema.scored.features]
                what = "field or feature"
            hint = did_you_mean(name, usable) or self._in_quotes(name)
            message = f"There is no {what} {quote(name)}.{hint}"
            raise self.error(node, message)
        if field.ignored:
            message = f"{quote(name)} is ignored by the event type, so no event has its value."
            raise self.error(node, message)
        return FieldValue(name, field.kind)

    def any_value(self, node: ast.expr) -> Node:
        """Return a part of any kind."""
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name():
                return self._named(node)
            case ast.UnaryOp():
                return self._unary(node)
            case ast.BinOp():
                return self._arithmetic(node)
            case ast.BoolOp():
                conditions = tuple(self.condition(part) for part in node.values)
                return Logic("and" if isinstance(node.op, ast.And) else "or", conditions)
            case ast.Compare():
                return self._comparison(node)
            case ast.Call():
                return self._call(node)
        message = REFUSED_SYNTAX.get(type(node), "The language has no such form.")
        raise self.error(node, message)

    def _named(self, node: ast.Name) -> Node:
        scored = self.schema.scored
        if scored is not None and node.id == SCORE:
            refuse_in_window(self, node)
            return Score()
        # A field comes first; a feature of the same name is written feature('name').
        if scored is not None and node.id in scored.features.keys() - self.schema.fields.keys():
            refuse_in_window(self, node)
            return FeatureValue(node.id, scored.features[node.id])
        return self.field(node, node.id)

    def _constant(self, node: ast.Constant) -> Node:
        match node.value:
            case bool():
                return Boolean(node.value)
            case str():
                return Text(node.value)
            case int() | float():
                try:
                    number = float(node.value)
                except OverflowError:
                    number = math.inf
                if math.isinf(number):
                    raise self.error(node, "The number is too large; the largest is 1.79e308.")
                return Number(number)
            case None:
                raise self.error(node, "The language has no `None`; write is_missing(x).")
        raise self.error(node, f"{self.source.quote(node)} is not a number, a text, True or False.")

    def _unary(self, node: ast.UnaryOp) -> Node:
        match node.op:
            case ast.USub():
                return Negative(self.number(node.operand))
            case ast.Not():
                return Not(self.condition(node.operand))
        raise self.error(node, REFUSED_OPERATORS[type(node.op)])

    def _arithmetic(self, node: ast.BinOp) -> Node:
        operator = _ARITHMETIC.get(type(node.op))
        if operator is None:
            raise self.error(node, REFUSED_OPERATORS[type(node.op)])
        left, right = self.value(node.left), self.value(node.right)
        if left.kind == "timestamp" and operator == "-":
            if right.kind != "timestamp":
                message = (
                    f"{self.source.quote(node.right)} is a {right.kind}; "
                    "only another timestamp is subtracted from a timestamp."
                )
                raise self.error(node.right, message)
            return Arithmetic(operator, left, right)
        return Arithmetic(
            operator, self._as_number(node.left, left), self._as_number(node.right, right)
        )

    def _in_quotes(self, name: str) -> str:
        """Return how a value of a category is written, where the name is one."""
        known = (field.values or () for field in self.schema.fields.values())
        return f" A text stands in quotes: '{name}'." if any(name in one for one in known) else ""

    def _comparison(self, node: ast.Compare) -> Node:
        parts = [node.left, *node.comparators]
        for op in node.ops:
            if type(op) in REFUSED_OPERATORS:
                raise self.error(node, REFUSED_OPERATORS[type(op)])
        if any(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
            if len(parts) != 2:
                raise self.error(node, "`in` stands alone; join comparisons with `and`.")
            return self._membership(node)
        operators = tuple(_COMPARISON[type(op)] for op in node.ops)
        operands = tuple(self.any_value(part) for part in parts)
        for index, operator in enumerate(operators):
            self._check_pair(operator, parts[index : index + 2], operands[index : index + 2])
        return Comparison(operands, operators)

    def _check_pair(
        self, operator: ComparisonOperator, parts: list[ast.expr], pair: tuple[Node, ...]
    ) -> None:
        left, right = pair
        kinds = {"number" if operand.kind == "boolean" else operand.kind for operand in pair}
        if len(kinds) == 2:
            message = (
                f"{self.source.quote(parts[0])} is a {left.kind} and "
                f"{self.source.quote(parts[1])} is a {right.kind}; they do not compare."
            )
            raise self.error(parts[1], message)
        if kinds != {"text"}:
            return
        if operator not in ("==", "!="):
            raise self.error(parts[1], "Texts have no order; compare them with `==` or `!=`.")
        if isinstance(left, Text) == isinstance(right, Text):
            raise self.error(parts[1], "A field is compared with a text in quotes.")
        field, text, part = (
            (left, right, parts[1]) if isinstance(right, Text) else (right, left, parts[0])
        )
        self._check_category_value(cast(FieldValue, field), cast(Text, text), part)

    def _check_category_value(self, field: FieldValue, text: Text, part: ast.expr) -> None:
        closed = self.schema.fields[field.name].values
        if closed is not None and text.value not in closed:
            message = (
                f"{quote(field.name)} is never {quote(text.value)}."
                f"{did_you_mean(text.value, closed)}"
            )
            raise self.error(part, message)

    def _membership(self, node: ast.Compare) -> Node:
        listed = node.comparators[0]
        if not isinstance(listed, ast.List) or not listed.elts:
            raise self.error(listed, "After `in` stands a list in square brackets, such as [1, 2].")
        operand = self.value(node.left)
        if operand.kind == "timestamp":
            raise self.error(node.left, "A timestamp is compared with `<` and `>`, not with `in`.")
        items = tuple(self.any_value(item) for item in listed.elts)
        for item, part in zip(items, listed.elts, strict=True):
            if operand.kind == "text":
                if not isinstance(item, Text):
                    raise self.error(part, "The list is one of texts in quotes.")
                self._check_category_value(cast(FieldValue, operand), item, part)
            elif not _is_written_number(item):
                raise self.error(part, "The list is one of numbers that are written out.")
        return Membership(operand, items, isinstance(node.ops[0], ast.NotIn))

    def _call(self, node: ast.Call) -> Node:
        if not isinstance(node.func, ast.Name):
            raise self.error(node.func, "Only a function's name stands before `(`.")
        name = node.func.id
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                raise self.error(argument, REFUSED_SYNTAX[ast.Starred])
        for keyword in node.keywords:
            if keyword.arg is None:
                raise self.error(keyword, "The language has no `**` before a value.")
        if name in WINDOW_FUNCTIONS and (name not in CALLS or node.keywords):
            return check_window(self, node, name)
        calls = CALLS if self.schema.scored is None else CALLS | SCORED_CALLS
        check = calls.get(name)
        if check is None:
            known = did_you_mean(name, [*calls, *WINDOW_FUNCTIONS])
            raise self.error(node.func, f"There is no function {quote(name)}.{known}")
        if node.keywords:
            keyword_name = str(node.keywords[0].arg)
            message = f"{name} takes no keyword {quote(keyword_name)}."
            raise self.error(node.keywords[0], message)
        return check(self, node)


def _is_written_number(node: Node) -> bool:
    return isinstance(node, Number) or (
        isinstance(node, Negative) and isinstance(node.operand, Number)
    )
