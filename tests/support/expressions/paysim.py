"""PaySim's features in the expression language, and its transactions as columns."""

from __future__ import annotations

from collections.abc import Sequence

from scoring.columns import Column
from scoring.event_type.fields import EventType
from scoring.feature_set.definition import FeatureDefinition
from scoring.transaction import (
    MAX_AMOUNT,
    MAX_BALANCE,
    MAX_STEP,
    TRANSACTION_TYPES,
    Transaction,
    to_wire,
)
from tests.support.expressions.events import a_field, columns_of

_BALANCE = (-MAX_BALANCE, MAX_BALANCE)
PAYSIM = EventType(
    "paysim",
    "isFraud",
    (
        a_field("step", "integer", bounds=(0, MAX_STEP), optional=False),
        a_field("type", "category", values=TRANSACTION_TYPES, optional=False),
        a_field("amount", "number", role="amount", bounds=(0, MAX_AMOUNT), optional=False),
        a_field("nameOrig", "entity", role="payer", entity="account", optional=False),
        a_field("oldbalanceOrg", "number", bounds=_BALANCE, optional=False),
        a_field("nameDest", "entity", role="payee", entity="account", optional=False),
        a_field("oldbalanceDest", "number", bounds=_BALANCE, optional=False),
    ),
)
_NO_OR_YES = ("no", "yes")
FEATURES = (
    FeatureDefinition("type", "code(type)", "transaction type", TRANSACTION_TYPES),
    FeatureDefinition("amount", "amount", "amount moved"),
    FeatureDefinition("oldbalance_org", "oldbalanceOrg", "payer's balance before"),
    FeatureDefinition("oldbalance_dest", "oldbalanceDest", "receiver's balance before"),
    FeatureDefinition("balance_left", "oldbalanceOrg - amount", "payer's balance minus the amount"),
    FeatureDefinition(
        "amount_share",
        "amount / (max(oldbalanceOrg, 0) + 1)",
        "amount as a share of the payer's balance",
    ),
    FeatureDefinition(
        "empties_account",
        "abs(amount - oldbalanceOrg) < 0.005 and amount > 0",
        "whether the amount is the payer's whole balance",
        _NO_OR_YES,
    ),
    FeatureDefinition(
        "dest_amount_share",
        "amount / (max(oldbalanceDest, 0) + 1)",
        "amount as a share of the receiver's balance",
    ),
    FeatureDefinition(
        "dest_is_empty",
        "oldbalanceDest <= 0",
        "whether the receiver held nothing before",
        _NO_OR_YES,
    ),
    FeatureDefinition(
        "dest_is_merchant",
        "starts_with(nameDest, 'M')",
        "whether the receiver is a merchant",
        _NO_OR_YES,
    ),
    FeatureDefinition(
        "hour_of_day",
        "step % 24",
        "hour of the day, 0 to 23",
        tuple(f"{hour:02d}:00" for hour in range(24)),
    ),
)


def paysim_columns(transactions: Sequence[Transaction]) -> dict[str, Column]:
    """Return the columns of transactions."""
    return columns_of(PAYSIM, [to_wire(transaction) for transaction in transactions])
