"""The fortnight's payments with their decisions, and the names that their event type gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scoring.event_type.fields import EventType
from sentinel.local.demo.payments import Payment


@dataclass(frozen=True, slots=True)
class Scored:
    """A payment with its decision.

    Attributes:
        payment: the payment.
        transaction_id: id of its transaction.
        score: calibrated probability of fraud.
        outcome: approve, review or decline.
    """

    payment: Payment
    transaction_id: str
    score: float
    outcome: str


@dataclass(frozen=True, slots=True)
class Names:
    """What an event type calls the parts of a payment that the demo uses; None: it has none.

    Attributes:
        amount: field of the amount.
        receiver: field of an entity that is blocked: the payee, else another entity.
        kind: kind of that entity.
    """

    amount: str | None
    receiver: str | None
    kind: str | None

    @classmethod
    def of(cls, event_type: EventType) -> Names:
        """Return the names of an event type."""
        entities = [name for name, field in event_type.kept.items() if field.entity]
        receiver = event_type.roles.get("payee") or next(iter(entities), None)
        kind = event_type.kept[receiver].entity if receiver else None
        return cls(event_type.roles.get("amount"), receiver, kind)

    def amount_at(self, bodies: Sequence[dict[str, Any]], share: float) -> float | None:
        """Return the amount that a share of the payments does not exceed, to two digits."""
        if self.amount is None:
            return None
        found = sorted(body[self.amount] for body in bodies if body.get(self.amount) is not None)
        return float(f"{found[int(share * (len(found) - 1))]:.2g}") if found else None

    def commonest(self, bodies: Sequence[dict[str, Any]]) -> str | None:
        """Return the receiver that most of the payments have; None without one."""
        if self.receiver is None:
            return None
        found = [str(one) for body in bodies if (one := body.get(self.receiver)) is not None]
        return max(dict.fromkeys(found), key=found.count, default=None)
