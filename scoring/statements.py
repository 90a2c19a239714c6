"""Statements: what is true of one feature's value, before it is put into a language.

Only PaySim's features have statements of their own; the phrases of other features are made from
their expressions (`scoring/feature_set`), in English.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scoring.described_features import DescribedFeatures

_ALIKE = 1.25
"""Values within this factor of the usual one count as usual."""


class Money(float):
    """An amount, which a text shows to the cent."""


class Ratio(float):
    """A positive ratio, which a text shows in plain digits."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A fact about a payment.

    Attributes:
        key: name of the text, such as `payer_held`.
        values: what is filled in: money, ratios, words, and other statements.
    """

    key: str
    values: Mapping[str, Money | Ratio | str | Statement] = field(default_factory=dict)


def statement(
    name: str,
    values: Mapping[str, float],
    usual: Mapping[str, float],
    described: DescribedFeatures,
) -> Statement | None:
    """Return what is true of one feature's value; None for a feature that is not PaySim's.

    Args:
        name: name of the feature.
        values: every feature's value, by name.
        usual: usual values by feature name (`ModelVersion.usual`).
        described: features of the version.
    """
    value = values[name]
    match name:
        case "empties_account" | "amount_share" | "balance_left" if values.get("empties_account"):
            return Statement("whole_balance")
        case "type":
            return Statement("type", {"word": word_of(name, value, described)})
        case "amount":
            return Statement("amount", {"amount": _beside_usual(value, usual.get(name))})
        case "oldbalance_org":
            return _balance("payer", value, usual.get(name))
        case "oldbalance_dest":
            return _balance("receiver", value, usual.get(name))
        case "balance_left":
            key = "left" if value >= 0 else "exceeds"
            return Statement(key, {"value": Money(abs(value))})
        case "amount_share" if _has(values, "amount", "oldbalance_org"):
            return _share(values["amount"], values["oldbalance_org"], "payer")
        case "dest_amount_share" if _has(values, "amount", "oldbalance_dest"):
            return _share(values["amount"], values["oldbalance_dest"], "receiver")
        case "empties_account":
            return Statement("not_whole_balance")
        case "dest_is_empty" if "oldbalance_dest" in values:
            balance = values["oldbalance_dest"]
            return _balance("receiver", balance, None) if value else Statement("receiver_some")
        case "dest_is_merchant":
            return Statement("merchant" if value else "no_merchant")
        case "hour_of_day":
            return Statement("hour", {"word": word_of(name, value, described)})
        case _:
            return None


def word_of(name: str, value: float, described: DescribedFeatures) -> str:
    """Return the word for a code, or the number."""
    feature = described.find(name)
    return (feature.display_values if feature else {}).get(value, f"{value:g}")


def _beside_usual(value: float, usual: float | None) -> Statement:
    """Return an amount of money, compared with the usual one where that is known and positive."""
    if usual is None or usual <= 0:
        return Statement("money", {"value": Money(value)})
    compared: dict[str, Money | Ratio | str | Statement] = {
        "value": Money(value),
        "usual": Money(usual),
    }
    if value >= usual * _ALIKE:
        return Statement("money_above", {**compared, "times": Ratio(value / usual)})
    return Statement("money_below" if value * _ALIKE <= usual else "money_usual", compared)


def _balance(owner: str, value: float, usual: float | None) -> Statement:
    if value < 0:
        return Statement(f"{owner}_negative", {"value": Money(value)})
    if value == 0:
        return Statement(f"{owner}_nothing")
    return Statement(f"{owner}_held", {"value": _beside_usual(value, usual)})


def _share(amount: float, balance: float, owner: str) -> Statement:
    if balance <= 0:  # The share depends on the amount alone then.
        return _balance(owner, balance, None)
    if amount <= 0:
        return Statement(f"{owner}_zero", {"value": Money(balance)})
    return Statement(f"{owner}_share", {"times": Ratio(amount / balance)})


def _has(values: Mapping[str, float], *names: str) -> bool:
    return all(name in values for name in names)
