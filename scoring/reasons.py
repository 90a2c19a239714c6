"""Reasons: contributions as sentences for an analyst."""

from __future__ import annotations

from scoring.features import FEATURE_NAMES
from scoring.prediction import Prediction
from scoring.transaction import TRANSACTION_TYPES


def _money(value: float) -> str:
    return f"{value:,.2f}"


def _phrase(name: str, value: float) -> str:
    match name:
        case "type":
            return f"The transaction is a {TRANSACTION_TYPES[int(value)]}"
        case "amount":
            return f"The amount is {_money(value)}"
        case "oldbalance_org":
            return f"The payer held {_money(value)} before"
        case "oldbalance_dest":
            return f"The receiver held {_money(value)} before"
        case "balance_left":
            return (
                f"The payer would be left with {_money(value)}"
                if value >= 0
                else f"The amount exceeds the payer's balance by {_money(-value)}"
            )
        case "amount_share":
            return f"The amount is {value:.2g} times the payer's balance"
        case "empties_account":
            return (
                "The amount is exactly the payer's whole balance"
                if value
                else "The amount is not exactly the payer's balance"
            )
        case "dest_amount_share":
            return f"The amount is {value:.2g} times the receiver's balance"
        case "dest_is_empty":
            return "The receiver held nothing before" if value else "The receiver held money before"
        case "dest_is_merchant":
            return "The receiver is a merchant" if value else "The receiver is not a merchant"
        case "hour_of_day":
            return f"It happens at {int(value):02d}:00"
        case _:
            raise ValueError(f"feature {name!r} has no sentence")


def sentence(name: str, value: float, contribution: float) -> str:
    """Return a sentence on how one feature changed the margin.

    Args:
        name: name in FEATURE_NAMES.
        value: value of the feature.
        contribution: contribution of the feature, in log-odds.

    Raises:
        ValueError: the name is not in FEATURE_NAMES.
    """
    direction = "raises" if contribution > 0 else "lowers"
    return f"{_phrase(name, value)}, which {direction} the log-odds by {abs(contribution):.2f}."


def reasons(prediction: Prediction) -> list[str]:
    """Return a sentence for each top feature that contributed, largest contribution first."""
    return [
        sentence(FEATURE_NAMES[i], prediction.features[i], prediction.contributions[i])
        for i in prediction.top_features()
        if prediction.contributions[i] != 0.0
    ]
