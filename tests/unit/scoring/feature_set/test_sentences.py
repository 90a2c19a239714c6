"""The phrase of each form of feature."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.event_type.fields import EventType
from scoring.feature_set.definition import FeatureDefinition
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.sentences import phrase
from scoring.features import PAYSIM_FEATURES
from tests.support.expressions.events import PastEvent, a_field, columns_of
from tests.support.expressions.strategies import (
    CATEGORIES,
    EVENT_TYPE,
    conditions,
    events,
    numbers,
)

MISSING = math.nan


def an_event_type(*, with_entities: bool) -> EventType:
    customer, terminal = ("customer", "terminal") if with_entities else (None, None)
    return EventType(
        "card_payment",
        "TX_FRAUD",
        (
            a_field("TX_DATETIME", "timestamp", role="time"),
            a_field("OPENED", "timestamp"),
            a_field("CUSTOMER_ID", "entity", entity=customer),
            a_field("TERMINAL_ID", "entity", entity=terminal),
            a_field("TX_AMOUNT", "number"),
            a_field("BALANCE", "number"),
            a_field("IS_CHIP", "boolean"),
            a_field("CHANNEL", "category", values=("pos", "web")),
            a_field("SHOP", "category"),
        ),
    )


def phrase_of(
    expression: str,
    value: float,
    description: str | None = None,
    words: tuple[str, ...] | None = None,
    *,
    with_entities: bool = False,
) -> str:
    definition = FeatureDefinition("f", expression, description, words)
    compiled = FeatureSet((definition,), {"SHOP": ("books",)}).compile(
        an_event_type(with_entities=with_entities)
    )
    return phrase(compiled.features[0], value, compiled.schema)


MEAN_30D = "mean(TX_AMOUNT, by=CUSTOMER_ID, window='30d')"


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        (f"TX_AMOUNT / {MEAN_30D}", 6.2, "TX_AMOUNT is 6.2 times this CUSTOMER_ID's 30-day mean"),
        (
            f"TX_AMOUNT / {MEAN_30D}",
            1234.5,
            "TX_AMOUNT is 1,234 times this CUSTOMER_ID's 30-day mean",
        ),
        (
            f"BALANCE / {MEAN_30D}",
            0.052,
            "BALANCE is 0.052 times this CUSTOMER_ID's 30-day mean of TX_AMOUNT",
        ),
        (
            f"mean(TX_AMOUNT, by=CUSTOMER_ID, window='1d') / {MEAN_30D}",
            2.0,
            "this CUSTOMER_ID's 24-hour mean of TX_AMOUNT is 2 times "
            "this CUSTOMER_ID's 30-day mean of TX_AMOUNT",
        ),
        (
            "TX_AMOUNT / max(TX_AMOUNT, by=TERMINAL_ID, window='90m', where=IS_CHIP)",
            0.5,
            "TX_AMOUNT is 0.5 times this TERMINAL_ID's 90-minute maximum where IS_CHIP",
        ),
        (
            f"TX_AMOUNT - {MEAN_30D}",
            -12.5,
            "TX_AMOUNT is 12.50 below this CUSTOMER_ID's 30-day mean",
        ),
        (f"TX_AMOUNT - {MEAN_30D}", 3.0, "TX_AMOUNT is 3 above this CUSTOMER_ID's 30-day mean"),
    ],
)
def test_a_ratio_or_difference_to_a_window(expression: str, value: float, expected: str) -> None:
    assert phrase_of(expression, value) == expected


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        (
            "count(by=CUSTOMER_ID, window='1d')",
            14.0,
            "this CUSTOMER_ID had 14 events in the last 24 hours",
        ),
        (
            "count(by=CUSTOMER_ID, window='1h')",
            1.0,
            "this CUSTOMER_ID had 1 event in the last 1 hour",
        ),
        (
            "count(by=CUSTOMER_ID, window='30d', where=TX_AMOUNT > 220)",
            0.0,
            "this CUSTOMER_ID had no events where TX_AMOUNT > 220 in the last 30 days",
        ),
        (
            "count(by=[TERMINAL_ID, CUSTOMER_ID], window='90d')",
            1200.0,
            "this CUSTOMER_ID and TERMINAL_ID had 1,200 events in the last 90 days",
        ),
        (
            "distinct(TERMINAL_ID, by=CUSTOMER_ID, window='1d')",
            3.0,
            "this CUSTOMER_ID had 3 different values of TERMINAL_ID in the last 24 hours",
        ),
        (MEAN_30D, 52.304, "this CUSTOMER_ID's 30-day mean of TX_AMOUNT is 52.30"),
        (
            "std(TX_AMOUNT * 2, by=CUSTOMER_ID, window='7d')",
            0.5,
            "this CUSTOMER_ID's 7-day standard deviation of TX_AMOUNT * 2 is 0.5",
        ),
        (
            "sum(TX_AMOUNT, by=CUSTOMER_ID, window='7d')",
            1234567.0,
            "this CUSTOMER_ID's 7-day sum of TX_AMOUNT is 1,234,567",
        ),
        (
            "min(TX_AMOUNT, by=CUSTOMER_ID, window='5m')",
            0.00012,
            "this CUSTOMER_ID's 5-minute minimum of TX_AMOUNT is 0.00012",
        ),
        (
            "fraud_rate(by=TERMINAL_ID, window='28d', delay='7d')",
            0.12,
            "12 % of this TERMINAL_ID's payments of the 28 days before the last 7 were fraud",
        ),
        (
            "fraud_rate(by=TERMINAL_ID, window='1d', delay='7d')",
            1 / 3,
            "33.3 % of this TERMINAL_ID's payments of the 24 hours before the last 7 days "
            "were fraud",
        ),
        (
            "fraud_rate(by=TERMINAL_ID, window='28d')",
            0.0,
            "0 % of this TERMINAL_ID's payments of the last 28 days were fraud",
        ),
    ],
)
def test_a_window(expression: str, value: float, expected: str) -> None:
    assert phrase_of(expression, value) == expected


@pytest.mark.parametrize(
    ("seconds", "elapsed"),
    [
        (0.0, "0 seconds"),
        (1.0, "1 second"),
        (45.0, "45 seconds"),
        (180.0, "3 minutes"),
        (5400.0, "1.5 hours"),
        (86_400.0, "1 day"),
        (3_000_000.0, "35 days"),
    ],
)
def test_the_time_since_an_event(seconds: float, elapsed: str) -> None:
    assert (
        phrase_of("seconds_since_last(by=CUSTOMER_ID)", seconds)
        == f"{elapsed} after this CUSTOMER_ID's last event"
    )
    assert (
        phrase_of("first_seen(by=CUSTOMER_ID)", seconds)
        == f"this CUSTOMER_ID's first event of the last 90 days was {elapsed} ago"
    )


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
    ("expression", "if_true", "if_false"),
    [
        ("CHANNEL == 'web'", "CHANNEL is web", "CHANNEL is not web"),
        ("'web' != CHANNEL", "CHANNEL is not web", "CHANNEL is web"),
        (
            "CHANNEL in ['web', 'pos']",
            "CHANNEL is one of web, pos",
            "CHANNEL is none of web, pos",
        ),
        ("TX_AMOUNT not in [1, -2]", "TX_AMOUNT is none of 1, -2", "TX_AMOUNT is one of 1, -2"),
        (
            "starts_with(TERMINAL_ID, 'M')",
            "TERMINAL_ID starts with M",
            "TERMINAL_ID does not start with M",
        ),
        ("IS_CHIP", "IS_CHIP is true", "IS_CHIP is false"),
        ("not IS_CHIP", "IS_CHIP is false", "IS_CHIP is true"),
        ("is_missing(BALANCE)", "BALANCE is missing", "BALANCE is not missing"),
        ("TX_AMOUNT > 220", "TX_AMOUNT is above 220", "TX_AMOUNT is at most 220"),
        ("TX_AMOUNT <= BALANCE", "TX_AMOUNT is at most BALANCE", "TX_AMOUNT is above BALANCE"),
        (
            "TX_AMOUNT - BALANCE < 0",
            "TX_AMOUNT - BALANCE is below 0",
            "TX_AMOUNT - BALANCE is at least 0",
        ),
        (
            f"TX_AMOUNT >= {MEAN_30D}",
            "TX_AMOUNT is at least this CUSTOMER_ID's 30-day mean",
            "TX_AMOUNT is below this CUSTOMER_ID's 30-day mean",
        ),
        (
            "count(by=[CUSTOMER_ID, TERMINAL_ID], window='90d') == 0",
            "this CUSTOMER_ID and TERMINAL_ID had no events in the last 90 days",
            "this CUSTOMER_ID and TERMINAL_ID had events in the last 90 days",
        ),
        (
            "count(by=CUSTOMER_ID, window='1d') > 0",
            "this CUSTOMER_ID had events in the last 24 hours",
            "this CUSTOMER_ID had no events in the last 24 hours",
        ),
        (
            "count(by=CUSTOMER_ID, window='1d') >= 3",
            "this CUSTOMER_ID's 24-hour number of events is at least 3",
            "this CUSTOMER_ID's 24-hour number of events is below 3",
        ),
        (
            "seconds_since_last(by=CUSTOMER_ID) < 60",
            "the time since this CUSTOMER_ID's last event is below 60",
            "the time since this CUSTOMER_ID's last event is at least 60",
        ),
        (
            "IS_CHIP and TX_AMOUNT > 1",
            "IS_CHIP and TX_AMOUNT > 1 is true",
            "IS_CHIP and TX_AMOUNT > 1 is false",
        ),
    ],
)
def test_a_condition(expression: str, if_true: str, if_false: str) -> None:
    assert phrase_of(expression, 1.0) == if_true
    assert phrase_of(expression, 0.0) == if_false


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
