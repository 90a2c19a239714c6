"""A ring among the simulated payments: accounts are emptied into two others, which cash out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sentinel.local.demo.payments import Payment, in_order, last_step, simulated

MULES = ("C7300041876", "C7300058213")
"""Accounts that receive; the first one is put into the list of blocked accounts."""
COLLECTOR = "C7300090027"
"""Account that both pay out to."""
_VICTIMS = tuple(f"C41{number:08d}" for number in range(20_517, 20_517 + 9 * 731, 731))
_FIRST_DAYS_AGO = 9
_HOURS_BETWEEN = 22
_HOUR = timedelta(hours=1)


def planted(now: datetime) -> list[Payment]:
    """Return the payments of the ring, in the order of their times.

    Nine accounts are emptied within a week, each into one of the two; a few pay both, so that the
    two share payers, and both cash out to one account.

    Args:
        now: end of the fortnight, UTC.
    """
    last = last_step(now)
    payments: list[Payment] = []
    held = dict.fromkeys(MULES, 0.0)
    at = now - timedelta(days=_FIRST_DAYS_AGO)
    for number, victim in enumerate(_VICTIMS):
        amount = round(90_000.0 + 41_310.47 * (number * 7 % 9), 2)
        shares = (0.6, 0.4) if number % 3 == 1 else (1.0,)
        for part, share in enumerate(shares):
            mule = MULES[(number + part) % len(MULES)]
            balance = amount if part == 0 else round(amount * share, 2)
            paid = round(amount * share, 2)
            step = _step(last, at + part * _HOUR / 4, now)
            body = _body(step, "TRANSFER", paid, victim, balance, mule, held[mule])
            payments.append(Payment(at + part * _HOUR / 4, body, True, is_planted=True))
            held[mule] = round(held[mule] + paid, 2)
        if number % 2 == 1:
            for mule in MULES:
                later = at + _HOUR + MULES.index(mule) * _HOUR / 3
                body = _body(
                    _step(last, later, now),
                    *("CASH_OUT", held[mule], mule, held[mule], COLLECTOR, 412_000.0),
                )
                payments.append(Payment(later, body, True, is_planted=True))
                held[mule] = 0.0
        at += timedelta(hours=_HOURS_BETWEEN)
    return [one for one in payments if one.body["amount"] > 0]


def with_a_ring(now: datetime) -> list[Payment]:
    """Return the simulated payments of a fortnight with the ring's among them, the oldest first.

    Args:
        now: end of the fortnight, UTC.
    """
    return in_order([*simulated(now), *planted(now)], now)


def next_payment(now: datetime) -> dict[str, Any]:
    """Return the request of the ring's next payment, which goes to the blocked account.

    Args:
        now: time of the payment, UTC.
    """
    return _body(last_step(now), "TRANSFER", 238_450.0, "C4100031999", 238_450.0, MULES[0], 0.0)


def _step(last: int, at: datetime, now: datetime) -> int:
    begins = now.replace(minute=0, second=0, microsecond=0)
    return last + (at - begins) // _HOUR


def _body(
    step: int, kind: str, amount: float, payer: str, balance: float, payee: str, theirs: float
) -> dict[str, Any]:
    return {
        "step": step,
        "type": kind,
        "amount": amount,
        "nameOrig": payer,
        "oldbalanceOrg": balance,
        "nameDest": payee,
        "oldbalanceDest": theirs,
    }
