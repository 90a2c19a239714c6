"""The payments of the demo's fortnight: their times, the ring, and what other event types have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from scoring.event_type.fields import EventType, Field
from scoring.transaction import PAYSIM
from sentinel.local.demo.fortnight import places, ring
from sentinel.local.demo.fortnight.places import Place
from sentinel.local.demo.fortnight.scored import Names
from sentinel.local.demo.payments import DAYS, Payment, last_step

NOW = datetime(2026, 3, 5, 13, 42, 7, tzinfo=UTC)


@pytest.fixture(scope="module")
def fortnight() -> list[Payment]:
    return ring.with_a_ring(NOW)


def test_the_payments_are_of_a_fortnight_and_none_is_later_than_now(
    fortnight: list[Payment],
) -> None:
    assert all(one.at <= other.at for one, other in pairwise(fortnight))
    assert fortnight[-1].at < NOW
    assert NOW - timedelta(days=DAYS) - timedelta(hours=1) < fortnight[0].at
    assert len({one.at.date() for one in fortnight}) == DAYS + 1


def test_each_is_decided_at_the_hour_of_day_that_its_step_has(fortnight: list[Payment]) -> None:
    assert {(one.body["step"] % 24, one.at.hour) for one in fortnight} == {
        (hour, hour) for hour in range(24)
    }


@pytest.mark.parametrize("hour", range(24))
def test_the_month_ends_in_the_hour_of_now(hour: int) -> None:
    last = last_step(NOW.replace(hour=hour))
    assert last % 24 == hour
    assert 720 < last <= 744


def test_most_payments_are_honest_and_the_frauds_are_more_than_the_ring(
    fortnight: list[Payment],
) -> None:
    frauds = [one for one in fortnight if one.is_fraud]
    assert sum(not one.is_planted for one in frauds) > 20
    assert len(frauds) < 0.1 * len(fortnight)


def test_the_ring_has_payers_in_common_and_pays_out_to_one_account(
    fortnight: list[Payment],
) -> None:
    planted = [one.body for one in fortnight if one.is_planted]
    payers = {
        mule: {one["nameOrig"] for one in planted if one["nameDest"] == mule} for mule in ring.MULES
    }
    first, second = payers.values()
    assert len(first | second) == 9
    assert len(first & second) >= 2
    paid_out = {(one["nameOrig"], one["nameDest"]) for one in planted if one["type"] == "CASH_OUT"}
    assert paid_out == {(mule, ring.COLLECTOR) for mule in ring.MULES}
    assert ring.next_payment(NOW)["nameDest"] == ring.MULES[0]


def test_names_are_those_of_the_event_type() -> None:
    assert Names.of(PAYSIM) == Names("amount", "nameDest", "account")
    cards = EventType("cards", "fraud", (Field("my card", "entity", entity="card"),))
    names = Names.of(cards)
    assert names == Names(None, "my card", "card")
    assert names.amount_at([{}], 0.5) is None
    assert names.commonest([{"my card": "a"}, {"my card": "b"}, {"my card": "b"}, {}]) == "b"
    assert Names.of(EventType("bare", "fraud", ())).commonest([{}]) is None


def test_the_places_are_kept_between_runs(tmp_path: Path) -> None:
    assert places.kept(tmp_path) == places.ALWAYS
    found = [Place("Cases", "/console/cases", "two")]
    places.keep(tmp_path, found)
    assert places.kept(tmp_path) == found
