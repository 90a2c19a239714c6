"""Reasons are in the person's language, with the factors that the picture shows."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from console.formats import Formats
from console.reasons import factor_text, feature_text, shown_reasons, word_text
from console.strings import LANGUAGES, texts
from scoring.features import PAYSIM_FEATURES
from scoring.prediction import ModelVersion
from scoring.reasons import TEXTS, facts
from tests.support.factories import a_model, a_transaction

NOW = datetime(2026, 11, 27, tzinfo=UTC)
ENGLISH, GERMAN = Formats("en", None, "UTC", NOW), Formats("de", None, "UTC", NOW)


def test_the_consoles_english_is_that_of_the_api() -> None:
    known = texts("en")
    assert {key: known[f"statements.{key}"] for key in TEXTS} == TEXTS
    described = PAYSIM_FEATURES.described.features
    assert {one.name: known[f"features.{one.name}"] for one in described} == {
        one.name: one.description for one in described
    }


def test_each_reason_is_in_the_language_with_the_factor_of_its_contributions() -> None:
    transaction = a_transaction(amount=1000.0, oldbalance_org=1000.0)
    (prediction,) = a_model(version=ModelVersion("fraud-demo", 1)).predict([transaction])
    found = facts(prediction)
    assert found
    for formats in (ENGLISH, GERMAN):
        shown = shown_reasons(prediction, formats)
        assert [one.language for one in shown] == [formats.language] * len(found)
        assert [one.factor for one in shown] == [
            factor_text(math.fsum(one.contributions), formats) for one in found
        ]
    english = [one.phrase for one in shown_reasons(prediction, ENGLISH)]
    assert english == [one.phrase for one in found]
    german = [one.sentence for one in shown_reasons(prediction, GERMAN)]
    assert not set(english) & set(german)
    assert all("Odds des Modells" in one for one in german)


def test_a_shared_sentence_names_the_factor_of_each_feature() -> None:
    transaction = a_transaction(amount=1000.0, oldbalance_org=1000.0)
    (prediction,) = a_model(version=ModelVersion("fraud-demo", 1)).predict([transaction])
    shared = [one for one in facts(prediction) if len(one.contributions) > 1]
    parts = {one.phrase: one.parts for one in shown_reasons(prediction, ENGLISH)}
    for one in shared:
        each = " and ".join(factor_text(part, ENGLISH) for part in one.contributions)
        assert parts[one.phrase] == f" ({each})"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_feature_of_another_event_type_keeps_its_own_description(language: str) -> None:
    assert feature_text("amount", "spent at the till", language) == "spent at the till"
    assert feature_text("velocity", "payments of a day", language) == "payments of a day"
    assert word_text("TRANSFER", language) == "TRANSFER"


def test_a_contribution_of_any_size_has_a_factor() -> None:
    assert factor_text(1e6, ENGLISH) == "\N{MULTIPLICATION SIGN}1,000+"
    assert factor_text(-1e6, ENGLISH) == "\N{DIVISION SIGN}1,000+"
    assert factor_text(0.0, ENGLISH) == "\N{MULTIPLICATION SIGN}1"


def test_a_contribution_multiplies_the_odds_or_divides_them() -> None:
    assert factor_text(math.log(2), ENGLISH) == "\N{MULTIPLICATION SIGN}2"
    assert factor_text(-math.log(4), ENGLISH) == "\N{DIVISION SIGN}4"
