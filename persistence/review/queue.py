"""The queue of people: what waits for a verdict, filtered, in two orders, with a count by band.

Without filters the ends of the indexes alone are read (`queue_filter`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Engine,
    ScalarSelect,
    Select,
    Subquery,
    func,
    literal,
    null,
    select,
    true,
    tuple_,
    union_all,
)

from persistence.review.assignments import Assignment, assignments_of
from persistence.review.cases import Case, cut, read_cases
from persistence.review.queue_filter import (
    MAX_COUNTED,
    Order,
    QueueFilter,
    of_band,
    passing_of,
    waiting_in,
    waiting_of,
)
from persistence.review.worklist import Place
from persistence.tables.decisions import PredictionRow
from persistence.tenancy import tenant_transaction
from scoring.policy import RISK_BANDS, RiskBand


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
    with tenant_transaction(engine, tenant_id, reuses_plans=True) as connection:
        if wanted.is_by_index:
            read: ColumnElement[Any] = _counted(tenant_id, wanted)
            passing: ColumnElement[Any] = null()
            parts = [_band(tenant_id, wanted, one) for one in ([band] if band else RISK_BANDS)]
        else:
            # Read once: it is counted, filtered and shown.
            waiting = waiting_of(tenant_id, wanted, None, order).cte("waiting")
            of_filters = passing_of(connection, tenant_id, wanted, waiting).cte("passing")
            read, passing = _by_band(waiting), _by_band(of_filters)
            shown = select(of_filters.c.id, of_filters.c.score)
            parts = [shown.where(of_band(of_filters.c.risk_band, band))]
        page = _with_transactions(tenant_id, _Walk(order, after).first(parts, limit + 1))
        before = (
            _Walk(order, after, is_back=True)
            .first(parts, limit + 1)
            .offset(limit)
            .limit(1)
            .subquery()
        )
        place = select(func.json_build_array(before.c.score, before.c.id)).scalar_subquery()
        columns = func.json_build_array(page.c.score, page.c.id, page.c.transaction_id)
        rows_of_page = select(func.json_agg(columns)).scalar_subquery()
        statement = select(read, passing, rows_of_page, place if after else null())
        looked_at, counts, rows, previous = connection.execute(statement).one()
        counts = looked_at if wanted.is_by_index else counts
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
    following, before_it = (
        Place(one[0], UUID(one[1])) if one else None for one in (last, previous)
    )
    return QueuePage(entries, following, before_it, counted, capped)


def _band(tenant_id: int, wanted: QueueFilter, band: RiskBand) -> Select[Any]:
    return waiting_in(select(PredictionRow.id, PredictionRow.score), tenant_id, wanted, band)


def _counted(tenant_id: int, wanted: QueueFilter) -> ScalarSelect[Any]:
    """Return the number of decisions of each band that wait, as `_by_band` does."""
    counts = []
    for band in RISK_BANDS:
        some = waiting_in(select(literal(1)), tenant_id, wanted, band).limit(MAX_COUNTED).subquery()
        counts += [literal(band), select(func.count()).select_from(some).scalar_subquery()]
    return select(func.json_build_object(*counts)).scalar_subquery()


def _by_band(rows: CTE) -> ScalarSelect[Any]:
    """Return the number of rows of each risk band, as an object; None without a row."""
    counted = (
        select(rows.c.risk_band, func.count().label("n")).group_by(rows.c.risk_band).subquery()
    )
    return select(func.json_object_agg(counted.c.risk_band, counted.c.n)).scalar_subquery()


@dataclass(frozen=True, slots=True)
class _Walk:
    """A walk along the queue from a place: to what follows it, or to it and what comes before.

    Attributes:
        order: order of the queue.
        place: where the walk begins; None: at the beginning of the queue.
        is_back: whether it leads to the beginning.
    """

    order: Order
    place: Place | None
    is_back: bool = False

    def first(self, parts: Sequence[Select[Any]], number: int) -> Select[Any]:
        """Return `id` and `score` of the first rows of the walk through several selections."""
        ends = [self._in_order(self._from_place(part)).limit(number) for part in parts]
        merged = union_all(*ends).subquery()
        return self._in_order(select(merged.c.id, merged.c.score)).limit(number)

    def _from_place(self, part: Select[Any]) -> Select[Any]:
        if self.place is None:
            return part
        id_, score = part.selected_columns.id, part.selected_columns.score
        if self.order == "oldest":
            last = self.place.prediction_id
            return part.where(id_ <= last if self.is_back else id_ > last)
        end = tuple_(literal(self.place.score), literal(self.place.prediction_id))
        both = tuple_(score, id_)
        # The first condition is a range of the index, whose columns descend.
        if self.is_back:
            return part.where(score >= self.place.score, both >= end)
        return part.where(score <= self.place.score, both < end)

    def _in_order(self, part: Select[Any]) -> Select[Any]:
        id_, score = part.selected_columns.id, part.selected_columns.score
        columns = (id_,) if self.order == "oldest" else (score, id_)
        ascends = (self.order == "oldest") != self.is_back
        return part.order_by(*(one.asc() if ascends else one.desc() for one in columns))


def _with_transactions(tenant_id: int, rows: Select[Any]) -> Subquery:
    first = rows.subquery("first")
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
