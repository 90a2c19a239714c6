"""Labels: what an event turned out to be, and which of several labels counts.

An event may have labels of several sources, and several of one source. Of each source the latest
counts, by the time at which it became known; a reversal, such as a dispute that was won, leaves the
source without a label. Of the sources that have a label the most trusted one decides: SOURCES.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

LabelSource = Literal["chargeback", "analyst", "customer", "rule", "import"]
LabelValue = Literal["fraud", "legitimate", "escalated"]

SOURCES: tuple[LabelSource, ...] = get_args(LabelSource)
"""Sources, the most trusted first: a card issuer's chargeback moves money, an analyst has
investigated, a customer reports what nobody has verified yet, a rule guesses, and an import is of
unknown origin."""
CLOCK_SKEW = timedelta(minutes=5)
"""How far a reporter's clock may be ahead, and that of the event before it."""
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_TRUST = {source: place for place, source in enumerate(SOURCES)}


@dataclass(frozen=True, slots=True)
class EventLabel:
    """What a source reported about an event.

    Attributes:
        id: number that grows from one to the next.
        label: what the event was; `escalated`: an analyst leaves it open.
        source: kind of the reporter.
        reversed: whether it withdraws the source's earlier label.
        occurred_at: time at which it became known, an aware datetime.
        amount_lost: money that was lost; None where it is not known.
        actor: who stored it.
        created_at: time at which it was stored, an aware datetime.
    """

    id: int
    label: LabelValue
    source: LabelSource
    reversed: bool
    occurred_at: datetime
    amount_lost: float | None
    actor: str
    created_at: datetime


def time_fault(occurred_at: datetime, now: datetime) -> str | None:
    """Return what a time at which a label became known must be; None where it is.

    Args:
        occurred_at: reported time.
        now: current time, an aware datetime.
    """
    if occurred_at.tzinfo is None:
        return "must have an offset, such as Z or +01:00"
    if occurred_at < _EARLIEST:
        return "must not be before 1970"
    if occurred_at > now + CLOCK_SKEW:
        return "must not be in the future"
    return None


def early_fault(event_at: datetime) -> str:
    """Return what is wrong with a time, before that of the event, at which a label became known.

    Args:
        event_at: time of the event, an aware datetime.
    """
    return f"must not be before the event's own time, {event_at.astimezone(UTC).isoformat()}"


def effective_label(
    labels: Iterable[EventLabel], as_of: datetime | None = None
) -> EventLabel | None:
    """Return the label of an event that counts; None where no source has one.

    An escalation counts only where no source has a label: whoever is trusted less still knows more.

    Args:
        labels: labels of the event, in any order.
        as_of: time whose knowledge counts; None: all that is stored.
    """
    latest: dict[LabelSource, EventLabel] = {}
    for label in labels:
        if as_of is not None and label.occurred_at > as_of:
            continue
        other = latest.get(label.source)
        if other is None or (other.occurred_at, other.id) < (label.occurred_at, label.id):
            latest[label.source] = label
    in_force = [label for label in latest.values() if not label.reversed]
    return min(
        in_force,
        key=lambda label: (label.label == "escalated", _TRUST[label.source]),
        default=None,
    )
