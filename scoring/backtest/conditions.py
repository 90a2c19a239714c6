"""Conditions of suggested rules: parts that can be read, evaluated and rounded.

A part is false where its value is missing, unless it asks for that, as in the language of rules
where a missing condition does not fire.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from scoring.backtest.rule_columns import RuleColumn
from scoring.columns import BoolArray
from scoring.expressions.canonical import number_text

_MOST_DIGITS = 17
"""Significant digits that tell any two numbers apart."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A number is at least `low` and less than `high`; None: no bound."""

    column: int
    low: float | None
    high: float | None

    def holds(self, columns: Sequence[RuleColumn]) -> BoolArray:
        """Return where the part is true, bool (n,)."""
        values = columns[self.column].values
        holds: BoolArray = ~np.isnan(values)
        if self.low is not None:
            holds &= values >= self.low
        if self.high is not None:
            holds &= values < self.high
        return holds

    def text(self, columns: Sequence[RuleColumn]) -> str:
        """Return the part as conditions have it."""
        name = columns[self.column].text
        if self.low is None and self.high is None:
            return f"not is_missing({name})"
        if self.low is None:
            return f"{name} < {number_text(_plain(self.high))}"
        if self.high is None:
            return f"{name} >= {number_text(_plain(self.low))}"
        return f"{number_text(_plain(self.low))} <= {name} < {number_text(_plain(self.high))}"


@dataclass(frozen=True, slots=True)
class Truth:
    """A boolean is true, or false."""

    column: int
    is_true: bool

    def holds(self, columns: Sequence[RuleColumn]) -> BoolArray:
        """Return where the part is true, bool (n,)."""
        holds: BoolArray = columns[self.column].values == self.is_true
        return holds

    def text(self, columns: Sequence[RuleColumn]) -> str:
        """Return the part as conditions have it."""
        name = columns[self.column].text
        return name if self.is_true else f"not {name}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """A category is one of some values, by code, or none of them."""

    column: int
    codes: tuple[int, ...]
    is_negated: bool

    def holds(self, columns: Sequence[RuleColumn]) -> BoolArray:
        """Return where the part is true, bool (n,)."""
        values = columns[self.column].values
        holds: BoolArray = ~np.isnan(values) & (np.isin(values, self.codes) != self.is_negated)
        return holds

    def text(self, columns: Sequence[RuleColumn]) -> str:
        """Return the part as conditions have it."""
        column = columns[self.column]
        listed = [repr(column.categories[code]) for code in self.codes]
        if len(listed) == 1:
            return f"{column.text} {'!=' if self.is_negated else '=='} {listed[0]}"
        return f"{column.text} {'not in' if self.is_negated else 'in'} [{', '.join(listed)}]"


@dataclass(frozen=True, slots=True)
class IsMissing:
    """A value is missing."""

    column: int

    def holds(self, columns: Sequence[RuleColumn]) -> BoolArray:
        """Return where the part is true, bool (n,)."""
        holds: BoolArray = np.isnan(columns[self.column].values)
        return holds

    def text(self, columns: Sequence[RuleColumn]) -> str:
        """Return the part as conditions have it."""
        return f"is_missing({columns[self.column].text})"


Part = Interval | Truth | OneOf | IsMissing
Condition = tuple[Part, ...]
"""Parts that all have to be true."""


def holds(condition: Condition, columns: Sequence[RuleColumn]) -> BoolArray:
    """Return where a condition is true, bool (n,)."""
    first, *others = (part.holds(columns) for part in condition)
    for other in others:
        first &= other
    return first


def condition_text(condition: Condition, columns: Sequence[RuleColumn]) -> str:
    """Return a condition in the language of rules."""
    return " and ".join(part.text(columns) for part in condition)


def shortened(condition: Condition) -> Iterator[Condition]:
    """Yield the condition without each of its parts, and without each bound of an interval."""
    for place, part in enumerate(condition):
        before, after = condition[:place], condition[place + 1 :]
        if before or after:
            yield before + after
        if isinstance(part, Interval) and part.low is not None and part.high is not None:
            yield (*before, replace(part, low=None), *after)
            yield (*before, replace(part, high=None), *after)


def rounded(condition: Condition, digits: int) -> Condition:
    """Return a condition whose numbers have at most some significant digits."""
    return tuple(
        replace(part, low=_round(part.low, digits), high=_round(part.high, digits))
        if isinstance(part, Interval)
        else part
        for part in condition
    )


def shortest_between(below: float, above: float) -> float:
    """Return a number with few digits that is greater than `below` and at most `above`."""
    middle = below / 2 + above / 2
    for digits in range(1, _MOST_DIGITS + 1):
        for value in (above, middle):
            short = _rounded(value, digits)
            if below < short <= above:
                return short
    return above


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else _rounded(value, digits)


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits - 1}e}")


def _plain(value: float | None) -> float:
    """Return a number; zero without a sign."""
    return (value or 0.0) + 0.0
