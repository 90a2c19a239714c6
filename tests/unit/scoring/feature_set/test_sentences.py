"""The phrase of each form of feature: times, categories, missing values, descriptions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.feature_set.definition import FeatureDefinition
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.sentences import phrase
from scoring.features import PAYSIM_FEATURES
from tests.support.expressions.events import PastEvent, columns_of
from tests.support.expressions.sentences import MEAN_30D, phrase_of
from tests.support.expressions.strategies import (
    CATEGORIES,
    EVENT_TYPE,
    conditions,
    events,
    numbers,
)

MISSING = math.nan


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        ("hour(TX_DATETIME)", 3.0, "TX_DATETIME is in the hour from 03:00 UTC"),
        ("weekday(TX_DATETIME)", 6.0, "TX_DATETIME is on a Sunday (UTC)"),
        ("TX_DATETIME - OPENED", 7200.0, "TX_DATETIME is 2 hours after OPENED"),
        ("TX_DATETIME - OPENED", -60.0, "TX_DATETIME is 1 minute before OPENED"),
    ],
)
def test_times(expression: str, value: float, expected: str) -> None:
    assert phrase_of(expression, value) == expected


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        ("code(CHANNEL)", 1.0, "CHANNEL is web"),
        ("code(SHOP)", 0.0, "SHOP is books"),
        ("code(SHOP)", 1.0, "SHOP is none of the known values"),
        ("code(SHOP)", MISSING, "SHOP is missing"),
        ("TX_AMOUNT", MISSING, "TX_AMOUNT is missing"),
        ("TX_AMOUNT * 2", MISSING, "TX_AMOUNT * 2 is missing"),
        ("hour(OPENED)", MISSING, "OPENED is missing"),
        (MEAN_30D, MISSING, "this CUSTOMER_ID's 30-day mean of TX_AMOUNT is missing"),
        (
            "seconds_since_last(by=CUSTOMER_ID)",
            MISSING,
            "no earlier event of this CUSTOMER_ID is known",
        ),
        (
            "fraud_rate(by=TERMINAL_ID, window='28d', delay='7d')",
            MISSING,
            "the share of fraud in this TERMINAL_ID's payments of the 28 days before the last 7 "
            "is missing",
        ),
        ("TX_AMOUNT", 12.5, "TX_AMOUNT is 12.50"),
        ("TX_AMOUNT + BALANCE", 1e20, "TX_AMOUNT + BALANCE is 1e+20"),
    ],
)
def test_categories_missing_values_and_all_else(
    expression: str, value: float, expected: str
) -> None:
    assert phrase_of(expression, value) == expected


@pytest.mark.parametrize(
    ("expression", "value", "description", "words", "expected"),
    [
        ("TX_AMOUNT", 12.5, "amount in euros", None, "amount in euros is 12.50"),
        ("TX_AMOUNT", MISSING, "amount in euros", None, "amount in euros is missing"),
        ("TX_AMOUNT * 2", 3.0, "twice the amount", None, "twice the amount is 3"),
        ("code(CHANNEL)", 1.0, "channel", None, "channel is web"),
        ("IS_CHIP", 1.0, "paid with the chip", None, "paid with the chip: yes"),
        ("IS_CHIP and IS_CHIP", 0.0, "whether it is", None, "whether it is: no"),
        ("TX_AMOUNT > 1", 1.0, "whether it is large", ("no", "yes"), "whether it is large: yes"),
        ("TX_AMOUNT % 2", 1.0, "parity", ("even", "odd"), "parity is odd"),
        ("TX_AMOUNT % 2", 1.5, "parity", ("even", "odd"), "parity is 1.50"),
        ("TX_AMOUNT % 3", 2.0, None, ("none", "one"), "TX_AMOUNT % 3 is 2"),
        (
            "count(by=CUSTOMER_ID, window='1d')",
            2.0,
            "events of a day",
            None,
            "this CUSTOMER_ID had 2 events in the last 24 hours",
        ),
    ],
)
def test_descriptions_and_words(
    expression: str, value: float, description: str, words: tuple[str, ...], expected: str
) -> None:
    assert phrase_of(expression, value, description, words) == expected


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        (f"TX_AMOUNT / {MEAN_30D}", 6.2, "TX_AMOUNT is 6.2 times this customer's 30-day mean"),
        (
            "count(by=[CUSTOMER_ID, TERMINAL_ID], window='90d') == 0",
            1.0,
            "this customer and terminal had no events in the last 90 days",
        ),
        (
            "distinct(TERMINAL_ID, by=CUSTOMER_ID, window='1d')",
            1.0,
            "this customer had 1 different value of terminal in the last 24 hours",
        ),
        ("starts_with(TERMINAL_ID, 'M')", 1.0, "terminal starts with M"),
    ],
)
def test_the_name_of_an_entity_stands_for_its_field(
    expression: str, value: float, expected: str
) -> None:
    assert phrase_of(expression, value, with_entities=True) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("type", 4.0, "transaction type is TRANSFER"),
        ("amount", 2500.0, "amount moved is 2,500"),
        ("hour_of_day", 13.0, "hour of the day, 0 to 23 is 13:00"),
        ("dest_is_merchant", 1.0, "whether the receiver is a merchant: yes"),
        ("amount_share", 0.5, "amount as a share of the payer's balance is 0.5"),
    ],
)
def test_the_features_of_paysim(name: str, value: float, expected: str) -> None:
    compiled = PAYSIM_FEATURES.compiled
    feature = compiled.features[compiled.names.index(name)]
    assert phrase(feature, value, compiled.schema) == expected


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(numbers(2), conditions(2)),
    events(),
    st.sampled_from([MISSING, 0.0, 1.0, 0.5, 1e300]),
    st.one_of(st.none(), st.just("what it is")),
)
def test_every_feature_has_a_phrase(
    source: str, row: PastEvent, window: float, description: str | None
) -> None:
    definition = FeatureDefinition("f", source, description)
    compiled = FeatureSet((definition,), CATEGORIES).compile(EVENT_TYPE)
    windows = [np.array([window])] * len(compiled.windows)
    value = float(compiled.matrix(columns_of(EVENT_TYPE, [row.values]), windows)[0, 0])
    text = phrase(compiled.features[0], value, compiled.schema)
    assert text.strip()
    assert "nan" not in text
    assert "inf" not in text
