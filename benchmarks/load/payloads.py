"""Request bodies: the same transactions for every system, in the format that it reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from scoring.columns import FloatArray
from scoring.features import PAYSIM_FEATURES
from scoring.transaction import from_wire

TYPES = ("PAYMENT", "CASH_OUT", "CASH_IN", "TRANSFER", "DEBIT")
TYPE_SHARES = (0.34, 0.35, 0.22, 0.083, 0.007)
SCORE_BODIES = 4000
BATCH_BODIES = 8


def transactions(count: int, seed: int = 7) -> list[dict[str, Any]]:
    """Return distinct transactions with PaySim's mix of types and log-normal amounts."""
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


def features_of(bodies: Sequence[dict[str, Any]]) -> FloatArray:
    """Return the model's inputs for transactions in wire form, float64 (n, features)."""
    submitted = [from_wire(body) for body in bodies]
    return PAYSIM_FEATURES.matrix_of(submitted)


@dataclass(frozen=True, slots=True)
class Wire:
    """The routes and request bodies of a system.

    Attributes:
        score_path: route for one transaction.
        batch_path: route for several; None where a request holds one transaction.
        one: function that makes the body for one transaction.
        many: function that makes the body for several.
    """

    score_path: str
    batch_path: str | None
    one: Callable[[dict[str, Any]], Any]
    many: Callable[[Sequence[dict[str, Any]]], Any]

    def bodies(self, rows: int | None) -> list[bytes]:
        """Return bodies to send in turn.

        Args:
            rows: number of transactions in a body; None makes bodies for `score_path`.
        """
        return _bodies(self, rows)


@cache
def _bodies(wire: Wire, rows: int | None) -> list[bytes]:
    if rows is None:
        return [json.dumps(wire.one(body)).encode() for body in transactions(SCORE_BODIES)]
    given = transactions(rows * BATCH_BODIES)
    return [
        json.dumps(wire.many(given[i * rows : (i + 1) * rows])).encode()
        for i in range(BATCH_BODIES)
    ]


def _tensor(bodies: Sequence[dict[str, Any]]) -> dict[str, Any]:
    matrix = features_of(bodies)
    values = {"shape": list(matrix.shape), "datatype": "FP64", "data": matrix.tolist()}
    return {"inputs": [{"name": "features", **values}]}


def _frame(bodies: Sequence[dict[str, Any]]) -> dict[str, Any]:
    rows = [list(body.values()) for body in bodies]
    return {"dataframe_split": {"columns": list(bodies[0]), "data": rows}}


SENTINEL = Wire("/score", "/score/batch", lambda body: body, lambda rows: {"transactions": rows})
MLSERVER = Wire(
    "/v2/models/fraud/infer", "/v2/models/fraud/infer", lambda body: _tensor([body]), _tensor
)
MLFLOW = Wire("/invocations", "/invocations", lambda body: _frame([body]), _frame)
