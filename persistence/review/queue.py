"""The queue of people: what waits for a verdict, filtered, in two orders, with a count by band.

What waits is a range of `ix_predictions_decision` for each band. Without filters the index alone
is read. Filters look up each row of it, so they read the riskiest MAX_LOOKED_UP of a band only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Connection,
    Engine,
    ScalarSelect,
    Select,
    Subquery,
    cast,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONPATH

from persistence.event_types import newest_event_type
from persistence.review.assignments import Assignment, assignments_of
from persistence.review.cases import Case, cut, read_cases
from persistence.review.worklist import Place
from persistence.tables.decisions import PredictionRow, TransactionRow
from persistence.tables.review import ReviewAssignmentRow
from persistence.tenancy import tenant_transaction
from scoring.policy import RISK_BANDS, Outcome, RiskBand
from scoring.transaction import PAYSIM

Order = Literal["risk", "oldest"]

MAX_COUNTED = 100_000
"""Decisions of a band that are counted by index alone; above, the count says `at least`."""
MAX_LOOKED_UP = 3_000
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


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A decision that waits, and who works on it.

    Attributes:
        case: decision with its latest feedback.
        assignment: who works on it; None: nobody.
    """

    case: Case
    assignment: Assignment | None


@dataclass(frozen=True, slots=True)
class QueuePage:
    """A page of the queue.

    Attributes:
        entries: decisions in the order that was asked for.
        next: end of the page, after which the next one begins; None on the last page.
        previous: place after which the page before begins; None where that is the first page.
        counts: number of decisions that pass the filters, by band.
        capped: bands of which not every decision was looked at; their count is a lower bound.
    """

    entries: Sequence[QueueEntry]
    next: Place | None
    previous: Place | None
    counts: Mapping[RiskBand, int]
    capped: frozenset[RiskBand]


def read_queue(
    engine: Engine,
    tenant_id: int,
    wanted: QueueFilter,
    *,
    band: RiskBand | None,
    order: Order,
    limit: int,
    after: Place | None = None,
) -> QueuePage:
    """Return a page of the queue, and the count of each band whichever is shown.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose decisions are read.
        wanted: filters.
        band: band that the page shows; None: all.
        order: `risk`: highest score first; `oldest`: what waits longest first.
        limit: most decisions of the page.
        after: end of the page before.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        # Read once: it is counted, filtered and shown.
        waiting = _waiting(tenant_id, wanted, None).cte("waiting")
        passing = waiting
        if not wanted.is_by_index:
            passing = _passing(connection, tenant_id, wanted, waiting).cte("passing")
        page = _page(passing, tenant_id, band, order, limit, after)
        columns = func.json_build_array(page.c.score, page.c.id, page.c.transaction_id)
        rows_of_page = select(func.json_agg(columns)).scalar_subquery()
        before = _before(passing, band, order, limit, after) if after else null()
        statement = select(_by_band(waiting), _by_band(passing), rows_of_page, before)
        read, counts, rows, place = connection.execute(statement).one()
        in_order = sorted(rows or (), key=lambda row: row[:2] if order == "risk" else row[1])
        if order == "risk":
            in_order.reverse()
        found, last = cut(in_order, limit)
        ids = [UUID(transaction_id) for *_, transaction_id in found]
        cases = read_cases(connection, tenant_id, ids)
        assignments = assignments_of(connection, tenant_id, ids)
    entries = [QueueEntry(one, assignments.get(one.decided.transaction_id)) for one in cases]
    counted: dict[RiskBand, int] = {one: (counts or {}).get(one, 0) for one in RISK_BANDS}
    capped = frozenset(one for one in RISK_BANDS if (read or {}).get(one, 0) >= wanted.most)
    following, previous = (Place(one[0], UUID(one[1])) if one else None for one in (last, place))
    return QueuePage(entries, following, previous, counted, capped)


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
    waiting = _waiting(tenant_id, wanted, since).subquery("waiting")
    return _passing(connection, tenant_id, wanted, waiting)


def _waiting(tenant_id: int, wanted: QueueFilter, since: UUID | None) -> CompoundSelect[Any]:
    return union_all(*(_range(tenant_id, wanted, band, since) for band in RISK_BANDS))


def _by_band(rows: CTE) -> ScalarSelect[Any]:
    """Return the number of rows of each risk band, as an object; None without a row."""
    counted = (
        select(rows.c.risk_band, func.count().label("n")).group_by(rows.c.risk_band).subquery()
    )
    return select(func.json_object_agg(counted.c.risk_band, counted.c.n)).scalar_subquery()


def _passing(
    connection: Connection, tenant_id: int, wanted: QueueFilter, waiting: CTE | Subquery
) -> Select[Any]:
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


def _range(tenant_id: int, wanted: QueueFilter, band: RiskBand, since: UUID | None) -> Select[Any]:
    columns = [PredictionRow.id, PredictionRow.score, PredictionRow.risk_band]
    if not wanted.is_by_index:
        columns.append(PredictionRow.transaction_id)
    if wanted.rule_id is not None:
        columns.append(PredictionRow.ruling)
    ranged = select(*columns).where(
        PredictionRow.tenant_id == tenant_id,
        PredictionRow.reviewed.is_(false()),
        PredictionRow.decision == wanted.outcome,
        PredictionRow.risk_band == band,
    )
    if wanted.outcome == "approve":
        ranged = ranged.where(PredictionRow.approval_probability.is_(None))
    if since is not None:
        ranged = ranged.where(PredictionRow.id >= since)
    riskiest_first = ranged.order_by(PredictionRow.score.desc(), PredictionRow.id.desc())
    return riskiest_first.limit(wanted.most)


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


def _page(
    matched: CTE,
    tenant_id: int,
    band: RiskBand | None,
    order: Order,
    limit: int,
    after: Place | None,
) -> Subquery:
    rows = select(matched.c.id, matched.c.score).where(of_band(matched.c.risk_band, band))
    if order == "risk":
        rows = rows.order_by(matched.c.score.desc(), matched.c.id.desc())
        if after:
            end = tuple_(literal(after.score), literal(after.prediction_id))
            rows = rows.where(tuple_(matched.c.score, matched.c.id) < end)
    else:
        rows = rows.order_by(matched.c.id)
        if after:
            rows = rows.where(matched.c.id > after.prediction_id)
    first = rows.limit(limit + 1).subquery("first")
    of_prediction = (
        select(PredictionRow.transaction_id)
        .where(PredictionRow.tenant_id == tenant_id, PredictionRow.id == first.c.id)
        .limit(1)
        .lateral("of_prediction")
    )
    return (
        select(first.c.id, first.c.score, of_prediction.c.transaction_id)
        .select_from(first.join(of_prediction, true()))
        .subquery("page")
    )


def _before(
    matched: CTE, band: RiskBand | None, order: Order, limit: int, after: Place
) -> ScalarSelect[Any]:
    """Return score and id of the place after which the page before begins; none: the first page."""
    rows = select(matched.c.id, matched.c.score).where(of_band(matched.c.risk_band, band))
    if order == "risk":
        end = tuple_(literal(after.score), literal(after.prediction_id))
        rows = rows.where(tuple_(matched.c.score, matched.c.id) >= end)
        rows = rows.order_by(matched.c.score, matched.c.id)
    else:
        rows = rows.where(matched.c.id <= after.prediction_id).order_by(matched.c.id.desc())
    place = rows.offset(limit).limit(1).subquery("before")
    return select(func.json_build_array(place.c.score, place.c.id)).scalar_subquery()


def of_band(column: ColumnElement[str], band: RiskBand | None) -> ColumnElement[bool]:
    """Return the condition of a band; None: every band."""
    return true() if band is None else column == band
