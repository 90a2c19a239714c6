"""The phrases of windows, and of what is compared with them."""

from __future__ import annotations

import pytest

from tests.support.expressions.sentences import MEAN_30D, phrase_of


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
