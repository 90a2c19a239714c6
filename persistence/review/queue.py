"""The queue of people: what waits for a verdict, filtered, in two orders, with a count by band.

What waits is a range of `ix_predictions_decision` for each band, by score, and one of
`ix_predictions_waiting`, by time. Without filters the indexes alone are read. Filters look up each
row, so they read the riskiest, or the oldest, MAX_LOOKED_UP of a band only.
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
    or_,
    select,
    text,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONPATH

from persistence.event_types import newest_event_type
from persistence.review.assignments import Assignment, assignments_of
from persistence.review.cases import Case, cut, read_cases
from persistence.review.worklist import Place
from persistence.tables.decisions import WAITING, PredictionRow, TransactionRow
from persistence.tables.review import ReviewAssignmentRow
from persistence.tenancy import tenant_transaction
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
        counts: number of decisions that pass the filters, by band.
        capped: bands of which not every decision was looked at; their count is a lower bound.
    """

    entries: Sequence[QueueEntry]
    next: Place | None
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
        if wanted.is_by_index:
            read = passing = _counted(tenant_id, wanted)
            first = _ends(tenant_id, wanted, band, order, limit, after)
        else:
            # Read once: it is counted, filtered and shown.
            waiting = _waiting(tenant_id, wanted, None, order).cte("waiting")
            of_filters = _passing(connection, tenant_id, wanted, waiting).cte("passing")
            read, passing = _by_band(waiting), _by_band(of_filters)
            first = _page(of_filters, band, order, limit, after)
        page = _with_transactions(tenant_id, first)
        columns = func.json_build_array(page.c.score, page.c.id, page.c.transaction_id)
        rows_of_page = select(func.json_agg(columns)).scalar_subquery()
        looked_at, counts, rows = connection.execute(select(read, passing, rows_of_page)).one()
        in_order = sorted(rows or (), key=lambda row: row[:2] if order == "risk" else row[1])
        if order == "risk":
            in_order.reverse()
        found, last = cut(in_order, limit)
        ids = [UUID(transaction_id) for *_, transaction_id in found]
        cases = read_cases(connection, tenant_id, ids)
        assignments = assignments_of(connection, tenant_id, ids)
    entries = [QueueEntry(one, assignments.get(one.decided.transaction_id)) for one in cases]
    counted: dict[RiskBand, int] = {one: (counts or {}).get(one, 0) for one in RISK_BANDS}
    capped = frozenset(one for one in RISK_BANDS if (looked_at or {}).get(one, 0) >= wanted.most)
    return QueuePage(entries, Place(last[0], UUID(last[1])) if last else None, counted, capped)


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
    waiting = _waiting(tenant_id, wanted, since, "risk").subquery("waiting")
    return _passing(connection, tenant_id, wanted, waiting)


def _waiting(
    tenant_id: int, wanted: QueueFilter, since: UUID | None, order: Order
) -> CompoundSelect[Any]:
    return union_all(*(_range(tenant_id, wanted, band, since, order) for band in RISK_BANDS))


def _counted(tenant_id: int, wanted: QueueFilter) -> ScalarSelect[Any]:
    """Return the number of decisions of each band that wait, as `_by_band` does."""
    counts = []
    for band in RISK_BANDS:
        some = _of_band(select(literal(1)), tenant_id, wanted, band).limit(MAX_COUNTED).subquery()
        counts += [literal(band), select(func.count()).select_from(some).scalar_subquery()]
    return select(func.json_build_object(*counts)).scalar_subquery()


def _ends(
    tenant_id: int,
    wanted: QueueFilter,
    band: RiskBand | None,
    order: Order,
    limit: int,
    after: Place | None,
) -> Subquery:
    """Return the first decisions after a place, which each band has at an end of its index."""
    row = PredictionRow
    in_order = (row.id.asc(),) if order == "oldest" else (row.score.desc(), row.id.desc())
    bands = RISK_BANDS if band is None else (band,)
    ends = []
    for one in bands:
        end = _of_band(select(row.id, row.score), tenant_id, wanted, one)
        if after and order == "oldest":
            end = end.where(row.id > after.prediction_id)
        elif after:
            place = tuple_(literal(after.score), literal(after.prediction_id))
            # The first condition is a range of the index, whose columns descend.
            end = end.where(row.score <= after.score, tuple_(row.score, row.id) < place)
        ends.append(end.order_by(*in_order).limit(limit + 1))
    merged = union_all(*ends).subquery("merged")
    columns = merged.c
    merged_order = (
        (columns.id.asc(),) if order == "oldest" else (columns.score.desc(), columns.id.desc())
    )
    return select(columns.id, columns.score).order_by(*merged_order).limit(limit + 1).subquery()


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


def _range(
    tenant_id: int, wanted: QueueFilter, band: RiskBand, since: UUID | None, order: Order
) -> Select[Any]:
    columns = [PredictionRow.id, PredictionRow.score, PredictionRow.risk_band]
    if not wanted.is_by_index:
        columns.append(PredictionRow.transaction_id)
    if wanted.rule_id is not None:
        columns.append(PredictionRow.ruling)
    ranged = _of_band(select(*columns), tenant_id, wanted, band)
    if since is not None:
        ranged = ranged.where(PredictionRow.id >= since)
    # Approvals that nobody has looked at have no index by time.
    if order == "oldest" and wanted.outcome != "approve":
        return ranged.order_by(PredictionRow.id).limit(wanted.most)
    riskiest_first = ranged.order_by(PredictionRow.score.desc(), PredictionRow.id.desc())
    return riskiest_first.limit(wanted.most)


def _of_band(
    columns: Select[Any], tenant_id: int, wanted: QueueFilter, band: RiskBand
) -> Select[Any]:
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


def _page(
    matched: CTE, band: RiskBand | None, order: Order, limit: int, after: Place | None
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
    return rows.limit(limit + 1).subquery("first")


def _with_transactions(tenant_id: int, first: Subquery) -> Subquery:
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


def of_band(column: ColumnElement[str], band: RiskBand | None) -> ColumnElement[bool]:
    """Return the condition of a band; None: every band."""
    return true() if band is None else column == band
