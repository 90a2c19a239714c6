"""Payments of a fortnight, so that the demo's console has something to review."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scoring.windows.events import IntArray

DAYS = 14
"""Length of the past that the demo decides."""
MONTH = 20_000
"""Payments of the simulated month, of which the fortnight is the end."""
SEED = 11
"""Seed of the month; the demo's model is trained on one of another seed."""
_HONEST_SHARE = 0.2
"""Share of the honest payments that are sent: fraud is five times as common as in the month."""
_HOURS = DAYS * 24
_MONTH_HOURS = 744


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment of the past.

    Attributes:
        at: time at which it is decided, an aware datetime.
        body: body of its request.
        is_fraud: what it turns out to be.
        is_planted: whether it belongs to the ring.
    """

    at: datetime
    body: dict[str, Any]
    is_fraud: bool
    is_planted: bool = False


def simulated(now: datetime) -> list[Payment]:
    """Return payments of the simulator's last fortnight, ending now, in the order of their times.

    Each is decided at the hour of day that its step has.

    Args:
        now: end of the fortnight, UTC.
    """
    # Imported late: Arrow takes 0.3 s to load, Numba 0.5 s.
    import numpy as np
    import orjson

    from scoring.transaction import PAYSIM
    from sentinel.history_rows import Documents
    from training.data.loading import from_table
    from training.data.simulator import simulate

    month = from_table(simulate(MONTH, SEED), "simulator")
    last = last_step(now)
    rng = np.random.default_rng(SEED)
    chance, second = rng.random(len(month)), rng.random(len(month))
    steps = month.step.astype(np.int64)
    in_time = (steps > last - _HOURS) & (steps <= last)
    sent = np.flatnonzero(in_time & (month.is_fraud | (chance < _HONEST_SHARE)))
    begins = now.replace(minute=0, second=0, microsecond=0)
    bodies = [orjson.loads(document) for document in Documents(PAYSIM, month.columns).of(sent)]
    payments = [
        Payment(begins + timedelta(hours=int(steps[row] - last) + second[row]), body, is_fraud)
        for row, body, is_fraud in zip(
            sent.tolist(), bodies, month.is_fraud[sent].tolist(), strict=True
        )
    ]
    return in_order(payments, now)


def last_step(now: datetime) -> int:
    """Return the last step of the month whose hour of the day is that of a time, UTC."""
    return _MONTH_HOURS - (_MONTH_HOURS - now.hour) % 24


def spread(
    bodies: Sequence[dict[str, Any]], is_fraud: Sequence[bool], ago: IntArray, now: datetime
) -> list[Payment]:
    """Return payments that are decided some time before now.

    Args:
        bodies: bodies of the requests.
        is_fraud: what each turns out to be.
        ago: time from each until now, microseconds, int64.
        now: end of the fortnight, UTC.
    """
    return in_order(
        [
            Payment(now - timedelta(microseconds=us), body, fraud)
            for body, fraud, us in zip(bodies, is_fraud, ago.tolist(), strict=True)
        ],
        now,
    )


def in_order(payments: Sequence[Payment], now: datetime) -> list[Payment]:
    """Return the payments that lie before now, the oldest first."""
    return sorted((one for one in payments if one.at < now), key=lambda one: one.at)
