"""The language of features and rules: a small, typed subset of Python's expressions.

An expression is checked against the kinds of an event type's fields and compiled once into a
function of columns. Nothing is evaluated by Python itself, and nothing has a side effect.
docs/features.md is the reference of its functions; these are its rules.

Kinds
- An expression is a number or a boolean. A boolean is also taken as the number 0 or 1; a number is
  not taken as a condition.
- Categories, entities and texts are compared with texts in quotes; `code` makes a category a
  number. Timestamps are compared with and subtracted from timestamps, which gives seconds; `hour`
  and `weekday` make them numbers.

Missing values
- Arithmetic and functions with a missing value are missing; so are min and max.
- A comparison with a missing value is missing, also `==` and `in`.
- `and`, `or` and `not` follow three-valued logic as in SQL: `False and missing` is False, `True or
  missing` is True, and every other combination with a missing condition is missing.
- `where` with a missing condition is missing; otherwise the value that is not chosen does not
  matter.
- `is_missing(x)` is never missing.
- A division by zero, the logarithm of zero or less, the square root of less than zero, a power
  without a real value and a result beyond the largest number are missing. So a result is finite or
  missing, never infinite.
- The window filter `where=` lets an event pass that makes it True, so none that makes it missing.

Promises of the event type
- An expression is compiled for one version of an event type and relies on it: the columns hold a
  value of every required field, numbers within their bounds, and no infinite number. Against kinds
  alone, every field may be missing and has any size. The values are the same.

Numbers
- Numbers are float64. `+ - * /` and `sqrt` round as IEEE 754 does, `%` has its divisor's sign as in
  Python, `log` and `**` are those of the C library, and `x ** 2` is `x * x`. Values are the same
  bits for one event as for many.
- A zero that comes out of `min` or `max` is positive.
- Hours and days are of UTC.

Categories
- A code is the position in the closed list, or in the feature set's `categories` for an open one. A
  value that is not in it has the number of listed values as its code; a missing one is missing.

Rules
- A rule's condition is an expression with three more names (`ScoredNames`): `score`; a feature of
  the model version, by `feature('name')` or by its bare name where no field has it; and
  `in_list('name', FIELD)`. A window's value and filter have none of them.
- A field of the name `score` is written `field('score')`.

Windows
- A window call is a value like any other. Calls that mean the same, such as `'24h'` and `'1d'` or
  `[A, B]` and `[B, A]`, share one `WindowDefinition`.
- A window's value and filter hold no window.
"""

from __future__ import annotations

from scoring.expressions.checking.source import MAX_DEPTH, MAX_LENGTH
from scoring.expressions.compiler import (
    MAX_WINDOWS,
    CheckedExpression,
    CompiledExpression,
    check_expression,
    compile_expression,
)
from scoring.expressions.schema import Categories, Kinds, Schema, ScoredNames

__all__ = [
    "MAX_DEPTH",
    "MAX_LENGTH",
    "MAX_WINDOWS",
    "Categories",
    "CheckedExpression",
    "CompiledExpression",
    "Kinds",
    "Schema",
    "ScoredNames",
    "check_expression",
    "compile_expression",
]
