"""Payments that are like one: with an entity in common and a similar amount."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from persistence.entities.events import EntityEvent
from persistence.entities.surroundings import EntityHistory

MAX_SIMILAR = 6
NEAR = 0.2
"""Share by which the amount of a similar payment may differ."""


@dataclass(frozen=True, slots=True)
class Similar:
    """A payment that is like another.

    Attributes:
        event: payment.
        shared: names of the fields of the other payment whose entities it has too.
    """

    event: EntityEvent
    shared: tuple[str, ...]


def similar_events(
    transaction_id: UUID, amount: float | None, histories: Sequence[EntityHistory]
) -> list[Similar]:
    """Return the payments that are most like one, the nearest amount first.

    Args:
        transaction_id: id of the payment.
        amount: its amount, money; None: no other payment is like it.
        histories: its entities with their newest events.
    """
    if not amount:
        return []
    found: dict[UUID, Similar] = {}
    for history in histories:
        for event in history.events:
            is_near = event.amount is not None and abs(event.amount - amount) <= NEAR * amount
            if is_near and event.id != transaction_id:
                before = found.get(event.id)
                shared = (*(before.shared if before else ()), history.field.name)
                found[event.id] = Similar(event, shared)
    newest_first = sorted(found.values(), key=lambda one: one.event.id, reverse=True)
    nearest_first = sorted(newest_first, key=lambda one: abs((one.event.amount or 0.0) - amount))
    return nearest_first[:MAX_SIMILAR]
