"""A history and the tables after it, indexed, and what is found in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.chaos.history import Attempt
from tests.chaos.payments import mark_of
from tests.chaos.tables import Row, Tables

KINDS = (
    "lost",
    "duplicated",
    "altered",
    "crossed",
    "wrong windows",
    "mixed",
    "answered differently",
    "torn",
    "refused but stored",
    "unexpected status",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be.

    Attributes:
        kind: one of KINDS.
        sentence: what it is, with the values that show it.
        tenant: slug.
        mark: payment that shows it; empty without one.
        number: line of the history that shows it; 0 without one.
    """

    kind: str
    sentence: str
    tenant: str
    mark: str = ""
    number: int = 0


class Answer(NamedTuple):
    """A decision that a client received.

    Attributes:
        attempt: request.
        place: place of the payment in the request.
        decision: decision of the reply.
    """

    attempt: Attempt
    place: int
    decision: dict[str, Any]

    @property
    def is_journalled(self) -> bool:
        """Whether the reply says that it was in the journal then."""
        return "stored" in self.decision


class Sent(NamedTuple):
    """A payment as one of the payments of a request."""

    attempt: Attempt
    place: int


class Evidence:
    """A history and its tables, indexed.

    Attributes:
        attempts: requests with payments or without, by the time of their reply.
        tables: what is stored.
        sent: requests of each payment in order of sending, by tenant and mark.
        answers: decisions that were received for each payment, by tenant and mark.
        rows: rows by tenant and mark.
        row_of: rows by prediction.
    """

    def __init__(self, attempts: Sequence[Attempt], tables: Tables) -> None:
        self.attempts = attempts
        self.tables = tables
        self.sent: dict[tuple[str, str], list[Sent]] = defaultdict(list)
        self.answers: dict[tuple[str, str], list[Answer]] = defaultdict(list)
        self.rows: dict[tuple[str, str], list[Row]] = defaultdict(list)
        self.row_of: dict[str, Row] = {}
        self._of_id: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
        for attempt in sorted(attempts, key=lambda one: one.sent):
            self._enter(attempt)
        for row in tables.rows:
            self.rows[row.tenant, mark_of(row.body)].append(row)
            self.row_of.setdefault(row.prediction_id, row)

    def _enter(self, attempt: Attempt) -> None:
        for place, payment in enumerate(attempt.payments):
            key = attempt.tenant, mark_of(payment)
            self.sent[key].append(Sent(attempt, place))
            if place < len(attempt.decisions):
                self.answers[key].append(Answer(attempt, place, attempt.decisions[place]))
            if (external_id := idempotency_id(attempt, place)) is not None:
                self._of_id[attempt.tenant, external_id].append(attempt)

    def each_answer(self) -> Iterator[tuple[str, str, Answer]]:
        """Yield tenant, mark and answer of every decision that was received."""
        for (tenant, mark), answers in self.answers.items():
            for answer in answers:
                yield tenant, mark, answer

    def may_be_decided_again(self, answer: Answer) -> bool:
        """Whether a journalled decision may be a second one under its id.

        While Postgres is away, an id that Postgres has, or may have, is not recognised
        (docs/decisions/0022-journal.md). So it may where the same id was sent before.
        """
        if not answer.is_journalled:
            return False
        external_id = idempotency_id(answer.attempt, answer.place)
        return external_id is not None and any(
            other is not answer.attempt and other.sent < answer.attempt.got
            for other in self._of_id[answer.attempt.tenant, external_id]
        )

    def has_new_id(self, attempt: Attempt, place: int) -> bool:
        """Whether only the operation of a request has sent the id of one of its payments."""
        external_id = idempotency_id(attempt, place)
        if external_id is None:
            return True
        others = self._of_id[attempt.tenant, external_id]
        return all(other.operation == attempt.operation for other in others)

    def has_other_payment(self, attempt: Attempt) -> bool:
        """Whether an external id of a request was sent with another payment too by its end."""
        for place, payment in enumerate(attempt.payments):
            external_id = idempotency_id(attempt, place)
            if external_id is not None and any(
                mark_of(other) != mark_of(payment)
                for one in self._of_id[attempt.tenant, external_id]
                if one.sent < attempt.got
                for other in one.payments
                if other.get("external_id") == external_id
            ):
                return True
        return False


def idempotency_id(attempt: Attempt, place: int) -> str | None:
    """Return what makes a payment of a request recognisable: its id, or the request's key."""
    external_id = attempt.payments[place].get("external_id")
    if external_id is None and attempt.key is not None:
        return f"{attempt.key} {place}"
    return external_id
