"""Program: compiled expressions as a list of array operations on numbered registers."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from scoring.columns import Column, Columns, FloatArray, TextColumn
from scoring.expressions.execution.text_tables import TextTable

R = TypeVar("R")
Registers = list[Any]
Step = tuple[Callable[..., Any], int, int | None, tuple[int, ...] | None, int]
"""Operation, the registers of its first and second operand and of the others, and its result's."""

ROW_COUNT = 0
"""Register of the number of rows."""
CHUNK_ROWS = 65_536
"""Rows that are computed at a time, so that what lies between stays small."""

TRUTH_ROWS = 4_096
"""Rows whose conditions are computed at a time: what lies between stays in the CPU's cache."""
TRUE, FALSE, UNKNOWN = 1, 0, -1
"""Values of a condition; UNKNOWN is missing."""

_MISSING = np.array(np.nan)

# `np.errstate` takes 1 µs, a tenth of a small feature set's time for one row; running in a copy of
# a context in which it is set takes 0.3 µs.
_WITHOUT_WARNINGS = contextvars.copy_context()
_WITHOUT_WARNINGS.run(np.seterr, all="ignore")


def without_warnings(function: Callable[..., R], *arguments: object) -> R:
    """Call a function with NumPy's floating-point warnings off."""
    return _WITHOUT_WARNINGS.copy().run(function, *arguments)


@dataclass(frozen=True, slots=True)
class Program:
    """Steps that compute the values of several expressions, each common part once.

    Attributes:
        registers: initial registers, with the constants.
        numbers: register and name of each numeric field.
        codes: register and name of each text field.
        tables: register, name and table of each question about a text field.
        windows: register of each window, in the order of the windows' definitions, then of each
            answer in order.
        inputs: registers of one value per event: numbers, codes and windows.
        steps: operations in order.
        roots: register of each expression's value, float64 or bool (n,).
        may_be_missing: whether a root may be NaN, or infinite in its place.
    """

    registers: tuple[Any, ...]
    numbers: tuple[tuple[int, str], ...]
    codes: tuple[tuple[int, str], ...]
    tables: tuple[tuple[int, str, TextTable], ...]
    windows: tuple[int, ...]
    inputs: tuple[int, ...]
    steps: tuple[Step, ...]
    roots: tuple[int, ...]
    may_be_missing: bool

    def matrix(self, columns: Columns, window_values: Sequence[FloatArray]) -> FloatArray:
        """Return the values of all expressions for n events.

        Args:
            columns: columns of at least the fields that are used.
            window_values: values of each window and answer, float64 (n,), in the order of
                `windows`.

        Returns:
            C-contiguous float64 (n, number of expressions), each value finite or NaN.
        """
        return without_warnings(self._matrix, columns, window_values)

    def truths(self, columns: Columns, window_values: Sequence[FloatArray]) -> NDArray[np.int8]:
        """Return the values of all conditions for n events; otherwise as `matrix`.

        Returns:
            int8 (number of expressions, n), each TRUE, FALSE or UNKNOWN.
        """
        return without_warnings(self._truths, columns, window_values)

    def _matrix(self, columns: Columns, window_values: Sequence[FloatArray]) -> FloatArray:
        registers, rows = self._loaded(columns, window_values)
        if rows <= CHUNK_ROWS:
            return self._chunk(registers, rows)
        inputs = [(register, registers[register]) for register in self.inputs]
        result = np.empty((rows, len(self.roots)))
        for start in range(0, rows, CHUNK_ROWS):
            end = min(start + CHUNK_ROWS, rows)
            for register, values in inputs:
                registers[register] = values[start:end]
            result[start:end] = self._chunk(registers, end - start)
        return result

    def _truths(self, columns: Columns, window_values: Sequence[FloatArray]) -> NDArray[np.int8]:
        registers, rows = self._loaded(columns, window_values)
        inputs = [(register, registers[register]) for register in self.inputs]
        result = np.empty((len(self.roots), rows), np.int8)
        for start in range(0, rows, TRUTH_ROWS):
            end = min(start + TRUTH_ROWS, rows)
            for register, values in inputs:
                registers[register] = values[start:end]
            self._run(registers, end - start)
            for row, root in zip(result, self.roots, strict=True):
                values = registers[root]
                row[start:end] = np.where(np.equal(values, values), values, UNKNOWN)
        return result

    def _loaded(
        self, columns: Columns, window_values: Sequence[FloatArray]
    ) -> tuple[Registers, int]:
        """Return the registers with the inputs of all rows, and the number of rows."""
        if len(window_values) != len(self.windows):
            message = f"{len(window_values)} window columns for {len(self.windows)} windows"
            raise ValueError(message)
        registers: Registers = list(self.registers)
        for register, name in self.numbers:
            registers[register] = columns[name]
        for register, name in self.codes:
            registers[register] = columns[name].codes  # type: ignore[union-attr]
        if self.windows:
            for register, values in zip(self.windows, window_values, strict=True):
                registers[register] = values
        rows = len(registers[self.inputs[0]]) if self.inputs else _row_count(columns)
        for register, name, table in self.tables:
            registers[register] = table(columns[name].values)  # type: ignore[union-attr]
        return registers, rows

    def _run(self, registers: Registers, rows: int) -> None:
        registers[ROW_COUNT] = rows
        for function, first, second, others, result in self.steps:
            if second is None:
                registers[result] = function(registers[first])
            elif others is None:
                registers[result] = function(registers[first], registers[second])
            else:
                rest = [registers[other] for other in others]
                registers[result] = function(registers[first], registers[second], *rest)

    def _chunk(self, registers: Registers, rows: int) -> FloatArray:
        self._run(registers, rows)
        values = np.concatenate([registers[root] for root in self.roots], dtype=np.float64)
        if self.may_be_missing:
            # One NaN for all: the sign of a computed one is up to the processor.
            values = np.where(np.isfinite(values), values, _MISSING)
        if rows == 1:
            return values.reshape(1, -1)
        return np.ascontiguousarray(values.reshape(len(self.roots), rows).T)


def _row_count(columns: Columns) -> int:
    column: Column = next(iter(columns.values()))
    return len(column.codes if isinstance(column, TextColumn) else column)
