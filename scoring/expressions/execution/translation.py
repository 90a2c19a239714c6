"""Translation: from nodes to the operations of a program.

A number is one register. Sums, differences and products keep an infinity infinite or turn it to
NaN, so a number is *settled* (infinity becomes missing) only where a comparison, a divisor or a
choice could make a finite value of it, and at the end.

A condition is two registers, where it is true and where it is false; where neither holds, it is
missing. Kleene's `and` is then `and` of the first and `or` of the second. A condition that is never
missing has no second register.

What the event type promises saves operations: a required field is never missing, and a bounded one
cannot overflow a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial, reduce
from typing import Any, cast

import numpy as np

from scoring.expressions.bounds import CONDITION, FINITE, UNBOUNDED, Bounds
from scoring.expressions.execution import operations
from scoring.expressions.execution.builder import Builder
from scoring.expressions.execution.kleene import Kleene
from scoring.expressions.execution.program import Program
from scoring.expressions.execution.registers import NumberRegister, TruthRegisters
from scoring.expressions.execution.text_questions import text_question
from scoring.expressions.execution.text_tables import CodeTable, TextTable
from scoring.expressions.nodes import (
    Answer,
    Arithmetic,
    Boolean,
    Call,
    Comparison,
    ComparisonOperator,
    FeatureValue,
    FieldValue,
    InList,
    Logic,
    Membership,
    Negative,
    Node,
    Not,
    Number,
    Score,
    StartsWith,
    Window,
)
from scoring.expressions.schema import Schema
from scoring.windows.definition import WindowDefinition

_ALWAYS_KNOWN = ("count", "distinct")
_COMPARE: dict[ComparisonOperator, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "<": (np.less, np.greater_equal),
    "<=": (np.less_equal, np.greater),
    ">": (np.greater, np.less_equal),
    ">=": (np.greater_equal, np.less),
    "==": (np.equal, operations.differs),
    "!=": (operations.differs, np.equal),
}
"""Where a comparison is true and where it is false; with NaN, neither."""


def translate(
    roots: Sequence[Node], schema: Schema
) -> tuple[Program, tuple[WindowDefinition, ...]]:
    """Return the program that computes several expressions, and the windows that it takes."""
    program, windows, _ = translate_scored(roots, schema)
    return program, windows


def translate_scored(
    roots: Sequence[Node], schema: Schema
) -> tuple[Program, tuple[WindowDefinition, ...], tuple[Answer, ...]]:
    """Return what `translate` does, and the answers that the program takes after the windows."""
    translation = _Translation(schema)
    numbers = [translation.root(root) for root in roots]
    builder = translation.builder
    program = builder.program(
        [builder.spread(number.register) for number in numbers],
        may_be_missing=not all(number.is_known for number in numbers),
    )
    return program, tuple(builder.windows), tuple(builder.answers)


class _Translation:
    """Translates expressions that share their common parts.

    Attributes:
        builder: registers and steps so far.
    """

    def __init__(self, schema: Schema) -> None:
        self.builder = Builder()
        self._kleene = Kleene(self.builder)
        self._schema = schema
        self._numbers: dict[Node, NumberRegister] = {}
        self._truths: dict[Node, TruthRegisters] = {}

    def root(self, node: Node) -> NumberRegister:
        """Return where an expression's value is; as bool if it is a condition never missing."""
        match node:
            case Comparison() | Logic() | Not() | Call("is_missing") if text_question(node) is None:
                truth = self._truth(node)
                if truth.is_false is None:
                    return NumberRegister(truth.is_true, is_known=True, bounds=CONDITION)
        return self._number(node)

    def _number(self, node: Node) -> NumberRegister:
        """Return where a number is, or a condition as 1.0, 0.0 or NaN."""
        number = self._numbers.get(node)
        if number is None:
            number = self._numbers[node] = self._new_number(node)
        return number

    def _settled(self, node: Node) -> NumberRegister:
        number = self._number(node)
        if number.bounds.is_finite:
            return number
        register = self.builder.apply(operations.settle, number.register)
        return NumberRegister(register, is_known=False, bounds=FINITE)

    def _apply(
        self, function: Callable[..., Any], bounds: Bounds, *operands: NumberRegister
    ) -> NumberRegister:
        """Return the result of an operation that is missing only where an operand is, or ±inf."""
        register = self.builder.apply(function, *(operand.register for operand in operands))
        is_known = bounds.is_finite and all(operand.is_known for operand in operands)
        return NumberRegister(register, is_known, bounds)

    def _new_number(self, node: Node) -> NumberRegister:
        match node:
            case Number(value):
                return self._constant(value)
            case FieldValue(name):
                register = self.builder.number_field(name)
                bounds = CONDITION if node.kind == "boolean" else self._schema.bounds(name)
                return NumberRegister(register, self._schema.is_required(name), bounds)
            case Window(definition):
                is_known = definition.function in _ALWAYS_KNOWN
                return NumberRegister(self.builder.window(definition), is_known, FINITE)
            case Score():
                return NumberRegister(self.builder.answer(node), is_known=True, bounds=CONDITION)
            case FeatureValue(_, kind):
                bounds = CONDITION if kind == "boolean" else FINITE
                return NumberRegister(self.builder.answer(node), is_known=False, bounds=bounds)
            case InList(_, FieldValue(name)):
                is_known = self._schema.is_required(name)
                return NumberRegister(self.builder.answer(node), is_known, CONDITION)
            case Negative(operand):
                number = self._number(operand)
                return self._apply(np.negative, -number.bounds, number)
            case Arithmetic():
                return self._arithmetic(node)
            case Call(_, _, "number" | "timestamp"):
                return self._call(node)
            case StartsWith() | Membership() | Comparison((_, _)):
                asked = text_question(node)
                if asked is not None:
                    return self._from_table(*asked)
            case _:
                pass
        return self._number_of_truth(self._truth(node))

    def _constant(self, value: float) -> NumberRegister:
        return NumberRegister(
            self.builder.constant(value), is_known=True, bounds=Bounds(value, value)
        )

    def _number_of_truth(self, truth: TruthRegisters) -> NumberRegister:
        if truth.is_false is None:
            register = self.builder.apply(operations.as_float, truth.is_true)
            return NumberRegister(register, is_known=True, bounds=CONDITION)
        register = self.builder.apply(operations.as_number, truth.is_true, truth.is_false)
        return NumberRegister(register, is_known=False, bounds=CONDITION)

    def _arithmetic(self, node: Arithmetic) -> NumberRegister:
        match node.operator:
            case "+" | "-":
                left, right = self._term(node.left, node.right), self._term(node.right, node.left)
                if node.operator == "+":
                    return self._apply(np.add, left.bounds + right.bounds, left, right)
                return self._apply(np.subtract, left.bounds - right.bounds, left, right)
            case "*":
                left, right = self._number(node.left), self._number(node.right)
                return self._apply(np.multiply, left.bounds * right.bounds, left, right)
            case "/":
                left, right = self._number(node.left), self._settled(node.right)
                return self._apply(np.divide, left.bounds / right.bounds, left, right)
            case "%":
                left, right = self._number(node.left), self._settled(node.right)
                result = self._apply(np.remainder, right.bounds.remainder(), left, right)
                is_known = result.is_known and right.bounds.excludes_zero
                return NumberRegister(result.register, is_known, result.bounds)
            case "**" if node.right == Number(2.0):
                base = self._number(node.left)
                return self._apply(np.multiply, base.bounds * base.bounds, base, base)
            case "**":
                settled = self._settled(node.left), self._settled(node.right)
                return self._maybe_missing(operations.power, FINITE, *settled)

    def _maybe_missing(
        self, function: Callable[..., Any], bounds: Bounds, *operands: NumberRegister
    ) -> NumberRegister:
        """Return the result of an operation that may be missing where no operand is."""
        result = self._apply(function, bounds, *operands)
        return NumberRegister(result.register, is_known=False, bounds=bounds)

    def _call(self, node: Call) -> NumberRegister:
        first = node.arguments[0]
        match node.function:
            case "abs":
                number = self._number(first)
                return self._apply(np.absolute, abs(number.bounds), number)
            case "sqrt":
                number = self._number(first)
                bounds = FINITE if number.bounds.is_finite else UNBOUNDED
                return self._maybe_missing(np.sqrt, bounds, number)
            case "log":
                return self._maybe_missing(operations.log, FINITE, self._settled(first))
            case "hour":
                return self._apply(operations.hour, Bounds(0.0, 23.0), self._settled(first))
            case "weekday":
                return self._apply(operations.weekday, Bounds(0.0, 6.0), self._settled(first))
            case "min" | "max":
                extreme = self._extreme(node)
                return self._apply(operations.positive_zero, extreme.bounds, extreme)
            case "where":
                return self._where(*node.arguments)
            case "code":
                name = cast(FieldValue, first).name
                values = self._schema.values_of(name) or ()
                bounds = Bounds(0.0, float(len(values)))
                return self._from_table(name, ("code",), CodeTable(values), bounds)
        raise AssertionError(f"{node.function} is a condition")

    def _extreme(self, node: Call) -> NumberRegister:
        """Return where min or max is, with a zero of either sign."""

        def pair(left: NumberRegister, right: NumberRegister) -> NumberRegister:
            if node.function == "max":
                return self._apply(np.maximum, left.bounds.maximum(right.bounds), left, right)
            return self._apply(np.minimum, left.bounds.minimum(right.bounds), left, right)

        return reduce(pair, [self._settled(part) for part in node.arguments])

    def _term(self, node: Node, other: Node) -> NumberRegister:
        """Return where one term of a sum is."""
        match node:
            case Call("min" | "max") if _written_number(other):
                # The sum with a number other than zero does not depend on a zero's sign.
                return self._extreme(node)
        return self._number(node)

    def _where(self, condition: Node, then: Node, otherwise: Node) -> NumberRegister:
        truth = self._truth(condition)
        chosen = self._number(then), self._number(otherwise)
        bounds = chosen[0].bounds.either(chosen[1].bounds)
        registers = [number.register for number in chosen]
        if truth.is_false is None:
            register = self.builder.apply(np.where, truth.is_true, *registers)
            is_known = all(number.is_known for number in chosen)
            return NumberRegister(register, is_known, bounds)
        register = self.builder.apply(operations.choose, truth.is_true, truth.is_false, *registers)
        return NumberRegister(register, is_known=False, bounds=bounds)

    def _from_table(
        self, name: str, question: Hashable, table: TextTable, bounds: Bounds = CONDITION
    ) -> NumberRegister:
        register = self.builder.text_table(name, question, table)
        answer = self.builder.apply(np.ndarray.take, register, self.builder.text_codes(name))
        return NumberRegister(answer, self._schema.is_required(name), bounds)

    def _truth(self, node: Node) -> TruthRegisters:
        truth = self._truths.get(node)
        if truth is None:
            truth = self._truths[node] = self._new_truth(node)
        return truth

    def _new_truth(self, node: Node) -> TruthRegisters:
        builder = self.builder
        match node:
            case Boolean(value):
                return TruthRegisters(builder.truth_constant(value), None)
            case Not(operand):
                return self._kleene.negation(self._truth(operand))
            case Logic(operator, operands):
                truths = [self._truth(part) for part in operands]
                return self._kleene.all(truths) if operator == "and" else self._kleene.any(truths)
            case Comparison(operands, operators):
                pairs = zip(operators, operands, operands[1:], strict=False)
                return self._kleene.all([self._pair(*pair) for pair in pairs])
            case Membership(operand, items) if operand.kind != "text":
                return self._membership(node, operand, items)
            case Call("is_missing", (operand,)):
                return self._is_missing(operand)
            case Call("where", arguments):
                return self._kleene.choice(*(self._truth(part) for part in arguments))
            case _:
                return self._truth_of_number(node)

    def _truth_of_number(self, node: Node) -> TruthRegisters:
        number = self._number(node)
        is_true = self.builder.apply(np.equal, number.register, self.builder.constant(1.0))
        if number.is_known:
            return TruthRegisters(is_true, None)
        zero = self.builder.constant(0.0)
        return TruthRegisters(is_true, self.builder.apply(np.equal, number.register, zero))

    def _pair(self, operator: ComparisonOperator, left: Node, right: Node) -> TruthRegisters:
        if left.kind == "text":
            return self._truth_of_number(Comparison((left, right), (operator,)))
        pair = self._settled(left), self._settled(right)
        registers = [number.register for number in pair]
        true, false = _COMPARE[operator]
        is_true = self.builder.apply(true, *registers)
        if all(number.is_known for number in pair):
            return TruthRegisters(is_true, None)
        return TruthRegisters(is_true, self.builder.apply(false, *registers))

    def _membership(
        self, node: Membership, operand: Node, items: tuple[Node, ...]
    ) -> TruthRegisters:
        number = self._settled(operand)
        listed = np.array([_written_number(item) for item in items])
        inside = self.builder.apply(partial(operations.is_among, listed), number.register)
        outside = self.builder.apply(operations.known_but, number.register, inside)
        return TruthRegisters(*((outside, inside) if node.is_negated else (inside, outside)))

    def _is_missing(self, operand: Node) -> TruthRegisters:
        if operand.kind == "text":
            codes = self.builder.text_codes(cast(FieldValue, operand).name)
            zero = self.builder.constant(0.0)
            return TruthRegisters(self.builder.apply(np.less, codes, zero), None)
        number = self._settled(operand)
        return TruthRegisters(self.builder.apply(operations.is_missing, number.register), None)


def _written_number(node: Node) -> float | None:
    match node:
        case Number(value):
            return value
        case Negative(Number(value)):
            return -value
        case _:
            return None
