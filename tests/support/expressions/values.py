"""The value of an expression on one event of a few fields."""

from __future__ import annotations

import math

import numpy as np

from scoring.columns import Column, TextColumn
from scoring.expressions import compile_expression
from scoring.expressions.schema import Categories

KINDS = {
    "A": "number",
    "B": "number",
    "FLAG": "boolean",
    "CHANNEL": "category",
    "CUSTOMER": "entity",
    "TERMINAL": "entity",
    "NOTE": "text",
    "TIME": "timestamp",
    "BORN": "timestamp",
}

MISSING = math.nan


def a_column(name: str, value: float | str | None) -> Column:
    if KINDS[name] in ("category", "entity", "text"):
        known = () if value is None else (str(value),)
        return TextColumn(np.array([-1 if value is None else 0]), known)
    return np.array([MISSING if value is None else float(value)])


def value_of(
    source: str, categories: Categories | None = None, window: float | None = None, **fields: object
) -> float:
    """Return an expression's value on one event; fields that are not given are missing."""
    columns = {name: a_column(name, fields.get(name)) for name in KINDS}  # type: ignore[arg-type]
    expression = compile_expression(source, KINDS, categories=categories or {})  # type: ignore[arg-type]
    windows = [np.array([MISSING if window is None else window])] * len(expression.windows)
    return float(expression.evaluate(columns, windows)[0])


def is_value(actual: float, expected: float) -> bool:
    return math.isnan(actual) if math.isnan(expected) else actual == expected
