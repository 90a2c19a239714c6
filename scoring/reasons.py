"""Reasons: contributions as sentences for an analyst, in words first and in log-odds second.

A contribution c adds c to the margin, so it multiplies the model's odds of fraud by e^c. A sentence
states the value, that factor, and c in parentheses. These are the odds before calibration.

Features that say the same of a payment, such as `empties_account` and an `amount_share` of 1, have
the same phrase and share a sentence, with the factor of all and the log-odds of each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scoring.described_features import DescribedFeatures
from scoring.prediction import Prediction
from scoring.statements import Money, Ratio, Statement, statement, word_of

_MAX_FACTOR = 1000.0
"""Larger factors are given as this bound; the log-odds beside them are exact."""
_MIN_LOG_ODDS = 0.005
"""Smaller contributions change the odds by less than half a percent."""


TEXTS = {
    "whole_balance": "The amount is exactly the payer's whole balance",
    "not_whole_balance": "The payment does not take exactly the payer's whole balance",
    "type": "The transaction is a {word}",
    "amount": "The amount is {amount}",
    "money": "{value}",
    "money_above": "{value}, {times} times the usual {usual}",
    "money_below": "{value}, less than the usual {usual}",
    "money_usual": "{value}, about the usual {usual}",
    "payer_negative": "The payer's balance was {value}",
    "payer_nothing": "The payer held nothing before",
    "payer_held": "The payer held {value} before",
    "payer_zero": "The amount is zero and the payer held {value} before",
    "payer_share": "The amount is {times} times the payer's balance",
    "receiver_negative": "The receiver's balance was {value}",
    "receiver_nothing": "The receiver held nothing before",
    "receiver_some": "The receiver held money before",
    "receiver_held": "The receiver held {value} before",
    "receiver_zero": "The amount is zero and the receiver held {value} before",
    "receiver_share": "The amount is {times} times the receiver's balance",
    "left": "The payer would be left with {value}",
    "exceeds": "The amount exceeds the payer's balance by {value}",
    "merchant": "The receiver is a merchant",
    "no_merchant": "The receiver is not a merchant",
    "hour": "It happens in the hour from {word}",
}
"""Texts of the statements in English; the console has them in each of its languages."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What top features state together.

    Attributes:
        phrase: what is true, in English.
        statement: the same before it was put into English; None where there is English only.
        contributions: contribution of each feature that states it, log-odds.
    """

    phrase: str
    statement: Statement | None
    contributions: tuple[float, ...]


def _times(ratio: float) -> str:
    """Return a positive ratio in plain digits, such as `0.25`, `2.5` or `1,204`."""
    if ratio < 0.001:
        return "less than 0.001"
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"


def _english(stated: Statement) -> str:
    shown = {
        name: _english(value)
        if isinstance(value, Statement)
        else f"{value:,.2f}"
        if isinstance(value, Money)
        else _times(value)
        if isinstance(value, Ratio)
        else value
        for name, value in stated.values.items()
    }
    return TEXTS[stated.key].format(**shown)


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
    return _phrase(name, values, usual, described)[0]


def _phrase(
    name: str,
    values: Mapping[str, float],
    usual: Mapping[str, float],
    described: DescribedFeatures,
) -> tuple[str, Statement | None]:
    if (own := described.phrase(name, values[name])) is not None:
        return own, None
    if (stated := statement(name, values, usual, described)) is not None:
        return _english(stated), stated
    feature = described.find(name)
    description = feature.description if feature else name
    word = word_of(name, values[name], described)
    return f"{description[0].upper()}{description[1:]}: {word}", None


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


def facts(prediction: Prediction) -> list[Fact]:
    """Return what top features state, in the order of the features.

    Features without a contribution state nothing. The order is that of the largest contribution.
    """
    described, usual = prediction.described, prediction.model.usual
    values = dict(zip(described.names, prediction.features, strict=True))
    found: dict[str, Fact] = {}
    for i in prediction.top_features():
        contribution = prediction.contributions[i]
        if contribution != 0.0:
            words, stated = _phrase(described.names[i], values, usual, described)
            before = found[words].contributions if words in found else ()
            found[words] = Fact(words, stated, (*before, contribution))
    return list(found.values())


def reasons(prediction: Prediction) -> list[str]:
    """Return a sentence for each fact that top features state, as `facts` orders them."""
    return [f"{one.phrase}, which {effect(one.contributions)}." for one in facts(prediction)]
