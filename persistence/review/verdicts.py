"""Verdicts of people, who see first what others decided: nobody overwrites another unknowingly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Engine, select

from persistence.actor import Actor
from persistence.review.cases import FEEDBACK_COLUMNS, Feedback, Label, predictions_of
from persistence.review.worklist import add_feedback
from persistence.tables.decisions import PredictionRow
from persistence.tables.review import FeedbackRow
from persistence.tenancy import tenant_transaction
from scoring.errors import NotFound


@dataclass(frozen=True, slots=True)
class GivenVerdict:
    """A verdict that a person gives.

    Attributes:
        transaction_id: transaction that it is about.
        label: what the transaction was, or that somebody else has to decide.
        rationale: reason in the person's words.
        seen: id of the latest feedback that the person saw; None: there was none.
    """

    transaction_id: UUID
    label: Label
    rationale: str
    seen: int | None


@dataclass(frozen=True, slots=True)
class VerdictResult:
    """What became of a verdict.

    Attributes:
        given: verdict.
        latest: latest feedback of the transaction now: the verdict, or what somebody else stored
            since the person looked.
        is_stored: whether it is the verdict.
    """

    given: GivenVerdict
    latest: Feedback
    is_stored: bool


def give_verdicts(
    engine: Engine, tenant_id: int, verdicts: Sequence[GivenVerdict], *, actor: Actor
) -> list[VerdictResult]:
    """Store verdicts in one transaction, but those on which somebody else has decided since.

    A verdict that is stored ends claims and assignments of its transaction. One that is sent again,
    because its reply was lost, is not stored again.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose transactions they are about.
        verdicts: verdicts, at most one a transaction.
        actor: person who gives them.

    Raises:
        NotFound: a transaction is not there, or is another tenant's; nothing is stored.
    """
    # In one order, so that two people who decide the same rows wait for each other only once.
    in_order = sorted(verdicts, key=lambda verdict: verdict.transaction_id)
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        return [_give(connection, tenant_id, verdict, actor) for verdict in in_order]


def _give(
    connection: Connection, tenant_id: int, given: GivenVerdict, actor: Actor
) -> VerdictResult:
    # Whoever stores feedback updates the decision's row first, so nobody does between here and
    # the commit.
    lock = (
        select(PredictionRow.id)
        .where(*predictions_of(tenant_id, [given.transaction_id]))
        .where(PredictionRow.transaction_id == given.transaction_id)
        .with_for_update(key_share=True)
    )
    if not connection.execute(lock).all():
        raise NotFound(f"There is no transaction {given.transaction_id}.")
    latest = latest_feedback(connection, tenant_id, given.transaction_id)
    if latest is not None and latest.id != given.seen:
        is_sent_again = (latest.actor, latest.label, latest.rationale) == (
            actor.name,
            given.label,
            given.rationale,
        )
        return VerdictResult(given, latest, is_sent_again)
    stored = add_feedback(
        connection,
        tenant_id,
        given.transaction_id,
        label=given.label,
        rationale=given.rationale,
        actor=actor,
    )
    return VerdictResult(given, stored, is_stored=True)


def latest_feedback(
    connection: Connection, tenant_id: int, transaction_id: UUID
) -> Feedback | None:
    """Return the feedback of a transaction that counts; None where there is none.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose transaction it is.
        transaction_id: id of the transaction.
    """
    statement = (
        select(*FEEDBACK_COLUMNS)
        .where(FeedbackRow.tenant_id == tenant_id, FeedbackRow.transaction_id == transaction_id)
        .order_by(FeedbackRow.id.desc())
        .limit(1)
    )
    row = connection.execute(statement).one_or_none()
    return Feedback(*row) if row else None
