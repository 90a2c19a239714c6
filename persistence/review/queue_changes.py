"""What changed in the queue since a page was made: new decisions, claims, verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Connection,
    Engine,
    Select,
    Uuid,
    bindparam,
    func,
    select,
    true,
)

from persistence.review.assignments import Assignment, assignments_of
from persistence.review.cases import FEEDBACK_COLUMNS, Feedback
from persistence.review.queue_filter import QueueFilter, matching, of_band
from persistence.tables.review import FeedbackRow
from persistence.tenancy import tenant_transaction
from scoring.policy import RiskBand


@dataclass(frozen=True, slots=True)
class QueueChanges:
    """What changed in the queue.

    Attributes:
        newer: ids of predictions that wait and were made after the time.
        assignments: who works on each transaction that a page shows.
        feedback: latest feedback of each transaction that a page shows.
    """

    newer: Sequence[UUID]
    assignments: Mapping[UUID, Assignment]
    feedback: Mapping[UUID, Feedback]


def read_changes(
    engine: Engine,
    tenant_id: int,
    wanted: QueueFilter,
    *,
    band: RiskBand | None,
    since: UUID,
    limit: int,
    shown: Sequence[UUID],
) -> QueueChanges:
    """Return what a page of the queue does not show yet.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose decisions are read.
        wanted: filters of the page.
        band: band that the page shows; None: all.
        since: least id of a prediction, which carries its time.
        limit: most ids of newer decisions.
        shown: transactions that the page shows.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        newer = newer_in_queue(connection, tenant_id, wanted, band=band, since=since, limit=limit)
        assignments = assignments_of(connection, tenant_id, shown)
        return QueueChanges(newer, assignments, _latest_feedback(connection, tenant_id, shown))


def newer_in_queue(
    connection: Connection,
    tenant_id: int,
    wanted: QueueFilter,
    *,
    band: RiskBand | None,
    since: UUID,
    limit: int,
) -> list[UUID]:
    """Return the decisions that wait and were made after a time, as ids of predictions.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose decisions are read.
        wanted: filters.
        band: band that is asked for; None: all.
        since: least id of a prediction, which carries its time.
        limit: most ids.
    """
    matched = matching(connection, tenant_id, wanted, since).subquery("matched")
    statement = select(matched.c.id).where(of_band(matched.c.risk_band, band)).limit(limit)
    return list(connection.execute(statement).scalars())


def _latest_feedback(
    connection: Connection, tenant_id: int, shown: Sequence[UUID]
) -> Mapping[UUID, Feedback]:
    given = {"tenant_id": tenant_id, "ids": list(shown)}
    rows = connection.execute(_latest(), given)
    return {row[0]: Feedback(*row[1:]) for row in rows}


@cache
def _latest() -> Select[Any]:
    tenant_id: BindParameter[int] = bindparam("tenant_id")
    ids = func.unnest(bindparam("ids", type_=ARRAY(Uuid)))
    wanted = ids.table_valued("id").render_derived("wanted_ids")
    latest = (
        select(*FEEDBACK_COLUMNS)
        .where(FeedbackRow.tenant_id == tenant_id, FeedbackRow.transaction_id == wanted.c.id)
        .order_by(FeedbackRow.id.desc())
        .limit(1)
        .lateral("latest")
    )
    return select(wanted.c.id.label("shown_id"), latest).select_from(wanted.join(latest, true()))
