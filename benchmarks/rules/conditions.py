"""Ways to evaluate the conditions of rules, for one payment and for many."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from random import Random
from statistics import median
from time import process_time
from typing import Any

import numpy as np
from numba import njit
from rich.table import Table

from benchmarks.rules.samples import CHANNELS, EVENT_TYPE, FEATURES, SHOPS, condition
from scoring.columns import Column, TextColumn
from scoring.expressions.execution.single_event import single_event_program
from scoring.expressions.execution.translation import translate_scored
from scoring.expressions.nodes import (
    Arithmetic,
    Call,
    Comparison,
    FeatureValue,
    FieldValue,
    Logic,
    Membership,
    Node,
    Number,
    Score,
    Text,
)
from scoring.rules.condition import check_condition, condition_schema
from sentinel.local.terminal import open_console

ROWS = (1, 16, 64, 1000)
Values = Mapping[str, Any]
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
    "*": operator.mul,
    "-": operator.sub,
}


def compare(count: int, rounds: int) -> None:
    """Print the CPU time of `count` conditions for a payment, by way and number of payments."""
    rng = Random(7)  # noqa: S311 - a fixed sample
    schema = condition_schema(EVENT_TYPE, FEATURES, ())
    roots = [check_condition(condition(rng), schema).root for _ in range(count)]
    begun = process_time()
    program, _, answers = translate_scored(roots, schema)
    translated = process_time()
    single = single_event_program(program)
    written = process_time()
    closures = [_closure(root) for root in roots]
    numba_function, numba_s = _numba_function(count)
    table = Table(f"way, {count} conditions", *(f"{rows} payments, µs each" for rows in ROWS))
    times: dict[str, list[str]] = {}
    for rows in ROWS:
        payments = [_payment(rng) for _ in range(rows)]
        columns = _columns(payments)
        given = [np.array([one[_key(answer)] for one in payments]) for answer in answers]
        vectors = [
            [
                *(one[name] for name in single.numbers),
                *(one[name] for name in single.texts),
                *(one[_key(answer)] for answer in answers),
            ]
            for one in payments
        ]
        matrix = np.array([[one[name] for name in FEATURES] for one in payments])

        def arrays(columns: Mapping[str, Column] = columns, given: Sequence[Any] = given) -> None:
            program.truths(columns, given)

        def function(vectors: Sequence[Any] = vectors) -> None:
            for vector in vectors:
                single.function(vector)

        def of_closures(payments: Sequence[Values] = payments) -> None:
            for one in payments:
                for closure in closures:
                    closure(one)

        def numba(matrix: Any = matrix) -> None:  # noqa: ANN401 - an array
            for vector in matrix:
                numba_function(vector)

        ways: dict[str, Callable[[], None]] = {
            "arrays (Program)": arrays,
            "closures": of_closures,
            "one Python function (chosen)": function,
            "one Numba function, numbers alone": numba,
        }
        for name, way in ways.items():
            times.setdefault(name, []).append(f"{_cpu_us(way, rows, rounds) / rows:.1f}")
    for name, figures in times.items():
        table.add_row(name, *figures)
    console = open_console()
    console.print(table)
    console.print(
        f"{len(program.steps)} steps. To compile: arrays {(translated - begun) * 1e3:.0f} ms, "
        f"the function {(written - translated) * 1e3:.0f} ms more, Numba {numba_s:.0f} s."
    )


def _cpu_us(way: Callable[[], None], rows: int, rounds: int) -> float:
    calls = max(1, 300 // rows)
    times = []
    way()
    for _ in range(rounds):
        begun = process_time()
        for _ in range(calls):
            way()
        times.append((process_time() - begun) / calls * 1e6)
    return median(times)


def _payment(rng: Random) -> dict[str, Any]:
    return {
        "TIME": 1.75e9 + rng.randrange(86_400),
        "AMOUNT": rng.random() * 300,
        "BALANCE": rng.random() * 5000,
        "CHANNEL": rng.choice(CHANNELS),
        "SHOP": rng.choice(SHOPS),
        "score": rng.random() ** 4,
        **{name: rng.random() * 8 for name in FEATURES},
    }


def _columns(payments: Sequence[Values]) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for name in ("TIME", "AMOUNT", "BALANCE"):
        columns[name] = np.array([one[name] for one in payments])
    for name in ("CHANNEL", "SHOP"):
        values = tuple({one[name] for one in payments})
        codes = np.array([values.index(one[name]) for one in payments], np.int64)
        columns[name] = TextColumn(codes, values)
    return columns


def _key(answer: object) -> str:
    return answer.name if isinstance(answer, FeatureValue) else "score"


def _closure(node: Node) -> Callable[[Values], Any]:
    match node:
        case Number(value) | Text(value):
            return lambda _: value
        case FieldValue(name) | FeatureValue(name):
            return lambda payment: payment[name]
        case Score():
            return lambda payment: payment["score"]
        case Call("hour", (operand,)):
            of = _closure(operand)
            return lambda payment: of(payment) % 86_400 // 3_600
        case Arithmetic(operator_, left, right) | Comparison((left, right), (operator_,)):
            apply, first, second = _OPERATORS[operator_], _closure(left), _closure(right)
            return lambda payment: apply(first(payment), second(payment))
        case Membership(operand, items):
            of = _closure(operand)
            texts = frozenset(item.value for item in items if isinstance(item, Text))
            return lambda payment: of(payment) in texts
        case Logic("and", operands):
            parts = [_closure(part) for part in operands]
            return lambda payment: all(part(payment) for part in parts)
    raise AssertionError(node)


def _numba_function(count: int) -> tuple[Callable[[Any], Any], float]:
    """Return a compiled function of as many conditions of three numbers each, and the seconds."""
    rng = Random(7)  # noqa: S311 - a fixed sample
    lines = ["def conditions(values):", " fired = 0"]
    for _ in range(count):
        parts = (f"values[{rng.randrange(40)}] > {rng.random() * 9:.3f}" for _ in range(3))
        lines.append(f" if {' and '.join(parts)}: fired += 1")
    names: dict[str, Any] = {}
    exec("\n".join([*lines, " return fired"]), names)  # noqa: S102 - the lines above
    function = njit(names["conditions"])
    begun = process_time()
    function(np.zeros(40))
    return function, process_time() - begun
