"""Payments of the tenants of a run: every one has a mark of its own, by which its row is found.

All tenants use the same external ids, and the two that send card payments the same cards, terminals
and payments too, so that whatever crosses from one tenant to another looks plausible there.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from scoring.transaction import TRANSACTION_TYPES
from tests.support.event_types import an_event, an_event_type
from tests.support.factories import a_body

CARDS = an_event_type(NOTE={"kind": "text", "optional": True})
WINDOWS = {
    "events_1d": "count(by=CUSTOMER_ID, window='1d')",
    "spent_7d": "sum(TX_AMOUNT, by=CUSTOMER_ID, window='7d')",
    "mean_30d": "mean(TX_AMOUNT, by=CUSTOMER_ID, window='30d')",
    "terminal_2d": "count(by=TERMINAL_ID, window='2d')",
}
"""Features of the card payments' models that are windows, by name."""
FEATURES = {"amount": "TX_AMOUNT", "channel": "code(CHANNEL)"} | WINDOWS
PROBES = 10_000
"""Lane of payments that only find out whether a tenant is served; they are in no history."""
_EVENTS_OF_A_CUSTOMER = 50
_EVENTS_OF_A_TERMINAL = 60
_STEP = timedelta(hours=1)
_BEGIN = timedelta(days=40)


@dataclass(frozen=True)
class RunTenant:
    """A tenant of a run.

    Attributes:
        slug: slug.
        own_type: whether it sends card payments, whose models read windows.
        journal: whether it is served while Postgres is away.
    """

    slug: str
    own_type: bool
    journal: bool

    @property
    def model(self) -> str:
        """Name of its registered model."""
        return f"fraud-{self.slug}"


TENANTS = (
    RunTenant("alpha", own_type=False, journal=True),
    RunTenant("cards", own_type=True, journal=True),
    RunTenant("shops", own_type=True, journal=False),
)


def mark_of(body: dict[str, Any]) -> str:
    """Return the mark of a payment, which no other payment of its tenant has."""
    return str(body["NOTE"] if "NOTE" in body else body["nameDest"])


class Payments:
    """An endless sequence of payments of one client.

    Args:
        seed: seed of the run.
        own_type: whether they are card payments.
        lane: number of the client in its tenant; tenants have the same lanes.
    """

    def __init__(self, seed: int, own_type: bool, lane: int) -> None:
        self._rng = random.Random(f"payments {seed} {lane}")  # noqa: S311 - it needs no secrecy
        self._own_type = own_type
        self._lane = lane
        self._count = 0
        self._begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - _BEGIN

    def next(self, *, external_id: bool = True) -> dict[str, Any]:
        """Return the next payment."""
        self._count += 1
        mark = f"p-{self._lane}-{self._count}"
        amount = round(self._rng.lognormvariate(4, 1), 2)
        body = self._card(mark, amount) if self._own_type else self._paysim(mark, amount)
        return body | ({"external_id": mark} if external_id else {})

    def _card(self, mark: str, amount: float) -> dict[str, Any]:
        number = self._count
        # Few clients share a terminal, so that it is known which payments a window may have seen.
        return an_event(
            TX_DATETIME=(self._begin + number % _EVENTS_OF_A_CUSTOMER * _STEP).isoformat(),
            CUSTOMER_ID=f"c-{self._lane}-{number // _EVENTS_OF_A_CUSTOMER}",
            TERMINAL_ID=f"t-{self._lane // 2}-{number // _EVENTS_OF_A_TERMINAL}",
            TX_AMOUNT=amount,
            CHANNEL=self._rng.choice(["pos", "web", "atm"]),
            NOTE=mark,
        )

    def _paysim(self, mark: str, amount: float) -> dict[str, Any]:
        return a_body(
            step=self._rng.randrange(744),
            type=self._rng.choice(TRANSACTION_TYPES),
            amount=amount,
            oldbalanceOrg=self._rng.choice([0.0, amount, round(amount * 3, 2)]),
            nameOrig=f"C{self._rng.randrange(1000)}",
            nameDest=mark,
        )


def changed(body: dict[str, Any]) -> dict[str, Any]:
    """Return another payment under the same external id."""
    amount = "TX_AMOUNT" if "TX_AMOUNT" in body else "amount"
    note = "NOTE" if "NOTE" in body else "nameDest"
    return body | {amount: body[amount] + 1.0, note: f"{body[note]}-changed"}
