"""A naive interpreter of expressions: one event at a time, Python's floats, None for missing.

It is written from the language's rules alone and shares no code with `scoring.expressions`.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from scoring.columns import FloatArray
from scoring.windows.definition import WindowDefinition
from tests.support.expressions.events import PastEvent

WINDOWS = (
    *("count", "sum", "mean", "std", "max", "min", "distinct"),
    *("seconds_since_last", "first_seen", "fraud_rate"),
)
UNITS_US = {"s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}
HOPS_US = [86400 * 10**6, 6 * 3600 * 10**6, 3600 * 10**6, 300 * 10**6, 60 * 10**6, 5 * 10**6, 10**6]


class Naive:
    """Evaluates expressions on one event.

    Args:
        categories: values of each category in the order of their codes.
        time: name of the time field.
    """

    def __init__(self, categories: Mapping[str, Sequence[str]], time: str) -> None:
        self.categories = categories
        self.time = time

    def numbers(self, source: str, rows: Sequence[PastEvent]) -> FloatArray:
        """Return an expression's value for each of some events by arrival, NaN if missing."""
        tree = ast.parse(source.strip(), mode="eval").body
        values = [self.evaluate(tree, row, rows[:index]) for index, row in enumerate(rows)]
        return np.array([math.nan if value is None else float(value) for value in values])

    def evaluate(self, node: ast.expr, event: PastEvent, past: Sequence[PastEvent]) -> Any:
        values = event.values
        match node:
            case ast.Constant(value):
                return float(value) if type(value) in (int, float) else value
            case ast.Name(name):
                return values.get(name)
            case ast.UnaryOp(ast.USub(), operand):
                number = self.evaluate(operand, event, past)
                return None if number is None else -float(number)
            case ast.UnaryOp(ast.Not(), operand):
                truth = self.evaluate(operand, event, past)
                return None if truth is None else not truth
            case ast.BinOp(left, operator, right):
                is_square = isinstance(right, ast.Constant) and right.value == 2
                a, b = self.evaluate(left, event, past), self.evaluate(right, event, past)
                return arithmetic(type(operator), a, b, is_square)
            case ast.BoolOp(operator, parts):
                truths = [self.evaluate(part, event, past) for part in parts]
                return kleene(isinstance(operator, ast.And), truths)
            case ast.Compare(left, [ast.In() | ast.NotIn() as operator], [ast.List(items)]):
                value = self.evaluate(left, event, past)
                if value is None:
                    return None
                is_in = value in [self.evaluate(item, event, past) for item in items]
                return is_in is isinstance(operator, ast.In)
            case ast.Compare(left, operators, others):
                operands = [self.evaluate(part, event, past) for part in (left, *others)]
                pairs = zip(operators, operands, operands[1:], strict=False)
                return kleene(True, [compare(type(op), a, b) for op, a, b in pairs])
            case ast.Call(ast.Name(name), arguments, keywords):
                if name in WINDOWS and keywords:
                    given = {str(keyword.arg): keyword.value for keyword in keywords}
                    return self._window(name, arguments, given, event, past)
                return self._call(name, arguments, event, past)
        raise AssertionError(ast.dump(node))

    def _call(
        self, name: str, arguments: list[ast.expr], event: PastEvent, past: Sequence[PastEvent]
    ) -> Any:
        if name == "field":
            return event.values.get(ast.literal_eval(arguments[0]))
        given = [self.evaluate(part, event, past) for part in arguments]
        if name == "is_missing":
            return given[0] is None
        if name == "where":
            chosen = {True: given[1], False: given[2], None: None}[given[0]]
            kept = all(isinstance(value, bool | None) for value in given[1:])
            return chosen if chosen is None or kept else float(chosen)
        if any(value is None for value in given):
            return None
        match name:
            case "abs":
                return abs(float(given[0]))
            case "log":
                return math.log(given[0]) if given[0] > 0 else None
            case "sqrt":
                return math.sqrt(given[0]) if given[0] >= 0 else None
            case "min":
                return float(min(given)) + 0.0
            case "max":
                return float(max(given)) + 0.0
            case "hour":
                return float(moment(given[0]).hour)
            case "weekday":
                return float(moment(given[0]).weekday())
            case "starts_with":
                return str(given[0]).startswith(given[1])
            case "code":
                known = self.categories[self._name(arguments[0])]
                return float(known.index(given[0]) if given[0] in known else len(known))
        raise AssertionError(name)

    @staticmethod
    def _name(node: ast.expr) -> str:
        match node:
            case ast.Name(name):
                return name
            case ast.Call(ast.Name("field"), [ast.Constant(name)]):
                return str(name)
        raise AssertionError(ast.dump(node))

    def _window(
        self,
        function: str,
        arguments: list[ast.expr],
        keywords: Mapping[str, ast.expr],
        event: PastEvent,
        past: Sequence[PastEvent],
    ) -> float | None:
        by = keywords["by"]
        names = [self._name(part) for part in (by.elts if isinstance(by, ast.List) else [by])]
        return self.window(
            function,
            names,
            None if "window" not in keywords else duration_us(keywords["window"]),
            0 if "delay" not in keywords else duration_us(keywords["delay"]),
            arguments[0] if arguments else None,
            keywords.get("where"),
            event,
            past,
        )

    def window(
        self,
        function: str,
        by: Sequence[str],
        window_us: int | None,
        delay_us: int,
        value: ast.expr | None,
        where: ast.expr | None,
        event: PastEvent,
        past: Sequence[PastEvent],
    ) -> float | None:
        """Return a window's value, from a list of all events that arrived before."""
        key = [event.values.get(name) for name in by]
        seen: list[PastEvent] = []
        if None not in key and event.time_us is not None:
            hop = hop_us(window_us or 90 * UNITS_US["d"])
            start = (event.time_us - (window_us or 90 * UNITS_US["d"]) - delay_us) // hop * hop
            seen = [
                other
                for other in past
                if other.time_us is not None
                and start <= other.time_us < event.time_us - delay_us
                and [other.values.get(name) for name in by] == key
                and (where is None or self.evaluate(where, other, []) is True)
            ]
        times = [other.time_us for other in seen if other.time_us is not None]
        numbers = (
            []
            if value is None
            else [v for other in seen if (v := self.evaluate(value, other, [])) is not None]
        )
        match function:
            case "count":
                return float(len(seen))
            case "sum":
                return finite(math.fsum(numbers))
            case "distinct":
                return float(len(set(numbers)))
            case "fraud_rate":
                known = [
                    other.is_fraud
                    for other in seen
                    if other.known_at_us is not None and other.known_at_us <= (event.time_us or 0)
                ]
                return sum(known) / len(seen) if seen else None
            case "seconds_since_last":
                return ((event.time_us or 0) - max(times)) / 10**6 if times else None
            case "first_seen":
                return ((event.time_us or 0) - min(times)) / 10**6 if times else None
        if not numbers:
            return None
        match function:
            case "mean":
                return finite(math.fsum(numbers) / len(numbers))
            case "max":
                return float(max(numbers)) + 0.0
            case "min":
                return float(min(numbers)) + 0.0
            case "std":
                mean = math.fsum(numbers) / len(numbers)
                square = math.fsum(number * number for number in numbers) / len(numbers)
                return finite(math.sqrt(max(0.0, square - mean * mean)))
        raise AssertionError(function)

    def window_column(self, definition: WindowDefinition, rows: Sequence[PastEvent]) -> FloatArray:
        """Return a window's value for each of some events by arrival, from its definition alone."""
        parsed = {
            text: ast.parse(text, mode="eval").body
            for text in (definition.value, definition.where)
            if text is not None
        }
        values = [
            self.window(
                definition.function,
                definition.by,
                definition.window_us,
                definition.delay_us,
                parsed.get(definition.value or ""),
                parsed.get(definition.where or ""),
                row,
                rows[:index],
            )
            for index, row in enumerate(rows)
        ]
        return np.array([math.nan if value is None else value for value in values])


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def arithmetic(operator: type[ast.operator], a: Any, b: Any, is_square: bool) -> float | None:
    if a is None or b is None:
        return None
    a, b = float(a), float(b)
    try:
        if operator is ast.Add:
            return finite(a + b)
        if operator is ast.Sub:
            return finite(a - b)
        if operator is ast.Mult:
            return finite(a * b)
        if operator is ast.Div:
            return finite(a / b)
        if operator is ast.Mod:
            return finite(a % b)
        return finite(a * a if is_square else math.pow(a, b))
    except (ZeroDivisionError, OverflowError, ValueError):
        return None


def compare(operator: type[ast.cmpop], a: Any, b: Any) -> bool | None:
    if a is None or b is None:
        return None
    return {
        ast.Lt: lambda: a < b,
        ast.LtE: lambda: a <= b,
        ast.Gt: lambda: a > b,
        ast.GtE: lambda: a >= b,
        ast.Eq: lambda: a == b,
        ast.NotEq: lambda: a != b,
    }[operator]()


def kleene(is_and: bool, truths: Sequence[bool | None]) -> bool | None:
    if (not is_and) in truths:
        return not is_and
    return None if None in truths else is_and


def moment(seconds: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=math.floor(seconds))


def duration_us(node: ast.expr) -> int:
    text = ast.literal_eval(node)
    return int(text[:-1]) * UNITS_US[text[-1]]


def hop_us(window_us: int) -> int:
    return next(hop for hop in HOPS_US if hop * 30 <= window_us or hop == 10**6)
