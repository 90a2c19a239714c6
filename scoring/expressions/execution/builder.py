"""Builder: registers, constants and steps of a program, each distinct operation once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.expressions.execution.program import (
    ROW_COUNT,
    Program,
    Registers,
    Step,
    without_warnings,
)
from scoring.expressions.execution.text_tables import TextTable
from scoring.expressions.nodes import Answer
from scoring.windows.definition import WindowDefinition


class Builder:
    """Collects the steps of a program.

    Attributes:
        windows: windows so far, in the order of their first use.
        answers: values of a scored payment so far, in the order of their first use.
    """

    def __init__(self) -> None:
        self.windows: list[WindowDefinition] = []
        self.answers: list[Answer] = []
        self._registers: Registers = [None] * (ROW_COUNT + 1)
        self._by_key: dict[Hashable, int] = {}
        self._constants: set[int] = set()
        self._steps: list[Step] = []
        self._numbers: list[tuple[int, str]] = []
        self._codes: list[tuple[int, str]] = []
        self._tables: list[tuple[int, str, TextTable]] = []
        self._window_registers: list[int] = []
        self._answer_registers: list[int] = []

    def program(self, roots: list[int], *, may_be_missing: bool) -> Program:
        """Return the program whose values are those of some registers.

        Args:
            roots: registers of one value per event.
            may_be_missing: whether one of them may be NaN or infinite.
        """
        return Program(
            registers=tuple(self._registers),
            numbers=tuple(self._numbers),
            codes=tuple(self._codes),
            tables=tuple(self._tables),
            windows=(*self._window_registers, *self._answer_registers),
            inputs=(
                *(register for register, _ in self._numbers),
                *(register for register, _ in self._codes),
                *self._window_registers,
                *self._answer_registers,
            ),
            steps=tuple(self._steps),
            roots=tuple(roots),
            may_be_missing=may_be_missing,
        )

    def constant(self, value: float) -> int:
        """Return the register of a number."""
        return self._new_constant(("constant", value), np.array(value))

    def truth_constant(self, is_true: bool) -> int:
        """Return the register of a condition that does not depend on the event."""
        return self._new_constant(("truth", is_true), np.array(is_true))

    def number_field(self, name: str) -> int:
        """Return the register of a field of numbers."""
        return self._input(
            ("number", name), lambda register: self._numbers.append((register, name))
        )

    def text_codes(self, name: str) -> int:
        """Return the register of a text field's codes."""
        return self._input(("codes", name), lambda register: self._codes.append((register, name)))

    def text_table(self, name: str, question: Hashable, table: TextTable) -> int:
        """Return the register of a question about a text field's values."""
        return self._input(
            ("table", name, question),
            lambda register: self._tables.append((register, name, table)),
        )

    def window(self, definition: WindowDefinition) -> int:
        """Return the register of a window's values."""

        def add(register: int) -> None:
            self.windows.append(definition)
            self._window_registers.append(register)

        return self._input(("window", definition), add)

    def answer(self, answer: Answer) -> int:
        """Return the register of a value of a scored payment."""

        def add(register: int) -> None:
            self.answers.append(answer)
            self._answer_registers.append(register)

        return self._input(("answer", answer), add)

    def apply(self, function: Callable[..., Any], *operands: int) -> int:
        """Return the register of an operation's result; constants are computed here."""
        key = (function, operands)
        known = self._by_key.get(key)
        if known is not None:
            return known
        if self._constants.issuperset(operands):
            values = [self._registers[operand].reshape(1) for operand in operands]
            return self._new_constant(key, without_warnings(function, *values).reshape(()))
        register = self._new_register(key)
        self._steps.append(_step(function, operands, register))
        return register

    def spread(self, register: int) -> int:
        """Return the register of the same values with one per event, also if they are constant."""
        if register not in self._constants:
            return register
        known = self._by_key.get(("spread", register))
        if known is not None:
            return known
        value = self._registers[register]
        spread = self._new_register(("spread", register))
        self._steps.append(_step(lambda rows: np.full(rows, value), (ROW_COUNT,), spread))
        return spread

    def _input(self, key: Hashable, add: Callable[[int], None]) -> int:
        known = self._by_key.get(key)
        if known is not None:
            return known
        register = self._new_register(key)
        add(register)
        return register

    def _new_constant(self, key: Hashable, value: NDArray[Any]) -> int:
        known = self._by_key.get(key)
        if known is not None:
            return known
        register = self._new_register(key)
        self._registers[register] = value
        self._constants.add(register)
        return register

    def _new_register(self, key: Hashable) -> int:
        self._registers.append(None)
        self._by_key[key] = len(self._registers) - 1
        return len(self._registers) - 1


def _step(function: Callable[..., Any], operands: tuple[int, ...], result: int) -> Step:
    first, *others = operands
    second = others.pop(0) if others else None
    return function, first, second, tuple(others) or None, result
