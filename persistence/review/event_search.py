"""What a person searches decisions by: an id, the fields of the event type, the decision, feedback.

Ids, payers and payees have indexes. Everything else is looked for in MAX_DAYS at most: an index
each would cost every payment, for few searches.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from persistence.review.cases import Label
from scoring.event_type.fields import EventType, Field
from scoring.policy import Outcome, RiskBand
from scoring.transaction import PAYSIM

MAX_DAYS = 31
Verdict = Literal["confirmed_fraud", "false_positive", "escalated", "none"]
"""Latest feedback; `none`: nobody gave any."""
LABELS: tuple[Label, ...] = ("confirmed_fraud", "false_positive", "escalated")
_DAY_MS = 24 * 60 * 60 * 1000
_INDEXED_ROLES = ("payer", "payee")


@dataclass(frozen=True, slots=True)
class FieldFilter:
    """A condition on one field of the event.

    Attributes:
        field: field of the tenant's event type.
        value: value that it has, as text; None where a range is given.
        minimum: least value of a number; None: no limit.
        maximum: largest value of a number; None: no limit.
    """

    field: Field
    value: str | None = None
    minimum: float | None = None
    maximum: float | None = None

    @property
    def is_indexed(self) -> bool:
        """Whether the events with the value are found by an index."""
        return self.field.role in _INDEXED_ROLES and self.value is not None


@dataclass(frozen=True, slots=True)
class EventSearch:
    """The filters of a search; None leaves one out, and all that are given have to hold.

    Attributes:
        event_type: the tenant's event type.
        from_ms: first Unix millisecond of the decision.
        to_ms: Unix millisecond after the last one.
        typed: id of a transaction or a prediction, an external id, a payer or a payee.
        external_id: the caller's own id of the transaction.
        amount_min: least amount.
        amount_max: largest amount.
        score_min: least score, 0 to 1.
        score_max: largest score.
        band: band of the score.
        outcome: outcome of the decision.
        verdict: latest feedback.
        fields: conditions on fields.

    Raises:
        TooWide: no filter has an index, and the times are more than MAX_DAYS apart.
    """

    event_type: EventType
    from_ms: int | None = None
    to_ms: int | None = None
    typed: str | None = None
    external_id: str | None = None
    amount_min: float | None = None
    amount_max: float | None = None
    score_min: float | None = None
    score_max: float | None = None
    band: RiskBand | None = None
    outcome: Outcome | None = None
    verdict: Verdict | None = None
    fields: tuple[FieldFilter, ...] = ()

    def __post_init__(self) -> None:
        if not self.is_indexed and not self._spans_at_most(MAX_DAYS * _DAY_MS):
            raise TooWide

    @property
    def is_indexed(self) -> bool:
        """Whether an id, a payer or a payee leads to the events."""
        return (
            self.typed is not None
            or self.external_id is not None
            or any(one.is_indexed for one in self.fields)
        )

    @property
    def is_paysim(self) -> bool:
        """Whether the fields have columns of their own."""
        return self.event_type == PAYSIM

    def filters(self) -> dict[str, str | float]:
        """Return the filters by name, as the access log shows them."""
        given: dict[str, str | float | None] = {
            "id": self.typed,
            "external_id": self.external_id,
            "amount_min": self.amount_min,
            "amount_max": self.amount_max,
            "score_min": self.score_min,
            "score_max": self.score_max,
            "band": self.band,
            "outcome": self.outcome,
            "verdict": self.verdict,
            "from": _iso(self.from_ms),
            "to": _iso(self.to_ms),
        }
        for one in self.fields:
            given[f"field.{one.field.name}"] = one.value
            given[f"field.{one.field.name}.min"] = one.minimum
            given[f"field.{one.field.name}.max"] = one.maximum
        return {name: value for name, value in given.items() if value is not None}

    def _spans_at_most(self, most_ms: int) -> bool:
        end_ms = datetime.now(UTC).timestamp() * 1000 if self.to_ms is None else self.to_ms
        return self.from_ms is not None and end_ms - self.from_ms <= most_ms


class TooWide(ValueError):
    """A search by what has no index spans more than MAX_DAYS."""


def _iso(unix_ms: int | None) -> str | None:
    return None if unix_ms is None else datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat()
