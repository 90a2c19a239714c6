"""Reasons of a decision in the person's language.

What PaySim's features state is put into words here; the phrases of other features are made from
their expressions and are English (`scoring/statements.py`), so they are marked as such.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from console.formats import Formats
from console.strings import texts, translate
from scoring.features import PAYSIM_FEATURES
from scoring.prediction import Prediction
from scoring.reasons import Fact, facts
from scoring.statements import Money, Ratio, Statement

_TIMES, _DIVIDED = "\N{MULTIPLICATION SIGN}", "\N{DIVISION SIGN}"
_MAX_FACTOR = 1000.0
"""Larger factors are shown as this bound."""
_MIN_FACTOR = math.exp(0.005)
"""Smaller factors count as no change."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason as a page shows it.

    Attributes:
        phrase: what is true of the payment.
        language: language of the phrase.
        factor: what it does to the model's odds of fraud, such as times 299.
        sentence: phrase and effect in one sentence.
        parts: factor of each feature that states it, or its log-odds; empty for a single factor.
    """

    phrase: str
    language: str
    factor: str
    sentence: str
    parts: str


def shown_reasons(
    prediction: Prediction, formats: Formats, *, in_log_odds: bool = False
) -> list[Reason]:
    """Return what moved the score, the strongest first.

    Args:
        prediction: decision as it was made.
        formats: language of the page, and how the person sees numbers.
        in_log_odds: whether the parts are log-odds, as in a file; else factors, as in the picture.
    """
    return [_reason(one, formats, in_log_odds=in_log_odds) for one in facts(prediction)]


def factor_text(contribution: float, formats: Formats) -> str:
    """Return what a contribution does to the odds: times 93, divided by 1.24."""
    # Beyond the bound no power is needed, and one of some contributions would overflow.
    size = math.exp(min(abs(contribution), 100.0))
    if size < _MIN_FACTOR:
        return f"{_TIMES}1"
    sign = _TIMES if contribution > 0 else _DIVIDED
    if size > _MAX_FACTOR:
        return f"{sign}{formats.count(int(_MAX_FACTOR))}+"
    return f"{sign}{formats.number(size, 2 if size < 10 else 0)}"


def feature_text(name: str, description: str, language: str) -> str:
    """Return the description of a feature, in the language where it is PaySim's own."""
    own = PAYSIM_FEATURES.described.find(name)
    key = f"features.{name}"
    if own is None or own.description != description or key not in texts(language):
        return description
    return texts(language)[key]


def word_text(word: str, language: str) -> str:
    """Return a word for a code; `yes` and `no` in the language of the page."""
    return translate(language, f"features.{word}") if word in ("yes", "no") else word


def _reason(fact: Fact, formats: Formats, *, in_log_odds: bool) -> Reason:
    language = formats.language
    phrase = _phrase(fact.statement, formats) if fact.statement else fact.phrase
    total = math.fsum(fact.contributions)
    factor = factor_text(total, formats)
    verb = "hardly" if factor == f"{_TIMES}1" else "multiplies" if total > 0 else "divides"
    joined = f" {translate(language, 'reasons.and')} ".join(
        f"{'+' if one > 0 else ''}{formats.number(one, 2)}"
        if in_log_odds
        else factor_text(one, formats)
        for one in fact.contributions
    )
    if in_log_odds:
        parts = f" {translate(language, 'reasons.log_odds', each=joined)}"
    else:
        parts = f" ({joined})" if len(fact.contributions) > 1 else ""
    sentence = translate(
        language,
        f"reasons.{verb}",
        phrase=phrase,
        factor=_bounded(factor[1:], language),
        parts=parts,
    )
    return Reason(phrase, language if fact.statement else "en", factor, sentence, parts)


def _bounded(factor: str, language: str) -> str:
    """Return a factor in a sentence, where one beyond the bound is more than it."""
    return translate(language, "reasons.more", least=factor[:-1]) if factor[-1] == "+" else factor


def _phrase(stated: Statement, formats: Formats) -> str:
    shown = {
        name: _phrase(value, formats)
        if isinstance(value, Statement)
        else formats.money(value)
        if isinstance(value, Money)
        else _times(value, formats)
        if isinstance(value, Ratio)
        else value
        for name, value in stated.values.items()
    }
    return translate(formats.language, f"statements.{stated.key}", **shown)


def _times(ratio: float, formats: Formats) -> str:
    if ratio < 0.001:
        return translate(formats.language, "reasons.tiny", least=formats.number(0.001, 3))
    if ratio >= 10:
        return formats.count(round(ratio))
    return formats.number(float(f"{ratio:.2g}"), 4)
