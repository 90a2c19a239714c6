"""Totals, counterparties and the chart of an entity count each event once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from console.entity.score_chart import score_chart
from console.entity.totals import counterparties, totals
from persistence.entities.events import EntityEvent, places_of
from persistence.entities.profile import EntityProfile
from persistence.review.cases import Page
from persistence.uuid7 import first_id_at
from scoring.labels import EventLabel
from scoring.transaction import PAYSIM
from tests.support.event_types import an_event_type

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
FRAUD = EventLabel(1, "fraud", "chargeback", False, NOW, None, "bank", NOW)


def an_event(hours_ago: float = 1, **changes: Any) -> EntityEvent:
    moment = NOW - timedelta(hours=hours_ago)
    values: dict[str, Any] = {
        "id": first_id_at(int(moment.timestamp() * 1000)),
        "decided_at": moment,
        "amount": 10.0,
        "payer": "C1",
        "payee": "C2",
        "score": 0.2,
        "risk_band": "medium",
        "decision": "review",
        "label": None,
    }
    return EntityEvent(**values | changes)


def a_profile(*events: EntityEvent, has_more: bool = False) -> EntityProfile:
    places = places_of(PAYSIM, "account")
    first = events[-1].id if events else None
    return EntityProfile(
        "account", "C1", PAYSIM, places, events, has_more, first, Page([], None), (), ()
    )


def test_totals_are_of_the_events_of_each_span() -> None:
    day, week, month, everything = totals(
        a_profile(
            an_event(1, label=FRAUD),
            an_event(30, decision="decline"),
            an_event(24 * 20, decision="approve"),
            an_event(24 * 40, amount=None),
        ),
        NOW,
    )
    assert [one.count for one in (day, week, month, everything)] == [1, 2, 3, 4]
    assert [one.amount for one in (day, week, month, everything)] == [10, 20, 30, 30]
    assert (everything.reviewed, everything.declined, everything.frauds) == (2, 1, 1)
    assert not any(one.is_least for one in (day, week, month, everything))


def test_a_span_that_was_not_read_to_its_begin_is_a_least_figure() -> None:
    day, week, month, everything = totals(a_profile(an_event(1), an_event(48), has_more=True), NOW)
    assert [one.is_least for one in (day, week, month, everything)] == [False, True, True, True]


def test_counterparties_are_those_on_the_other_side() -> None:
    events = [
        an_event(1),
        an_event(2, payer="C2", payee="C1", label=FRAUD),
        an_event(3, payee="C3"),
        an_event(4, payer="C4", payee="C1"),
        an_event(5, payee="C1"),
    ]
    found = counterparties("C1", places_of(PAYSIM, "account"), PAYSIM, events)
    assert [(one.key, one.direction, one.count, one.amount, one.frauds) for one in found] == [
        ("C2", "both", 2, 20.0, 1),
        ("C3", "out", 1, 10.0, 0),
        ("C4", "in", 1, 10.0, 0),
    ]
    assert found[0].path == "/console/entities/account/C2"


def test_a_customer_and_a_terminal_of_one_number_are_two() -> None:
    cards = an_event_type()
    events = [an_event(1, payer="17", payee="17"), an_event(2, payer="17", payee="18")]
    found = counterparties("17", places_of(cards, "customer"), cards, events)
    assert [(one.path, one.direction) for one in found] == [
        ("/console/entities/terminal/17", "out"),
        ("/console/entities/terminal/18", "out"),
    ]


def test_a_device_has_everybody_who_used_it() -> None:
    cards = an_event_type(DEVICE={"kind": "entity", "entity": "device", "optional": True})
    places = places_of(cards, "device")
    assert (places.payer, places.payee, places.others) == (False, False, ("DEVICE",))
    found = counterparties("D1", places, cards, [an_event(1), an_event(2)])
    assert [(one.key, one.direction, one.count) for one in found] == [
        ("C1", "with", 2),
        ("C2", "with", 2),
    ]


def test_the_chart_has_the_events_by_band_and_marks_one() -> None:
    here = an_event(5, score=1.0, risk_band="high", label=FRAUD)
    chart = score_chart([an_event(0, score=0.0, risk_band="low"), here, an_event(10)], here.id)
    assert chart is not None
    assert chart.paths == {"low": "M1000 100h0", "medium": "M0 80h0", "high": "M500 0h0"}
    assert (chart.frauds, chart.mark) == ("M500 0h0", 500)
    assert score_chart([]) is None


def test_a_thousand_events_make_a_small_chart() -> None:
    events = [an_event(i, score=(i * 37 % 1000) / 1000) for i in range(1000)]
    chart = score_chart(events, UUID(int=0))
    assert chart is not None
    assert chart.mark is None
    assert sum(map(len, chart.paths.values())) < 12_000
