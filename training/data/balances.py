"""Settle accounts movement by movement without a loop over movements."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.columns import BoolArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def settle(
    account: Ints, cents: Ints, share: Floats, is_credit: BoolArray, opening: Ints
) -> tuple[Ints, Ints, Ints]:
    """Apply every account's movements in order; a balance never falls below 0.

    The k-th movements of all accounts are settled at once: an amount may depend on the balance, and
    nothing loops over transactions.

    Args:
        account: account number of each of n movements, in time order, int64 (n,).
        cents: requested amounts, int64 (n,).
        share: share of the balance that is moved instead, where above 0, float64 (n,).
        is_credit: whether the account receives, bool (n,).
        opening: opening balances in cents by account number, int64.

    Returns:
        Cents moved, and the account's balance before and after, each in the order of `account`.
    """
    order = np.argsort(account, kind="stable")
    grouped = account[order]
    starts = np.flatnonzero(np.diff(grouped, prepend=-1))
    nth = np.arange(account.size) - np.repeat(starts, np.diff(starts, append=account.size))
    rounds = np.split(order[np.argsort(nth, kind="stable")], np.cumsum(np.bincount(nth))[:-1])
    balance, moved = opening.copy(), cents.copy()
    before, after = np.empty_like(cents), np.empty_like(cents)
    for rows in rounds:
        held = balance[account[rows]]
        of_balance = (share[rows] > 0) & (held > 0)
        moved[rows] = np.where(of_balance, np.rint(share[rows] * held), cents[rows])
        signed = np.where(is_credit[rows], moved[rows], -moved[rows])
        before[rows], after[rows] = held, np.maximum(held + signed, 0)
        balance[account[rows]] = after[rows]
    return moved, before, after
