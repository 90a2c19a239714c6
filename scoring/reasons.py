"""Reasons: contributions as sentences for an analyst, in words first and in log-odds second.

A contribution c adds c to the margin, so it multiplies the model's odds of fraud by e^c. A sentence
states the value, that factor, and c in parentheses. These are the odds before calibration.

Features that say the same of a payment, such as `empties_account` and an `amount_share` of 1, have
the same phrase and share a sentence, with the factor of all and the log-odds of each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from scoring.described_features import DescribedFeatures
from scoring.prediction import Prediction

_MAX_FACTOR = 1000.0
"""Larger factors are given as this bound; the log-odds beside them are exact."""
_MIN_LOG_ODDS = 0.005
"""Smaller contributions change the odds by less than half a percent."""
_ALIKE = 1.25
"""Values within this factor of the usual one count as usual."""


def _money(value: float) -> str:
    return f"{value:,.2f}"


def _times(ratio: float) -> str:
    """Return a positive ratio in plain digits, such as `0.25`, `2.5` or `1,204`."""
    if ratio < 0.001:
        return "less than 0.001"
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"


def _beside_usual(value: float, usual: float | None) -> str:
    """Return an amount of money, compared with the usual one where that is known and positive."""
    if usual is None or usual <= 0:
        return _money(value)
    if value >= usual * _ALIKE:
        return f"{_money(value)}, {_times(value / usual)} times the usual {_money(usual)}"
    likeness = "less than" if value * _ALIKE <= usual else "about"
    return f"{_money(value)}, {likeness} the usual {_money(usual)}"


def _balance(owner: str, value: float, usual: float | None) -> str:
    if value < 0:
        return f"The {owner}'s balance was {_money(value)}"
    if value == 0:
        return f"The {owner} held nothing before"
    return f"The {owner} held {_beside_usual(value, usual)} before"


def _share(amount: float, balance: float, owner: str) -> str:
    if balance <= 0:  # The share depends on the amount alone then.
        return _balance(owner, balance, None)
    if amount <= 0:
        return f"The amount is zero and the {owner} held {_money(balance)} before"
    return f"The amount is {_times(amount / balance)} times the {owner}'s balance"


def phrase(
    name: str,
    values: Mapping[str, float],
    usual: Mapping[str, float],
    described: DescribedFeatures,
) -> str:
    """Return what is true of one feature's value.

    Args:
        name: name of the feature.
        values: every feature's value, by name.
        usual: usual values by feature name (`ModelVersion.usual`).
        described: features of the version.
    """
    value = values[name]
    if (stated := described.phrase(name, value)) is not None:
        return stated
    match name:
        case "empties_account" | "amount_share" | "balance_left" if values.get("empties_account"):
            return "The amount is exactly the payer's whole balance"
        case "type":
            return f"The transaction is a {_word(name, value, described)}"
        case "amount":
            return f"The amount is {_beside_usual(value, usual.get(name))}"
        case "oldbalance_org":
            return _balance("payer", value, usual.get(name))
        case "oldbalance_dest":
            return _balance("receiver", value, usual.get(name))
        case "balance_left":
            return (
                f"The payer would be left with {_money(value)}"
                if value >= 0
                else f"The amount exceeds the payer's balance by {_money(-value)}"
            )
        case "amount_share" if _has(values, "amount", "oldbalance_org"):
            return _share(values["amount"], values["oldbalance_org"], "payer")
        case "dest_amount_share" if _has(values, "amount", "oldbalance_dest"):
            return _share(values["amount"], values["oldbalance_dest"], "receiver")
        case "empties_account":
            return "The payment does not take exactly the payer's whole balance"
        case "dest_is_empty" if "oldbalance_dest" in values:
            balance = values["oldbalance_dest"]
            return (
                _balance("receiver", balance, None) if value else "The receiver held money before"
            )
        case "dest_is_merchant":
            return "The receiver is a merchant" if value else "The receiver is not a merchant"
        case "hour_of_day":
            return f"It happens in the hour from {_word(name, value, described)}"
        case _:
            feature = described.find(name)
            description = feature.description if feature else name
            return f"{description[0].upper()}{description[1:]}: {_word(name, value, described)}"


def _has(values: Mapping[str, float], *names: str) -> bool:
    return all(name in values for name in names)


def _word(name: str, value: float, described: DescribedFeatures) -> str:
    """Return the word for a code, or the number."""
    feature = described.find(name)
    return (feature.display_values if feature else {}).get(value, f"{value:g}")


def effect(contributions: Sequence[float]) -> str:
    """Return what contributions do to the odds together: the factor, then each one's log-odds.

    Args:
        contributions: contributions of the features that state one fact, log-odds.
    """
    total = math.fsum(contributions)
    log_odds = f"(log-odds {' and '.join(map(_log_odds, contributions))})"
    size = abs(total)
    if size < _MIN_LOG_ODDS:
        return f"hardly changes the model's odds of fraud {log_odds}"
    verb = "multiplies" if total > 0 else "divides"
    factor = (
        f"more than {_MAX_FACTOR:,.0f}"
        if size > math.log(_MAX_FACTOR)
        else f"{math.exp(size):,.0f}"
        if size >= math.log(100)
        else f"{math.exp(size):.3g}"
    )
    return f"{verb} the model's odds of fraud by {factor} {log_odds}"


def _log_odds(contribution: float) -> str:
    return f"{contribution:+.1g}" if abs(contribution) < _MIN_LOG_ODDS else f"{contribution:+.2f}"


def reasons(prediction: Prediction) -> list[str]:
    """Return a sentence for each fact that top features state, in the order of the features.

    Features without a contribution have none. The order is that of the largest contribution.
    """
    described, usual = prediction.described, prediction.model.usual
    values = dict(zip(described.names, prediction.features, strict=True))
    facts: dict[str, list[float]] = {}
    for i in prediction.top_features():
        if prediction.contributions[i] != 0.0:
            stated = phrase(described.names[i], values, usual, described)
            facts.setdefault(stated, []).append(prediction.contributions[i])
    return [f"{stated}, which {effect(shares)}." for stated, shares in facts.items()]
