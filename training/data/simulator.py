"""Simulate a month of mobile-money payments in the PaySim schema from a seed.

The schema, the hourly steps, the five types and their mix, merchants without balances, and fraud
as account takeover (TRANSFER to a mule, then CASH_OUT) follow what is published of PaySim: Lopez-
Rojas, Elmir, Axelsson, "PaySim: a financial mobile money simulator for fraud detection" (EMSS
2016), and its data set's description. Everything else makes the problem as hard as a real one:
customers who empty their own accounts, thieves who take a part, mules with a balance of their own,
unreported frauds, honest payments reported as fraud, and habits that change over the month.

Money is whole cents until the end, so that balances add up exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scoring.columns import BoolArray
from training.data.balances import Floats, Ints, settle

HOURS = 744
DEFAULT_ROWS = 250_000
FLAGGED_FROM_CENTS = 20_000_000
"""PaySim flags an attempt to transfer more than 200,000 at once."""

# Name, share of legitimate traffic (the published mix), median amount, spread of its logarithm.
_TYPES = (
    ("CASH_OUT", 0.3517, 147_000.0, 0.75),
    ("PAYMENT", 0.3381, 9_500.0, 0.95),
    ("CASH_IN", 0.2199, 143_000.0, 0.75),
    ("TRANSFER", 0.0838, 330_000.0, 1.15),
    ("DEBIT", 0.0065, 3_000.0, 1.0),
)
_NAMES = tuple(name for name, *_ in _TYPES)
_CASH_OUT, _PAYMENT, _CASH_IN, _TRANSFER, _DEBIT = range(5)

# Payments an hour of the day, relative; quiet from one to six as in the published data.
_DAY = np.array(
    [4, 2, 1, 0.6, 0.5, 0.6, 1.2, 3, 6, 9, 11, 11, 11, 10, 10, 10, 11, 12, 13, 13, 11, 9, 7, 5.5]
)

_TAKEOVER_SHARE = 0.0042  # of the rows; each takeover makes one or two of them
_UNREPORTED = 0.05  # of takeovers
_FALSELY_REPORTED = 0.00012  # of legitimate transfers and cash-outs


@dataclass(frozen=True, slots=True)
class _Events:
    """Movements of money in time order, before balances are known.

    Attributes:
        time: hours since the start.
        kind: index into _TYPES.
        payer: account number of the payer.
        receiver: account number of the receiver.
        cents: requested amount.
        share: share of the payer's balance that is moved instead, where above 0.
        is_fraud: whether the movement is a fraud, reported or not.
    """

    time: Floats
    kind: Ints
    payer: Ints
    receiver: Ints
    cents: Ints
    share: Floats
    is_fraud: BoolArray


@dataclass(frozen=True, slots=True)
class _People:
    """Group sizes; account numbers are in this order: customers, ..., merchants."""

    customers: int
    receivers: int
    agents: int
    mules: int
    merchants: int

    def offset(self, group: str) -> int:
        """Return the first account number of a group."""
        sizes = (self.customers, self.receivers, self.agents, self.mules, self.merchants)
        names = ("customers", "receivers", "agents", "mules", "merchants")
        return sum(sizes[: names.index(group)])


def simulate(rows: int = DEFAULT_ROWS, seed: int = 7) -> pa.Table:
    """Simulate a month.

    Args:
        rows: approximate number of transactions, at least 1,000.
        seed: seed of all random draws.

    Returns:
        A table with PaySim's eleven columns in time order; `isFraud` is 1 for reported frauds.
    """
    rng = np.random.default_rng(seed)
    takeovers = max(1, int(rows * _TAKEOVER_SHARE))
    people = _People(max(50, rows // 9), max(50, rows // 14), max(10, rows // 150), takeovers, 4000)
    opening = _opening_balances(rng, people)
    legitimate = _legitimate(rng, people, rows - 2 * takeovers)
    thefts = _thefts(rng, people, takeovers, opening)
    outgoing = _merged(legitimate, thefts)
    taken, before, after = settle(
        outgoing.payer, outgoing.cents, outgoing.share, outgoing.kind == _CASH_IN, opening
    )
    cash_outs, cash_outs_before, cash_outs_after = _cash_outs(rng, people, outgoing, taken, opening)
    everything = _merged(outgoing, cash_outs)
    order = _order(outgoing, cash_outs)
    amount = np.concatenate([taken, cash_outs.cents])[order]
    before = np.concatenate([before, cash_outs_before])[order]
    after = np.concatenate([after, cash_outs_after])[order]
    kept = (everything.time < HOURS) & (amount > 0)
    _, receiver_before, receiver_after = settle(
        everything.receiver, amount, np.zeros(amount.size), everything.kind != _CASH_IN, opening
    )
    reported = _reported(rng, everything)
    return _table(
        everything, people, amount, before, after, receiver_before, receiver_after, reported
    ).filter(pa.array(kept))


def _opening_balances(rng: np.random.Generator, people: _People) -> Ints:
    """Return cents by account number; a quarter of the accounts is empty, and all merchants'."""
    sizes = (people.customers, people.receivers, people.agents, people.mules)
    medians = (600_000.0, 250_000.0, 3_000_000.0, 60_000.0)
    empty = (0.2, 0.22, 0.0, 0.55)
    groups = [
        np.where(
            rng.random(size) < share,
            0,
            np.rint(100 * median * np.exp(rng.normal(0, 1.3, size))),
        )
        for size, median, share in zip(sizes, medians, empty, strict=True)
    ]
    return np.concatenate([*groups, np.zeros(people.merchants)]).astype(np.int64)


def _legitimate(rng: np.random.Generator, people: _People, count: int) -> _Events:
    weekday = 1 + 0.15 * np.sin(2 * np.pi * np.arange(HOURS // 24) / 7)
    rate = np.outer(weekday, _DAY).ravel()
    hour = rng.choice(HOURS, count, p=rate / rate.sum())
    time = np.sort(hour + rng.random(count))
    kind = rng.choice(len(_TYPES), count, p=[share for _, share, *_ in _TYPES])
    activity = rng.lognormal(0, 0.9, people.customers)
    payer = rng.choice(people.customers, count, p=activity / activity.sum())
    wealth = np.exp(rng.normal(0, 0.5, people.customers))
    medians = np.array([median for *_, median, _ in _TYPES])
    spreads = np.array([spread for *_, spread in _TYPES])
    cents = 100 * medians[kind] * wealth[payer] * np.exp(spreads[kind] * rng.normal(size=count))
    receiver = np.select(
        [kind == _TRANSFER, kind == _PAYMENT],
        [
            people.offset("receivers") + rng.integers(people.receivers, size=count),
            people.offset("merchants") + rng.integers(people.merchants, size=count),
        ],
        people.offset("agents") + rng.integers(people.agents, size=count),
    )
    return _Events(
        time=time,
        kind=kind,
        payer=payer,
        receiver=receiver,
        cents=_rounded_by_people(rng, cents, 0.3),
        share=_own_emptying(rng, time, kind),
        is_fraud=np.zeros(count, dtype=np.bool_),
    )


def _own_emptying(rng: np.random.Generator, time: Floats, kind: Ints) -> Floats:
    """Return 1.0 where customers move their own whole balance, three times as often by month's end.

    This drift makes earlier probabilities too high, so that calibration on recent data matters.
    """
    chance = np.select([kind == _TRANSFER, kind == _CASH_OUT], [0.022, 0.004], 0.0)
    habit = 0.6 + 1.4 / (1.0 + np.exp(-(time - 0.5 * HOURS) / 48.0))
    return (rng.random(time.size) < chance * habit).astype(np.float64)


def _rounded_by_people(rng: np.random.Generator, cents: Floats, share: float) -> Ints:
    """Round a share of the amounts to the thousand, as people do."""
    round_ones = (rng.random(cents.size) < share) & (cents > 200_000)
    return np.where(round_ones, np.rint(cents / 100_000) * 100_000, np.rint(cents)).astype(np.int64)


def _thefts(rng: np.random.Generator, people: _People, count: int, opening: Ints) -> _Events:
    """Return the TRANSFERs of takeovers: mostly the whole balance and by night, less so later."""
    day = rng.integers(HOURS // 24, size=count)
    late = (day + 0.5) / (HOURS // 24)
    by_night = rng.random(count) < 0.5 - 0.25 * late
    hour = np.where(by_night, rng.integers(0, 7, count), rng.integers(7, 24, count))
    time = day * 24 + hour + rng.random(count)
    whole = rng.random(count) < 0.88 - 0.16 * late
    # Thieves choose the account with the highest balance of three.
    seen = rng.integers(people.customers, size=(count, 3))
    payer = seen[np.arange(count), np.argmax(opening[seen], axis=1)]
    order = np.argsort(time)
    return _Events(
        time=time[order],
        kind=np.full(count, _TRANSFER),
        payer=payer[order],
        receiver=people.offset("mules") + np.arange(count),
        cents=np.zeros(count, dtype=np.int64),
        share=np.where(whole, 1.0, rng.uniform(0.3, 0.97, count))[order],
        is_fraud=np.ones(count, dtype=np.bool_),
    )


def _cash_outs(
    rng: np.random.Generator, people: _People, outgoing: _Events, taken: Ints, opening: Ints
) -> tuple[_Events, Ints, Ints]:
    """Return what mules cash out within hours, and their balances before and after.

    A mule cashes out everything, or the loot alone, or a part of it.
    """
    loot = np.flatnonzero(outgoing.is_fraud & (taken > 0))
    loot = loot[rng.random(loot.size) < 0.88]  # the others are stopped or delayed
    mule = outgoing.receiver[loot]
    before = opening[mule] + taken[loot]
    part = rng.uniform(0.4, 0.98, loot.size) * taken[loot]
    manner = rng.random(loot.size)
    amount = np.select([manner < 0.75, manner < 0.9], [before, taken[loot]], np.rint(part))
    time = outgoing.time[loot] + rng.exponential(1.5, loot.size)
    order = np.argsort(time)
    amount, before = amount.astype(np.int64)[order], before[order]
    events = _Events(
        time=time[order],
        kind=np.full(loot.size, _CASH_OUT),
        payer=mule[order],
        receiver=people.offset("agents") + rng.integers(people.agents, size=loot.size),
        cents=amount,
        share=np.zeros(loot.size),
        is_fraud=np.ones(loot.size, dtype=np.bool_),
    )
    return events, before, before - amount


def _order(first: _Events, second: _Events) -> Ints:
    return np.argsort(np.concatenate([first.time, second.time]), kind="stable")


def _merged(first: _Events, second: _Events) -> _Events:
    order = _order(first, second)
    return _Events(
        *(
            np.concatenate([getattr(first, name), getattr(second, name)])[order]
            for name in _Events.__slots__
        )
    )


def _reported(rng: np.random.Generator, events: _Events) -> BoolArray:
    risky = (events.kind == _TRANSFER) | (events.kind == _CASH_OUT)
    kept_quiet = rng.random(events.time.size) < _UNREPORTED
    false_claim = risky & (rng.random(events.time.size) < _FALSELY_REPORTED)
    reported: BoolArray = (events.is_fraud & ~kept_quiet) | (~events.is_fraud & false_claim)
    return reported


def _table(
    events: _Events,
    people: _People,
    amount: Ints,
    before: Ints,
    after: Ints,
    receiver_before: Ints,
    receiver_after: Ints,
    reported: BoolArray,
) -> pa.Table:
    merchant = events.receiver >= people.offset("merchants")
    kinds = pa.array(_NAMES).take(pa.array(events.kind))
    return pa.table(
        {
            "step": (np.floor(events.time) + 1).astype(np.int32),
            "type": kinds,
            "amount": amount / 100.0,
            "nameOrig": _account_names(events.payer, np.zeros_like(merchant)),
            "oldbalanceOrg": before / 100.0,
            "newbalanceOrig": after / 100.0,
            "nameDest": _account_names(events.receiver, merchant),
            "oldbalanceDest": np.where(merchant, 0.0, receiver_before / 100.0),
            "newbalanceDest": np.where(merchant, 0.0, receiver_after / 100.0),
            "isFraud": reported.astype(np.int8),
            "isFlaggedFraud": ((events.kind == _TRANSFER) & (amount > FLAGGED_FROM_CENTS)).astype(
                np.int8
            ),
        }
    )


def _account_names(account: Ints, merchant: BoolArray) -> pa.Array:
    # Multiplication by a number coprime to 9 * 10^8 scatters account numbers without a collision.
    number = 1_000_000_000 + (account * 479_001_599) % 900_000_000
    letter = pa.array(np.where(merchant, "M", "C"))
    return pc.binary_join_element_wise(letter, pa.array(number).cast(pa.string()), "")
