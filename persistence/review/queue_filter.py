"""The filters of the queue: which decisions wait for a verdict, and which of them are shown.

What waits is a range of `ix_predictions_decision` for each band, by score, and one of
`ix_predictions_waiting`, by time. Filters look up each row, so they read the riskiest, or the
oldest, MAX_LOOKED_UP of a band only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    Subquery,
    cast,
    false,
    func,
    or_,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONPATH

from persistence.event_types import newest_event_type
from persistence.tables.decisions import WAITING, PredictionRow, TransactionRow
from persistence.tables.review import ReviewAssignmentRow
from scoring.policy import RISK_BANDS, Outcome, RiskBand
from scoring.transaction import PAYSIM

Order = Literal["risk", "oldest"]

MAX_COUNTED = 20_000
"""Decisions of a band that are counted by index alone; above, the count says `at least`."""
MAX_LOOKED_UP = 1_500
"""Decisions of a band that are looked up for a filter."""


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What of the queue is shown; None leaves a filter out.

    Attributes:
        outcome: outcome of the decisions.
        amount_min: least amount.
        amount_max: largest amount.
        entity: an entity of the payment, of whatever kind, as events have it.
        rule_id: rule that fired live.
        assignee_id: account of the person to whom it is assigned.
        is_unassigned: whether it is assigned to nobody.
    """

    outcome: Outcome = "review"
    amount_min: float | None = None
    amount_max: float | None = None
    entity: str | None = None
    rule_id: int | None = None
    assignee_id: int | None = None
    is_unassigned: bool = False

    @property
    def is_by_index(self) -> bool:
        """Whether the index alone answers. It does not know approvals at random."""
        return self == QueueFilter(self.outcome) and self.outcome != "approve"

    @property
    def most(self) -> int:
        """Most decisions of a band that are read."""
        return MAX_COUNTED if self.is_by_index else MAX_LOOKED_UP


def matching(
    connection: Connection, tenant_id: int, wanted: QueueFilter, since: UUID | None = None
) -> Select[Any]:
    """Return the statement of what passes the filters: `id`, `score` and `risk_band`.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose decisions are read.
        wanted: filters.
        since: least id of a prediction, which carries its time; None: from the first one on.
    """
    waiting = waiting_of(tenant_id, wanted, since, "risk").subquery("waiting")
    return passing_of(connection, tenant_id, wanted, waiting)


def waiting_of(
    tenant_id: int, wanted: QueueFilter, since: UUID | None, order: Order
) -> CompoundSelect[Any]:
    """Return the statement of what waits and is looked at, of every band."""
    return union_all(*(_range(tenant_id, wanted, band, since, order) for band in RISK_BANDS))


def passing_of(
    connection: Connection, tenant_id: int, wanted: QueueFilter, waiting: CTE | Subquery
) -> Select[Any]:
    """Return the statement of the rows of `waiting_of` that pass the filters."""
    statement = select(waiting.c.id, waiting.c.score, waiting.c.risk_band)
    if wanted.is_by_index:
        return statement
    joined: Any = waiting
    conditions: list[ColumnElement[bool]] = []
    if wanted.rule_id is not None:
        path = cast("$.fired[*] ? (@[0] == $id)", JSONPATH)
        variables = func.jsonb_build_object("id", wanted.rule_id)
        conditions.append(func.jsonb_path_exists(waiting.c.ruling, path, variables))
    if wanted.assignee_id is not None or wanted.is_unassigned:
        conditions.append(_assigned(tenant_id, waiting, wanted))
    of_payment = _conditions_of_payment(connection, tenant_id, wanted)
    if of_payment:
        # LIMIT 1 keeps it a look-up by key for each row, in the row's own month.
        passes = (
            select(TransactionRow.id)
            .where(
                TransactionRow.tenant_id == tenant_id,
                TransactionRow.id == waiting.c.transaction_id,
                *of_payment,
            )
            .limit(1)
            .lateral("passes")
        )
        joined = waiting.join(passes, true())
    return statement.select_from(joined).where(*conditions)


def _range(
    tenant_id: int, wanted: QueueFilter, band: RiskBand, since: UUID | None, order: Order
) -> Select[Any]:
    columns = [PredictionRow.id, PredictionRow.score, PredictionRow.risk_band]
    if not wanted.is_by_index:
        columns.append(PredictionRow.transaction_id)
    if wanted.rule_id is not None:
        columns.append(PredictionRow.ruling)
    ranged = waiting_in(select(*columns), tenant_id, wanted, band)
    if since is not None:
        ranged = ranged.where(PredictionRow.id >= since)
    # Approvals that nobody has looked at have no index by time.
    if order == "oldest" and wanted.outcome != "approve":
        return ranged.order_by(PredictionRow.id).limit(wanted.most)
    riskiest_first = ranged.order_by(PredictionRow.score.desc(), PredictionRow.id.desc())
    return riskiest_first.limit(wanted.most)


def waiting_in(
    columns: Select[Any], tenant_id: int, wanted: QueueFilter, band: RiskBand
) -> Select[Any]:
    """Return a selection of predictions with the conditions of what waits in a band."""
    ranged = columns.where(
        PredictionRow.tenant_id == tenant_id,
        PredictionRow.reviewed.is_(false()),
        PredictionRow.decision == wanted.outcome,
        PredictionRow.risk_band == band,
    )
    if wanted.outcome == "approve":
        return ranged.where(PredictionRow.approval_probability.is_(None))
    return ranged.where(text(WAITING))  # as the index has it


def _assigned(tenant_id: int, waiting: CTE | Subquery, wanted: QueueFilter) -> ColumnElement[bool]:
    of_tenant = select(ReviewAssignmentRow.transaction_id).where(
        ReviewAssignmentRow.tenant_id == tenant_id, ReviewAssignmentRow.until.is_(None)
    )
    if wanted.is_unassigned:
        return waiting.c.transaction_id.not_in(of_tenant)
    return waiting.c.transaction_id.in_(
        of_tenant.where(ReviewAssignmentRow.user_id == wanted.assignee_id)
    )


def _conditions_of_payment(
    connection: Connection, tenant_id: int, wanted: QueueFilter
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.amount_min is not None:
        conditions.append(TransactionRow.amount >= wanted.amount_min)
    if wanted.amount_max is not None:
        conditions.append(TransactionRow.amount <= wanted.amount_max)
    if wanted.entity is not None:
        # Who pays and who receives have columns whatever the event type calls them.
        places: list[ColumnElement[Any]] = [
            TransactionRow.__table__.c.name_orig,
            TransactionRow.__table__.c.name_dest,
        ]
        stored = newest_event_type(connection, tenant_id)
        kept = (stored.event_type if stored else PAYSIM).kept.values()
        places += [
            TransactionRow.fields[field.name].astext
            for field in kept
            if field.kind == "entity" and field.role not in ("payer", "payee")
        ]
        conditions.append(or_(*(place == wanted.entity for place in places)))
    return conditions


def of_band(column: ColumnElement[str], band: RiskBand | None) -> ColumnElement[bool]:
    """Return the condition of a band; None: every band."""
    return true() if band is None else column == band
