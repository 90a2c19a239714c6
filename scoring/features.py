"""FEATURES: the one definition of the model's inputs, for training and for serving.

Columns in, float64 matrix out. Features use only what is known before the decision, so not the
balances after the transaction (`newbalanceOrig`, `newbalanceDest`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.described_features import DescribedFeatures, FeatureDescription
from scoring.transaction import TRANSACTION_TYPES, TYPE_CODES, Transaction

FEATURES_VERSION = 1
"""Version of the definitions. It goes up whenever a feature's meaning changes; a model with
another version fails to load."""

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TransactionColumns:
    """Columns of n transactions, each float64 (n,).

    Attributes:
        step: hours since the tenant's epoch.
        type_code: indices into TRANSACTION_TYPES.
        amount: amounts moved, money.
        oldbalance_org: payers' balances before, money.
        oldbalance_dest: receivers' balances before, money.
        dest_is_merchant: 1.0 where the receiver is a merchant, else 0.0.
    """

    step: FloatArray
    type_code: FloatArray
    amount: FloatArray
    oldbalance_org: FloatArray
    oldbalance_dest: FloatArray
    dest_is_merchant: FloatArray

    @classmethod
    def from_transactions(cls, transactions: Sequence[Transaction]) -> TransactionColumns:
        """Return the columns of n transactions."""
        table = np.array(
            [
                (
                    t.step,
                    TYPE_CODES[t.type],
                    t.amount,
                    t.oldbalance_org,
                    t.oldbalance_dest,
                    t.name_dest[0] == "M",
                )
                for t in transactions
            ],
            dtype=np.float64,
        ).reshape(len(transactions), 6)
        return cls(*np.ascontiguousarray(table.T))


@dataclass(frozen=True, slots=True)
class Feature:
    """One input of the model.

    Attributes:
        name: name in replies, rows and plots.
        description: phrase for an analyst, with the unit.
        compute: function from the columns of n transactions to the feature's values, float64 (n,).
        words: words for the values 0, 1, 2 ..., where these are codes; None for a quantity.
    """

    name: str
    description: str
    compute: Callable[[TransactionColumns], FloatArray]
    words: tuple[str, ...] | None = None


def _empties_account(c: TransactionColumns) -> FloatArray:
    # Half a cent: amounts and balances have two decimals, but their float64 sums are inexact.
    drained = (np.abs(c.amount - c.oldbalance_org) < 0.005) & (c.amount > 0)
    return drained.astype(np.float64)


def _amount_share(c: TransactionColumns) -> FloatArray:
    # Adding 1 keeps the share of an empty or overdrawn account finite, and the largest for its
    # amount.
    return c.amount / (np.maximum(c.oldbalance_org, 0.0) + 1.0)


_NO_OR_YES = ("no", "yes")
_HOURS = tuple(f"{hour:02d}:00" for hour in range(24))

FEATURES: tuple[Feature, ...] = (
    Feature("type", "transaction type", lambda c: c.type_code, TRANSACTION_TYPES),
    Feature("amount", "amount moved", lambda c: c.amount),
    Feature("oldbalance_org", "payer's balance before", lambda c: c.oldbalance_org),
    Feature("oldbalance_dest", "receiver's balance before", lambda c: c.oldbalance_dest),
    Feature(
        "balance_left", "payer's balance minus the amount", lambda c: c.oldbalance_org - c.amount
    ),
    Feature("amount_share", "amount as a share of the payer's balance", _amount_share),
    Feature(
        "empties_account",
        "whether the amount is the payer's whole balance",
        _empties_account,
        _NO_OR_YES,
    ),
    Feature(
        "dest_amount_share",
        "amount as a share of the receiver's balance",
        lambda c: c.amount / (np.maximum(c.oldbalance_dest, 0.0) + 1.0),
    ),
    Feature(
        "dest_is_empty",
        "whether the receiver held nothing before",
        lambda c: (c.oldbalance_dest <= 0).astype(np.float64),
        _NO_OR_YES,
    ),
    Feature(
        "dest_is_merchant",
        "whether the receiver is a merchant",
        lambda c: c.dest_is_merchant,
        _NO_OR_YES,
    ),
    Feature("hour_of_day", "hour of the day, 0 to 23", lambda c: c.step % 24.0, _HOURS),
)

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
DESCRIBED = DescribedFeatures(
    tuple(FeatureDescription(f.name, f.description, f.words) for f in FEATURES)
)
"""The features as people read them."""


def feature_matrix(columns: TransactionColumns) -> FloatArray:
    """Compute every feature of n transactions.

    Args:
        columns: columns of the transactions.

    Returns:
        C-contiguous float64 of shape (n, len(FEATURES)), in the order of FEATURES.
    """
    matrix = np.empty((columns.amount.shape[0], len(FEATURES)), dtype=np.float64)
    for index, feature in enumerate(FEATURES):
        matrix[:, index] = feature.compute(columns)
    return matrix
