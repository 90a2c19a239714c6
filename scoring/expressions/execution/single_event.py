"""One event at a time: the conditions of a program as one Python function of plain values.

An array operation on one row takes 0.4 to 1 µs, most of it NumPy's call; the same operation on two
floats takes 0.03 µs. So the steps of a program are written as Python source, once for each set of
conditions, and compiled. An intermediate value that is used once is written where it is used, so
`and` and `or` skip what does not matter.

Whether a condition is false need not be asked where nothing is missing: then it is what is not
true. So there are two functions, and the one for events that lack a value asks both questions. 200
conditions of four comparisons take 21 µs there and 8 without a missing value.

The source has the names and forms of this module alone: registers are numbered, and every number
and text of a condition is bound to a numbered name. No text of a user is in it.

Operations have the bits of `operations` and NumPy: the same IEEE 754 operation, or the same
function of the C library.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, cast

import numpy as np

from scoring.expressions.execution import operations
from scoring.expressions.execution.program import ROW_COUNT, Program, Step
from scoring.expressions.execution.scalar_operations import (
    HELPERS,
    REPEATING,
    TEMPLATES,
    TRUTHS,
)
from scoring.expressions.execution.text_tables import CodeTable, MembershipTable, PrefixTable

_MAX_LENGTH = 400
"""Characters up to which an expression is written where it is used; Python's compiler recurses."""


class Fired(NamedTuple):
    """What is true of one event.

    Attributes:
        true: positions of the conditions that are true, ascending.
        missing: positions of the conditions whose value is missing, ascending.
    """

    true: list[int]
    missing: list[int]


@dataclass(frozen=True, slots=True)
class SingleEventProgram:
    """The conditions of a program as a function of one event's values.

    Attributes:
        numbers: names of the number fields whose values come first, NaN where missing.
        texts: names of the text fields whose values come next, None where missing.
        function: function of a sequence of these values, then those of windows and answers in the
            order of the program, NaN where missing.
    """

    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    function: Callable[[Sequence[Any]], Fired]


def single_event_program(program: Program) -> SingleEventProgram:
    """Return the function of one event that a program of conditions is for many.

    Args:
        program: program whose roots are conditions.
    """
    return _Writer(program).written()


class _Writer:
    """Writes a program's steps as Python source.

    A register's text is an expression over variables; `r12` is the value of register 12, `k3` a
    constant.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._step_of = {step[4]: step for step in program.steps}
        self._tables = {register: table for register, _, table in program.tables}
        self._codes = {register for register, _ in program.codes}
        self._names: dict[str, Any] = {
            "NAN": math.nan,
            "Fired": Fired,
            "power_of": operations.power_of,
            **{helper.__name__: helper for helper in HELPERS},
        }
        self._uses: Counter[int] = Counter()
        self._lines: list[str] = []
        self._texts: dict[int, str] = {}

    def written(self) -> SingleEventProgram:
        program = self._program
        texts = dict.fromkeys(
            chain((n for _, n in program.codes), (n for _, n, _ in program.tables))
        )
        places = {name: f"t{place}" for place, name in enumerate(texts)}
        numbers = [f"r{register}" for register, _ in program.numbers]
        windows = [f"r{register}" for register in program.windows]
        self._texts |= {register: f"r{register}" for register, _ in program.numbers}
        self._texts |= {register: f"r{register}" for register in program.windows}
        self._texts |= {register: places[name] for register, name in program.codes}
        self._constants()
        variables = [*numbers, *places.values(), *windows]
        unpacked = [f" {', '.join(variables)}, = values"] if variables else []
        lacking = [f"{name} != {name}" for name in (*numbers, *windows)]
        lacking += [f"{name} is None" for name in places.values()]
        elsewhere = [f" if {' or '.join(lacking)}: return lacking(values)"] if lacking else []
        source = ["def lacking(values):", *unpacked, *self._body(frozenset())]
        comparing = frozenset(filter(self._compares_inputs, program.roots))
        source += ["def conditions(values):", *unpacked, *elsewhere, *self._body(comparing)]
        code = compile("\n".join(source), "<conditions>", "exec")
        exec(code, self._names)  # noqa: S102 - the source is this module's, see its docstring
        function = cast(Callable[[Sequence[Any]], Fired], self._names["conditions"])
        return SingleEventProgram(tuple(n for _, n in program.numbers), tuple(texts), function)

    def _body(self, never_missing: Set[int]) -> list[str]:
        """Return the lines of a function after it has unpacked its values.

        Args:
            never_missing: roots whose value is not missing, so that only their truth is asked for.
        """
        known, self._lines = dict(self._texts), []
        asked = (
            operand
            for root in self._program.roots
            for operand in self._parts(root)[: 1 if root in never_missing else None]
        )
        self._uses = self._count_uses(asked)
        lines = [" true = []", " missing = []"]
        for place, root in enumerate(self._program.roots):
            if root in never_missing:
                lines.append(f" if {self._truth(root)}: true.append({place})")
                continue
            is_true, is_false = self._condition(root)
            lines.append(f" if {is_true}: true.append({place})")
            if is_false is not None:
                lines.append(f" elif not {is_false}: missing.append({place})")
        self._texts = known
        return [*self._lines, *lines, " return Fired(true, missing)"]

    def _compares_inputs(self, root: int) -> bool:
        """Whether a condition is true or false where no value that comes in is missing.

        It compares the values as they come in: arithmetic may give a missing value, such as 0 / 0.
        """
        step = self._step_of.get(root)
        if step is None or step[0] is not operations.as_number:
            return False
        waiting, seen = [step[1]], set[int]()
        while waiting:
            register = waiting.pop()
            step = self._step_of.get(register)
            if self._is_missing_constant(register):
                return False
            if register in seen or step is None or step[0] is np.ndarray.take:
                continue
            seen.add(register)
            if step[1] == ROW_COUNT or not (step[0] in TRUTHS or isinstance(step[0], partial)):
                return False
            waiting += _operands(step)
        return True

    def _is_missing_constant(self, register: int) -> bool:
        """Whether a register is a constant without a value, or a truth that one may have made."""
        value = self._program.registers[register]
        if not isinstance(value, np.ndarray) or value.ndim:
            return False
        return value.dtype == np.bool_ or bool(np.isnan(value))

    def _truth(self, root: int) -> str:
        """Return where a root of `_compares_inputs` is true."""
        return self._text(self._step_of[root][1])

    def _constants(self) -> None:
        for register, value in enumerate(self._program.registers):
            if isinstance(value, np.ndarray) and value.ndim == 0:
                self._texts[register] = self._bound(value.item())

    def _count_uses(self, asked: Iterable[int]) -> Counter[int]:
        """Return how often a register's text is written, of those that the asked ones need."""
        uses: Counter[int] = Counter()
        waiting = list(asked)
        while waiting:
            register = waiting.pop()
            uses[register] += 1
            if uses[register] == 1 and register in self._step_of:
                waiting += _operands(self._step_of[register])
        return uses

    def _parts(self, root: int) -> tuple[int, ...]:
        step = self._step_of.get(root)
        if step is not None and step[0] in (operations.as_number, operations.as_float):
            return _operands(step)
        return (root, root)

    def _condition(self, root: int) -> tuple[str, str | None]:
        """Return where a root is true, and where it is false; None if that is where it is not."""
        step = self._step_of.get(root)
        if step is not None:
            if step[0] is operations.as_number:
                is_true, is_false = _operands(step)
                return self._text(is_true), self._text(is_false)
            if step[0] is operations.as_float:
                return self._text(step[1]), None
            if step[0] in TRUTHS:
                return self._text(root), None
            if step[1] == ROW_COUNT:
                value = float(step[0](1)[0])
                return str(value == 1.0), str(value == 0.0)
            if step[0] is np.ndarray.take:
                return self._answered(step, 1.0), self._answered(step, 0.0)
        value_text = self._variable(root)
        return f"({value_text} == 1.0)", f"({value_text} == 0.0)"

    def _text(self, register: int) -> str:
        known = self._texts.get(register)
        if known is not None:
            return known
        text = self._expression(self._step_of[register])
        if self._uses[register] > 1 or len(text) > _MAX_LENGTH:
            self._lines.append(f" r{register} = {text}")
            text = f"r{register}"
        self._texts[register] = text
        return text

    def _variable(self, register: int) -> str:
        """Return a text that may be written several times."""
        text = self._text(register)
        if text.isalnum():
            return text
        self._lines.append(f" r{register} = {text}")
        self._texts[register] = f"r{register}"
        return f"r{register}"

    def _expression(self, step: Step) -> str:
        function, operands = step[0], _operands(step)
        if function is np.ndarray.take:
            return self._value_of_table(step)
        if function is np.equal and (asked := self._asked(operands)) is not None:
            return asked
        if isinstance(function, partial):  # operations.is_among with the listed numbers
            listed = self._bound(tuple(function.args[0].tolist()))
            return f"({self._text(operands[0])} in {listed})"
        if function is np.less and operands[0] in self._codes:
            return f"({self._text(operands[0])} is None)"
        if function is operations.settle:
            return self._settled(operands[0], step[4])
        template = TEMPLATES[function]
        write = self._variable if function in REPEATING else self._text
        return template.format(*(write(operand) for operand in operands))

    def _settled(self, register: int, result: int) -> str:
        text = self._text(register)
        if text.isalnum():
            return f"({text} - ({text} - {text}))"
        # Assigned inside the expression, so that it is computed only where it is needed.
        return f"((s{result} := {text}) - (s{result} - s{result}))"

    def _asked(self, operands: tuple[int, ...]) -> str | None:
        """Return a question of a text whose answer is compared with 1.0 or 0.0, else None."""
        left, right = operands
        step, compared = self._step_of.get(left), self._program.registers[right]
        if step is None or step[0] is not np.ndarray.take or compared is None:
            return None
        if isinstance(self._tables[step[1]], CodeTable) or float(compared) not in (0.0, 1.0):
            return None
        return self._answered(step, float(compared))

    def _answered(self, step: Step, answer: float) -> str:
        """Return where the answer about a text is 1.0 or 0.0."""
        table, text = self._tables[step[1]], self._texts[cast(int, step[2])]
        if isinstance(table, MembershipTable):
            if table.is_negated is (answer == 0.0):
                return f"({text} in {self._bound(table.wanted)})"
            return f"({text} is not None and {text} not in {self._bound(table.wanted)})"
        if isinstance(table, PrefixTable):
            negation = "" if answer == 1.0 else "not "
            prefix = self._bound(table.prefix)
            return f"({text} is not None and {negation}{text}.startswith({prefix}))"
        raise AssertionError("a code is a number")

    def _value_of_table(self, step: Step) -> str:
        table, text = self._tables[step[1]], self._texts[cast(int, step[2])]
        if isinstance(table, CodeTable):
            codes, unknown = self._bound(table.codes), self._bound(table.unknown)
            return f"(NAN if {text} is None else {codes}.get({text}, {unknown}))"
        return f"(1.0 if {self._answered(step, 1.0)} else NAN if {text} is None else 0.0)"

    def _bound(self, value: Any) -> str:  # noqa: ANN401 - a number, a text or a collection of them
        name = f"k{len(self._names)}"
        self._names[name] = value
        return name


def _operands(step: Step) -> tuple[int, ...]:
    _, first, second, others, _ = step
    return (first, *(() if second is None else (second,)), *(others or ()))
