"""Amounts as people type or paste them: with the marks between thousands that the pages show."""

from __future__ import annotations

import re

from babel import Locale
from babel.numbers import get_decimal_symbol, get_group_symbol

from scoring.transaction import MAX_AMOUNT

_SPACES = re.compile(
    r"[\s\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}'\N{RIGHT SINGLE QUOTATION MARK}]"
)


def typed_amount(typed: str, language: str) -> float | None:
    """Return the amount that a text is, such as `152,400` or `461730.10`; None where it is none.

    Args:
        typed: text that a person typed.
        language: language of the page, which says what a comma and a point mean.
    """
    locale = Locale.parse(language)
    group, decimal = get_group_symbol(locale), get_decimal_symbol(locale)
    digits = _SPACES.sub("", typed)
    in_groups = rf"\d{{1,3}}(?:{re.escape(group)}\d{{3}})+(?:{re.escape(decimal)}\d{{1,2}})?"
    plain = rf"\d+(?:[{re.escape(group + decimal)}]\d{{1,2}})?"
    if re.fullmatch(in_groups, digits, re.ASCII):
        digits = digits.replace(group, "").replace(decimal, ".")
    elif re.fullmatch(plain, digits, re.ASCII):
        digits = digits.replace(",", ".")
    else:
        return None
    amount = float(digits)
    return amount if amount <= MAX_AMOUNT else None
