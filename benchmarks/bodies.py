"""Request bodies from the simulator: what the benchmarked service was trained for."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

TYPES = ("PAYMENT", "CASH_OUT", "CASH_IN", "TRANSFER", "DEBIT")
TYPE_SHARES = (0.34, 0.35, 0.22, 0.083, 0.007)


def transactions(count: int, seed: int = 7) -> list[dict[str, Any]]:
    """Return distinct transactions with PaySim's mix of types and log-normal money."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(TYPES, count, p=TYPE_SHARES)
    money = rng.lognormal(10.0, 2.0, (count, 3)).round(2)
    return [
        {
            "step": int(rng.integers(0, 744)),
            "type": str(kind),
            "amount": float(amount),
            "nameOrig": f"C{rng.integers(10**9, 10**10)}",
            "oldbalanceOrg": float(paid_from),
            "nameDest": f"{'M' if kind == 'PAYMENT' else 'C'}{rng.integers(10**9, 10**10)}",
            "oldbalanceDest": float(paid_to),
        }
        for kind, (amount, paid_from, paid_to) in zip(kinds, money, strict=True)
    ]


def score_bodies(count: int = 4000) -> list[bytes]:
    """Return bodies for POST /score."""
    return [json.dumps(transaction).encode() for transaction in transactions(count)]


def batch_bodies(rows: int, count: int = 8) -> list[bytes]:
    """Return bodies for POST /score/batch, `rows` transactions each."""
    given = transactions(rows * count)
    return [
        json.dumps({"transactions": given[i * rows : (i + 1) * rows]}).encode()
        for i in range(count)
    ]
