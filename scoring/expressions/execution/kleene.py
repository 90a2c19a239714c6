"""Kleene's three-valued logic on conditions in registers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import numpy as np

from scoring.expressions.execution.builder import Builder
from scoring.expressions.execution.registers import TruthRegisters


class Kleene:
    """Adds the steps of logic to a program."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def negation(self, truth: TruthRegisters) -> TruthRegisters:
        """Return `not`; missing stays missing."""
        never_missing = truth.is_false is None
        return TruthRegisters(self.false(truth), None if never_missing else truth.is_true)

    def all(self, truths: list[TruthRegisters]) -> TruthRegisters:
        """Return Kleene's `and`: true if all are true, false if one is false."""
        is_true = self._reduce(np.logical_and, [truth.is_true for truth in truths])
        if _never_missing(*truths):
            return TruthRegisters(is_true, None)
        is_false = self._reduce(np.logical_or, [self.false(truth) for truth in truths])
        return TruthRegisters(is_true, is_false)

    def any(self, truths: list[TruthRegisters]) -> TruthRegisters:
        """Return Kleene's `or`: true if one is true, false if all are false."""
        is_true = self._reduce(np.logical_or, [truth.is_true for truth in truths])
        if _never_missing(*truths):
            return TruthRegisters(is_true, None)
        is_false = self._reduce(np.logical_and, [self.false(truth) for truth in truths])
        return TruthRegisters(is_true, is_false)

    def choice(
        self, condition: TruthRegisters, then: TruthRegisters, otherwise: TruthRegisters
    ) -> TruthRegisters:
        """Return a condition that another one chooses; missing where that one is."""

        def choose(when_true: int, when_false: int) -> int:
            first = self._builder.apply(np.logical_and, condition.is_true, when_true)
            second = self._builder.apply(np.logical_and, self.false(condition), when_false)
            return self._builder.apply(np.logical_or, first, second)

        is_true = choose(then.is_true, otherwise.is_true)
        if _never_missing(condition, then, otherwise):
            return TruthRegisters(is_true, None)
        return TruthRegisters(is_true, choose(self.false(then), self.false(otherwise)))

    def false(self, truth: TruthRegisters) -> int:
        """Return the register of where a condition is false."""
        if truth.is_false is None:
            return self._builder.apply(np.logical_not, truth.is_true)
        return truth.is_false

    def _reduce(self, function: Callable[..., Any], registers: list[int]) -> int:
        return reduce(partial(self._builder.apply, function), registers)


def _never_missing(*truths: TruthRegisters) -> bool:
    return all(truth.is_false is None for truth in truths)
