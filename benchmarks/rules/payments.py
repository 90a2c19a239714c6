"""The verdict of a payment with and without rules and entries, and of 200,000 payments."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from statistics import median
from time import process_time

import numpy as np
from rich.table import Table

from benchmarks.rules.samples import CHANNELS, EVENT_TYPE, FEATURES, SHOPS, index, rules, value
from scoring.columns import Column, TextColumn
from scoring.event_type.event import Event
from scoring.event_type.timestamps import Timestamp
from scoring.event_type.values import Value
from scoring.lists.entity_list import EntityList
from scoring.lists.index import ListIndex
from scoring.policy import Thresholds
from scoring.rules.batch_decider import ScoredPayments, decide_all
from scoring.rules.compiled import CompiledRules, compile_rules
from scoring.rules.payment_decider import PaymentDecider
from scoring.rules.rule import RuleSet
from sentinel.local.terminal import open_console

STORED = 200_000
_NOW_MS = 1_800_000_000_000
_POLICY = Thresholds(0.3, 0.9)
_LISTS = (
    EntityList(1, "blocked", "customer", "decline"),
    EntityList(2, "trusted", "customer", "approve"),
    EntityList(3, "watched", "terminal"),
)


def measure(count: int, entries: int, rounds: int) -> None:
    """Print the CPU time of a verdict, and of those of STORED payments."""
    console = open_console()
    filled, empty = index(entries, list_id=1), ListIndex()
    rule_sets = {
        "no rules, no entries": (RuleSet(), empty),
        f"{count} rules": (RuleSet(rules(count)), empty),
        f"{entries:,} entries": (RuleSet((), _LISTS), filled),
        f"{count} rules, {entries:,} entries": (RuleSet(rules(count, True), _LISTS), filled),
    }
    rng = Random(3)  # noqa: S311 - a fixed sample
    payments = [_payment(rng, entries) for _ in range(500)]
    table = Table("a tenant with", "a payment, µs", f"{STORED:,} payments, s", "compile, ms")
    for name, (rule_set, entries_) in rule_sets.items():
        begun = process_time()
        compiled = compile_rules(rule_set, EVENT_TYPE, FEATURES)
        compiled_s = process_time() - begun
        decider = PaymentDecider(compiled)

        def each(decider: PaymentDecider = decider, entries_: ListIndex = entries_) -> None:
            for event, score, features in payments:
                decider.decide(event, score, features, (), _NOW_MS, entries_, _POLICY)

        many_s = _stored_s(compiled, entries_, rng, entries)
        table.add_row(
            name,
            f"{_cpu_us(each, rounds) / len(payments):.1f}",
            f"{many_s:.2f}",
            f"{compiled_s * 1e3:.0f}",
        )
    console.print(table)


def _cpu_us(way: Callable[[], None], rounds: int) -> float:
    times = []
    way()
    for _ in range(rounds):
        begun = process_time()
        way()
        times.append((process_time() - begun) * 1e6)
    return median(times)


def _payment(rng: Random, entries: int) -> tuple[Event, float, list[float]]:
    time_us = 1_750_000_000_000_000 + rng.randrange(86_400) * 1_000_000
    values: dict[str, Value | None] = {
        "TIME": Timestamp("", time_us),
        "CUSTOMER": value(rng.randrange(2 * entries)),
        "TERMINAL": value(rng.randrange(2 * entries)),
        "AMOUNT": rng.random() * 300,
        "CHANNEL": rng.choice(CHANNELS),
        "SHOP": rng.choice(SHOPS),
        "BALANCE": rng.random() * 5000 if rng.random() < 0.9 else None,
    }
    features = [rng.random() * 8 for _ in FEATURES]
    return Event(EVENT_TYPE, values, time_us), rng.random() ** 4, features


def _stored_s(compiled: CompiledRules, filled: ListIndex, rng: Random, entries: int) -> float:
    """Return the seconds of STORED verdicts."""
    payments = stored_payments(rng.randrange(2**32), entries)
    begun = process_time()
    decide_all(compiled, payments, filled, _POLICY)
    return process_time() - begun


def stored_payments(seed: int, entries: int) -> ScoredPayments:
    """Return STORED payments of a tenth as many customers and a hundredth terminals.

    Args:
        seed: seed of the payments.
        entries: number of entities of which half are in a list.
    """
    draws = np.random.default_rng(seed)
    columns: dict[str, Column] = {
        "TIME": 1.75e9 + draws.random(STORED) * 86_400,
        "AMOUNT": draws.random(STORED) * 300,
        "BALANCE": np.where(draws.random(STORED) < 0.9, draws.random(STORED) * 5000, np.nan),
        "CHANNEL": TextColumn(draws.integers(0, 3, STORED), CHANNELS),
        "SHOP": TextColumn(draws.integers(0, len(SHOPS), STORED), SHOPS),
        "CUSTOMER": _entities(draws, STORED // 10, entries),
        "TERMINAL": _entities(draws, STORED // 100, entries),
    }
    return ScoredPayments(
        columns,
        draws.random(STORED) ** 4,
        draws.random((STORED, len(FEATURES))) * 8,
        (),
        np.full(STORED, _NOW_MS),
    )


def _entities(draws: np.random.Generator, count: int, entries: int) -> TextColumn:
    numbers = draws.choice(2 * entries, count, replace=False).tolist()
    return TextColumn(draws.integers(0, count, STORED), tuple(map(value, numbers)))
