"""Numbers, money and times as people of a tenant write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import nan

import pytest

from console.formats import MISSING, Formats

NOW = datetime(2026, 11, 27, 10, 30, tzinfo=UTC)
PLAIN = Formats("en", None, "UTC", NOW)
EURO = Formats("de", "EUR", "Europe/Berlin", NOW)
YEN = Formats("en", "JPY", "Asia/Tokyo", NOW)


@pytest.mark.parametrize(
    ("formats", "amount", "text"),
    [
        (PLAIN, 1234.5, "1,234.50"),
        (EURO, 1234.5, "1.234,50\N{NO-BREAK SPACE}€"),
        (YEN, 1234.5, "JP¥1,234"),
        (PLAIN, -0.5, "-0.50"),
        (PLAIN, None, MISSING),
        (PLAIN, nan, MISSING),
    ],
)
def test_an_amount_has_the_tenants_currency(
    formats: Formats, amount: float | None, text: str
) -> None:
    assert formats.money(amount) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0.0%"),
        (1.0, "100.0%"),
        (0.00001, "<0.1%"),
        (0.99999, ">99.9%"),
        (0.8628, "86.3%"),
        (None, MISSING),
    ],
)
def test_a_score_never_looks_certain_unless_it_is(share: float | None, text: str) -> None:
    assert PLAIN.percent(share) == text


@pytest.mark.parametrize(
    ("delta", "english", "german"),
    [
        (timedelta(minutes=-3), "3 minutes ago", "vor 3 Minuten"),
        (timedelta(hours=2), "in 2 hours", "in 2 Stunden"),
        (timedelta(days=3), "in 3 days", "in 3 Tagen"),
        (timedelta(days=-40), "1 month ago", "vor 1 Monat"),
    ],
)
def test_a_time_to_come_is_never_past(delta: timedelta, english: str, german: str) -> None:
    assert PLAIN.ago(NOW + delta) == english
    assert EURO.ago(NOW + delta) == german


def test_a_time_is_in_the_tenants_zone() -> None:
    assert PLAIN.time(NOW) == "27 Nov 10:30"
    assert EURO.time(NOW) == "27 Nov. 11:30"
    assert YEN.time(datetime(2025, 12, 31, 20, 0, tzinfo=UTC)) == "1 Jan 05:00"
    assert PLAIN.time(datetime(2025, 12, 31, 20, 0, tzinfo=UTC)) == "31 Dec 2025 20:00"


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(seconds=63), "1 minute ago"),
        (timedelta(minutes=119), "119 minutes ago"),
        (timedelta(hours=47), "47 hours ago"),
        (timedelta(hours=61), "2 days ago"),
        (timedelta(days=9), "9 days ago"),
        (timedelta(days=13, hours=20), "13 days ago"),
        (timedelta(days=27), "3 weeks ago"),
    ],
)
def test_a_time_that_has_passed_is_in_whole_units(passed: timedelta, text: str) -> None:
    assert PLAIN.ago(NOW - passed) == text
