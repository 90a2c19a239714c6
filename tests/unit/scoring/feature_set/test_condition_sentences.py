"""The phrase of a condition that is true and of one that is false."""

from __future__ import annotations

import pytest

from tests.support.expressions.sentences import MEAN_30D, phrase_of


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
