"""Totals of an entity's events by span of time, and the entities that it deals with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from console.event_values import entity_path
from persistence.entities.events import EntityEvent, EntityPlaces
from persistence.entities.profile import EntityProfile
from scoring.event_type.fields import EventType

MAX_COUNTERPARTIES = 8
SPANS = (("day", timedelta(hours=24)), ("week", timedelta(days=7)), ("month", timedelta(days=30)))

Direction = Literal["out", "in", "both", "with"]


@dataclass(frozen=True, slots=True)
class Totals:
    """Totals of events, each counted once.

    Attributes:
        name: key of the span's text.
        is_least: whether earlier events of the span were not read.
        count: number of events.
        amount: sum of their amounts, money.
        reviewed: number of those that were sent to review.
        declined: number of those that were declined.
        frauds: number of those that are known as frauds.
    """

    name: str
    is_least: bool
    count: int
    amount: float
    reviewed: int
    declined: int
    frauds: int


@dataclass(slots=True)
class Counterparty:
    """An entity on the other side of events.

    Attributes:
        key: the entity, as events have it.
        path: address of its page.
        direction: whether money goes to it (`out`), comes from it (`in`) or both; `with`: the
            entity itself neither pays nor receives, such as a device.
        count: number of events with it.
        amount: sum of their amounts, money.
        frauds: number of those that are known as frauds.
    """

    key: str
    path: str
    direction: Direction
    count: int = 0
    amount: float = 0.0
    frauds: int = 0


def totals(profile: EntityProfile, now: datetime) -> list[Totals]:
    """Return the totals of the last day, week and month, and of every event that was read.

    Args:
        profile: profile of the entity.
        now: current time, an aware datetime.
    """
    oldest = profile.events[-1].decided_at if profile.events else now
    found = []
    for name, span in SPANS:
        within = [event for event in profile.events if event.decided_at > now - span]
        found.append(_totals(name, within, is_least=profile.has_more and oldest > now - span))
    return [*found, _totals("all", profile.events, is_least=profile.has_more)]


def counterparties(
    key: str, places: EntityPlaces, event_type: EventType, events: Sequence[EntityEvent]
) -> list[Counterparty]:
    """Return the entities that an entity deals with, the most frequent first.

    Args:
        key: the entity, as events have it.
        places: where its events hold the kind of entity.
        event_type: event type in force.
        events: events of the entity.
    """
    kinds = {
        role: event_type.kept[name].entity or ""
        for role, name in event_type.roles.items()
        if role in ("payer", "payee")
    }
    found: dict[tuple[str, str], Counterparty] = {}
    for event in events:
        pays = places.payer and event.payer == key
        receives = places.payee and event.payee == key
        sides: list[tuple[str | None, Literal["payer", "payee"], Direction]] = []
        if not receives:
            sides.append((event.payee, "payee", "out" if pays else "with"))
        if not pays:
            sides.append((event.payer, "payer", "in" if receives else "with"))
        for other, role, direction in sides:
            if other is None or not kinds.get(role):
                continue
            one = found.setdefault(
                (kinds[role], other),
                Counterparty(other, entity_path(kinds[role], other), direction),
            )
            one.direction = direction if one.direction == direction else "both"
            one.count += 1
            one.amount += event.amount or 0.0
            one.frauds += event.is_fraud
    return sorted(found.values(), key=lambda one: (-one.count, -one.amount, one.key))


def _totals(name: str, events: Sequence[EntityEvent], *, is_least: bool) -> Totals:
    return Totals(
        name=name,
        is_least=is_least,
        count=len(events),
        amount=sum(event.amount or 0.0 for event in events),
        reviewed=sum(event.decision == "review" for event in events),
        declined=sum(event.decision == "decline" for event in events),
        frauds=sum(event.is_fraud for event in events),
    )
