"""What an entity that neither pays nor receives has done, also one with very many events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine, text

from persistence.entities.events import MAX_RECENT, first_seen, following_ids, places_of
from persistence.tenancy import tenant_transaction
from persistence.uuid7 import first_id_at
from tests.support.data.own_events import CardTenant
from tests.support.event_types import an_event_type

CARDS = an_event_type(DEVICE={"kind": "entity", "entity": "device", "optional": True})
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
EVENTS = MAX_RECENT + 200


def event_id(number: int) -> UUID:
    """Return the id of the event that is so many minutes later than the first."""
    moment = FIRST + timedelta(minutes=number)
    return first_id_at(int(moment.timestamp() * 1000))


def seen(engine: Engine, cards: CardTenant) -> None:
    """Store EVENTS past events of one device, a minute apart."""
    statement = text(
        "INSERT INTO entity_events (tenant_id, entity, key, time_us, event_id, record)"
        " VALUES (:tenant, 'DEVICE', 'd1', :time_us, :id, '')"
    )
    first_us = int(FIRST.timestamp() * 1_000_000)
    with tenant_transaction(engine, cards.id) as connection:
        connection.execute(
            statement,
            [
                {"tenant": cards.id, "time_us": first_us + i * 60_000_000, "id": event_id(i)}
                for i in range(EVENTS)
            ],
        )


def test_a_device_was_seen_first_by_its_first_event_however_many_follow(engine: Engine) -> None:
    cards = CardTenant(engine, CARDS)
    seen(engine, cards)
    places = places_of(CARDS, "device")
    with tenant_transaction(engine, cards.id) as connection:
        assert first_seen(connection, cards.id, places, "d1") == FIRST
        assert first_seen(connection, cards.id, places, "d2") is None


def test_events_that_follow_one_are_next_to_it_or_not_known(engine: Engine) -> None:
    cards = CardTenant(engine, CARDS)
    seen(engine, cards)
    places = places_of(CARDS, "device")

    def after(number: int) -> list[UUID]:
        with tenant_transaction(engine, cards.id) as connection:
            return following_ids(
                connection, cards.id, places, "d1", limit=2, after=event_id(number)
            )

    assert after(EVENTS - 4) == [event_id(EVENTS - 3), event_id(EVENTS - 2)]
    assert after(EVENTS - 1) == []
    assert after(3) == [], "those that were read do not follow it at once"
