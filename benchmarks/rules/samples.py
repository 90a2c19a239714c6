"""Random rules over card payments with a model of 40 features."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.event_type.fields import EventType, Field
from scoring.expressions.nodes import ValueKind
from scoring.lists.index import DIGEST_BYTES, NEVER_MS, ListIndex, digest_of
from scoring.policy import OUTCOMES
from scoring.rules.rule import Rule

BLOCK = 50_000
"""Entries that are read at a time."""
CHANNELS = ("pos", "web", "atm")
SHOPS = tuple(f"shop{number}" for number in range(50))
EVENT_TYPE = EventType(
    "card_payment",
    "IS_FRAUD",
    (
        Field("TIME", "timestamp", role="time"),
        Field("CUSTOMER", "entity", entity="customer", role="payer"),
        Field("TERMINAL", "entity", entity="terminal", role="payee"),
        Field("AMOUNT", "number", role="amount", minimum=0, maximum=1e6),
        Field("CHANNEL", "category", values=CHANNELS),
        Field("SHOP", "category", optional=True),
        Field("BALANCE", "number", optional=True),
    ),
)
FEATURES: dict[str, ValueKind] = {f"f{number}": "number" for number in range(40)}


def condition(rng: Random) -> str:
    """Return a condition of two to four parts."""
    return " and ".join(_part(rng) for _ in range(rng.randint(2, 4)))


def _part(rng: Random) -> str:
    amount, feature = rng.randint(1, 5000), f"f{rng.randrange(40)}"
    return rng.choice(
        [
            f"AMOUNT > {amount}",
            f"score > {rng.random():.3f}",
            f"hour(TIME) < {rng.randint(1, 7)}",
            f"CHANNEL == '{rng.choice(CHANNELS)}'",
            f"SHOP in ['{rng.choice(SHOPS)}', '{rng.choice(SHOPS)}']",
            f"{feature} > {rng.random() * 10:.2f}",
            f"AMOUNT > {rng.randint(1, 9)} * {feature}",
            f"BALANCE - AMOUNT < {rng.randint(1, 500)}",
        ]
    )


def rules(count: int, in_lists: bool = False) -> tuple[Rule, ...]:
    """Return live rules; a tenth of them reads the list `watched` if `in_lists`."""
    rng = Random(7)  # noqa: S311 - a fixed sample
    made = []
    for number in range(1, count + 1):
        text = condition(rng)
        if in_lists and number % 10 == 0:
            text += " and in_list('watched', TERMINAL)"
        made.append(Rule(number, 1, f"rule {number}", text, OUTCOMES[number % 3], "live"))
    return tuple(made)


def value(number: int) -> str:
    """Return an entity."""
    return f"C{number:015d}"


def digests(count: int) -> bytes:
    """Return the digests of `count` entities in ascending order, one after another."""
    return b"".join(sorted(digest_of(value(number)) for number in range(count)))


def index(count: int, list_id: int) -> ListIndex:
    """Return the index of entries of one list, half of which expire."""
    numbers = np.arange(count)
    expires_ms = np.where(numbers % 2, NEVER_MS, 2_000_000_000_000)
    return indexed(digests(count), np.full(count, list_id), numbers, expires_ms)


def indexed(joined: bytes, *columns: NDArray[Any]) -> ListIndex:
    """Return the index of entries, made in blocks as they are read of the database."""
    made = ListIndex()
    for start in range(0, len(columns[0]), BLOCK):
        block = slice(start, start + BLOCK)
        of_block = joined[start * DIGEST_BYTES : (start + BLOCK) * DIGEST_BYTES]
        made = made.with_records(of_block, *(column[block] for column in columns))
    return made
