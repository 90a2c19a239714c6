"""The review of decisions: the analysts' worklist, one case, and its feedback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import Connection, Engine, insert, literal, select, tuple_, union_all, update

from persistence.access_log import TRANSACTION_READ, log_access, transaction_object
from persistence.actor import Actor
from persistence.labels.history import label_history
from persistence.review.assignments import release
from persistence.review.cases import (
    FEEDBACK_COLUMNS,
    Case,
    Feedback,
    Label,
    Page,
    cut,
    predictions_of,
    read_cases,
)
from persistence.tables.decisions import PredictionRow
from persistence.tables.review import FeedbackRow
from persistence.tenancy import tenant_transaction
from scoring.errors import NotFound
from scoring.policy import RISK_BANDS, Outcome, RiskBand

Kind = tuple[Outcome, RiskBand]
"""Outcome and band of a decision: rules and lists decide in every band."""
REVIEWS: tuple[Kind, ...] = tuple(("review", band) for band in RISK_BANDS)
"""What waits for an analyst, riskiest first."""
MAX_HISTORY = 1000
"""Feedback of one case that is read; nobody reads more, and the audit log has the rest."""


@dataclass(frozen=True, slots=True)
class Place:
    """The end of a page of the worklist, which no later change moves.

    Attributes:
        score: calibrated probability of the last decision of the page.
        prediction_id: its id.
    """

    score: float
    prediction_id: UUID


def read_worklist(
    engine: Engine,
    tenant_id: int,
    kinds: Sequence[Kind],
    *,
    undecided: bool,
    limit: int,
    after: Place | None = None,
) -> Page[Case, Place]:
    """Return a page of decisions, highest score first, each once with its latest feedback.

    Every kind is one range of `ix_predictions_decision`, read from the end of the last page: no
    other row is read, however many there are, but those that were approved at random, which nobody
    has to review.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose decisions are read.
        kinds: outcome and band of the decisions; at least one.
        undecided: whether the decisions wait for an analyst; else they were settled.
        limit: most decisions of the page.
        after: end of the page before.
    """
    ranges = []
    for decision, band in kinds:
        of_kind = select(PredictionRow.transaction_id, PredictionRow.score, PredictionRow.id).where(
            PredictionRow.tenant_id == tenant_id,
            PredictionRow.reviewed.is_(not undecided),
            PredictionRow.risk_band == band,
            PredictionRow.decision == decision,
        )
        if decision == "approve":
            of_kind = of_kind.where(PredictionRow.approval_probability.is_(None))
        if after:
            of_kind = of_kind.where(
                tuple_(PredictionRow.score, PredictionRow.id)
                < tuple_(literal(after.score), literal(after.prediction_id))
            )
        riskiest_first = of_kind.order_by(PredictionRow.score.desc(), PredictionRow.id.desc())
        ranges.append(riskiest_first.limit(limit + 1))
    merged = union_all(*ranges).subquery()
    statement = (
        select(merged.c.transaction_id, merged.c.score, merged.c.id)
        .order_by(merged.c.score.desc(), merged.c.id.desc())
        .limit(limit + 1)
    )
    with tenant_transaction(engine, tenant_id) as connection:
        rows = connection.execute(statement).all()
        found, last = cut(rows, limit)
        cases = read_cases(connection, tenant_id, [transaction_id for transaction_id, *_ in found])
    return Page(cases, Place(last.score, last.id) if last else None)


def read_case(
    engine: Engine, tenant_id: int, transaction_id: UUID, *, reader: Actor | None = None
) -> Case:
    """Return a transaction, its decision as it was made, its feedback and labels, latest first.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose transaction it is.
        transaction_id: id of the transaction.
        reader: person or caller that the access log names; None: no entry.

    Raises:
        NotFound: there is none with that id, or it is another tenant's.
    """
    history = (
        select(*FEEDBACK_COLUMNS)
        .where(FeedbackRow.tenant_id == tenant_id, FeedbackRow.transaction_id == transaction_id)
        .order_by(FeedbackRow.id.desc())
        .limit(MAX_HISTORY)
    )
    with tenant_transaction(engine, tenant_id) as connection:
        found = read_cases(connection, tenant_id, [transaction_id])
        feedback = tuple(Feedback(*row) for row in connection.execute(history))
        labels = label_history(connection, tenant_id, transaction_id)
        if found and reader:
            log_access(
                connection, tenant_id, reader, TRANSACTION_READ, transaction_object(transaction_id)
            )
    if not found:
        raise _not_found(transaction_id)
    return replace(found[0], feedback=feedback, labels=labels)


def add_feedback(
    connection: Connection,
    tenant_id: int,
    transaction_id: UUID,
    *,
    label: Label,
    rationale: str,
    actor: Actor,
) -> Feedback:
    """Store an analyst's feedback; earlier feedback is kept, the latest counts.

    It ends claims and assignments of the transaction, whoever gives it.

    `confirmed_fraud` and `false_positive` settle the case and take it off the worklist;
    `escalated` leaves it there, or puts it back, for somebody else to settle.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor.
        tenant_id: tenant whose transaction it is.
        transaction_id: id of the transaction.
        label: what the transaction was, or that somebody else has to decide.
        rationale: reason in the analyst's words.
        actor: API key that gives it.

    Raises:
        NotFound: there is no such transaction, or it is another tenant's.
    """
    settle = (
        update(PredictionRow)
        .where(*predictions_of(tenant_id, [transaction_id]))
        .where(PredictionRow.transaction_id == transaction_id)
        .values(reviewed=label != "escalated")
        .returning(PredictionRow.id)
    )
    store = (
        insert(FeedbackRow)
        .values(
            tenant_id=tenant_id,
            transaction_id=transaction_id,
            label=label,
            rationale=rationale,
            actor=actor.name,
        )
        .returning(*FEEDBACK_COLUMNS)
    )
    # First the row's lock, then the feedback's number: of two analysts at once, the one whose
    # feedback is the latest also sets `reviewed`.
    if not connection.execute(settle).all():
        raise _not_found(transaction_id)
    release(connection, tenant_id, [transaction_id])
    return Feedback(*connection.execute(store).one())


def _not_found(transaction_id: UUID) -> NotFound:
    return NotFound(f"There is no transaction {transaction_id}.")
