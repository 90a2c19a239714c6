"""Search transactions by their own id, account, amount and time, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from time import time_ns
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    LargeBinary,
    Select,
    func,
    literal,
    or_,
    select,
    union,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from persistence.access_log import SearchAction, account_object, log_access, transaction_object
from persistence.actor import Actor
from persistence.review.cases import Case, Page, cut, read_cases
from persistence.tables.decisions import IdempotencyKeyRow, PredictionRow, TransactionRow
from persistence.tenancy import tenant_transaction
from persistence.uuid7 import first_id_at

MAX_AMOUNT_DAYS = 31
"""Amounts have no index of their own: one more would cost every payment, for few searches. So an
amount is looked for in a month of transactions at most."""
ID_BYTES = 16
_DAY_MS = 24 * 60 * 60 * 1000


class InvalidSearch(ValueError):
    """The filters of a search cannot go together.

    Attributes:
        field: name of the filter of `Search` that has to change.
        is_backwards: whether its range ends before it begins; else an amount is searched for in
            more than MAX_AMOUNT_DAYS days.
    """

    def __init__(self, field: str, *, is_backwards: bool) -> None:
        reason = "ends before it begins" if is_backwards else "needs a shorter time range"
        super().__init__(f"{field} {reason}")
        self.field = field
        self.is_backwards = is_backwards


@dataclass(frozen=True, slots=True)
class Search:
    """The filters of a search; None leaves one out.

    Attributes:
        external_id: the caller's own id of the transaction.
        account: account that paid or received.
        amount_min: least amount.
        amount_max: largest amount.
        from_ms: first Unix millisecond of the decision, 0 to 2^48 - 1.
        to_ms: Unix millisecond after the last one.

    Raises:
        InvalidSearch: a range ends before it begins, or an amount is searched for in more than
            MAX_AMOUNT_DAYS days.
    """

    external_id: str | None = None
    account: str | None = None
    amount_min: float | None = None
    amount_max: float | None = None
    from_ms: int | None = None
    to_ms: int | None = None

    def filters(self) -> dict[str, str | float]:
        """Return the filters by the names of the query's parameters; times are ISO 8601."""
        given = {
            "external_id": self.external_id,
            "account": self.account,
            "amount_min": self.amount_min,
            "amount_max": self.amount_max,
            "from": _iso(self.from_ms),
            "to": _iso(self.to_ms),
        }
        return {name: value for name, value in given.items() if value is not None}

    def __post_init__(self) -> None:
        if _is_backwards(self.from_ms, self.to_ms):
            raise InvalidSearch("to_ms", is_backwards=True)
        if _is_backwards(self.amount_min, self.amount_max):
            raise InvalidSearch("amount_max", is_backwards=True)
        if self._is_by_amount_alone() and not self._spans_at_most_ms(MAX_AMOUNT_DAYS * _DAY_MS):
            field = "amount_max" if self.amount_min is None else "amount_min"
            raise InvalidSearch(field, is_backwards=False)

    def _is_by_amount_alone(self) -> bool:
        is_by_amount = self.amount_min is not None or self.amount_max is not None
        return is_by_amount and self.account is None and self.external_id is None

    def _spans_at_most_ms(self, most_ms: int) -> bool:
        end_ms = time_ns() // 1_000_000 if self.to_ms is None else self.to_ms
        return self.from_ms is not None and end_ms - self.from_ms <= most_ms


@dataclass(frozen=True, slots=True)
class SearchReader:
    """Who searches, for the access log.

    Attributes:
        actor: person or caller.
        action: kind of the search.
    """

    actor: Actor
    action: SearchAction


def find_transactions(
    engine: Engine,
    tenant_id: int,
    search: Search,
    *,
    limit: int,
    before: UUID | None = None,
    reader: SearchReader | None = None,
) -> Page[Case, UUID]:
    """Return a page of transactions with their decisions and latest feedback, newest first.

    Args:
        engine: pool whose role may read the tenant's rows.
        tenant_id: tenant whose transactions are searched.
        search: filters that a transaction has to pass.
        limit: most transactions of a page.
        before: id of the last transaction of the previous page.
        reader: reader that the access log names, once a page; None: no entry.
    """
    statement = _statement(tenant_id, search, limit + 1, before)
    with tenant_transaction(engine, tenant_id) as connection:
        ids, last = cut(connection.execute(statement).scalars().all(), limit)
        cases = read_cases(connection, tenant_id, ids)
        if reader:
            first = cases[0].decided.transaction_id if cases else None
            _log(connection, tenant_id, search, reader, first, len(cases), before)
        return Page(cases, last)


def find_ids(
    engine: Engine,
    tenant_id: int,
    search: Search,
    *,
    limit: int,
    before: UUID | None = None,
    reader: SearchReader | None = None,
) -> tuple[bytes, UUID | None]:
    """Return the ids of a page of transactions; arguments as for `find_transactions`.

    Returns:
        Ids newest first, ID_BYTES each, and the last of them where more transactions follow. Ids
        of 100,000 transactions as objects would take the interpreter 0.2 s and 10 MB.
    """
    ids = _statement(tenant_id, search, limit + 1, before).subquery()
    newest_first = aggregate_order_by(literal(b"", LargeBinary), ids.c.id.desc())
    statement = select(func.string_agg(func.uuid_send(ids.c.id), newest_first, type_=LargeBinary))
    with tenant_transaction(engine, tenant_id) as connection:
        packed = bytes(connection.execute(statement).scalar_one() or b"")
        page = packed[: limit * ID_BYTES]
        if reader:
            first = UUID(bytes=page[:ID_BYTES]) if page else None
            _log(connection, tenant_id, search, reader, first, len(page) // ID_BYTES, before)
    return page, UUID(bytes=page[-ID_BYTES:]) if len(page) < len(packed) else None


def read_transactions(engine: Engine, tenant_id: int, ids: bytes) -> list[Case]:
    """Return transactions with their decisions and latest feedback.

    Args:
        engine: pool whose role may read the tenant's rows.
        tenant_id: tenant whose transactions are read.
        ids: ids as `find_ids` returns them; those that are gone are left out.
    """
    unpacked = [UUID(bytes=ids[i : i + ID_BYTES]) for i in range(0, len(ids), ID_BYTES)]
    with tenant_transaction(engine, tenant_id) as connection:
        return read_cases(connection, tenant_id, unpacked)


def _log(
    connection: Connection,
    tenant_id: int,
    search: Search,
    reader: SearchReader,
    first: UUID | None,
    rows: int,
    before: UUID | None,
) -> None:
    """Log who searched for what, with the one case or account that was read, if it was one."""
    details: dict[str, Any] = {"filter": search.filters(), "rows": rows}
    if before is not None:
        details["after"] = str(before)
    found = None if search.account is None else account_object(search.account)
    if search.external_id is not None and first is not None:
        found = transaction_object(first)
    log_access(connection, tenant_id, reader.actor, reader.action, found, details)


def _statement(tenant_id: int, search: Search, limit: int, before: UUID | None) -> Select[Any]:
    conditions = _conditions(tenant_id, search, before)
    roles = (TransactionRow.name_orig, TransactionRow.name_dest)
    if search.external_id is not None:
        conditions.append(TransactionRow.id == claimed_transaction(tenant_id, search.external_id))
        if search.account is not None:
            conditions.append(or_(*(role == search.account for role in roles)))
    elif search.account is not None:
        # An account that paid and one that received are two indexes; each gives its newest few.
        either = union(
            *(_newest([*conditions, role == search.account], limit) for role in roles)
        ).subquery()
        return select(either.c.id).order_by(either.c.id.desc()).limit(limit)
    return _newest(conditions, limit)


def _newest(conditions: list[ColumnElement[bool]], limit: int) -> Select[Any]:
    newest_first = select(TransactionRow.id).order_by(TransactionRow.id.desc())
    return newest_first.where(*conditions).limit(limit)


def _conditions(tenant_id: int, search: Search, before: UUID | None) -> list[ColumnElement[bool]]:
    conditions = [TransactionRow.tenant_id == tenant_id]
    if before is not None:
        conditions.append(TransactionRow.id < before)
    # An id carries its time and partitions are ranges of ids, so these two leave out whole months.
    if search.from_ms is not None:
        conditions.append(TransactionRow.id >= first_id_at(search.from_ms))
    if search.to_ms is not None:
        conditions.append(TransactionRow.id < first_id_at(search.to_ms))
    if search.amount_min is not None:
        conditions.append(TransactionRow.amount >= search.amount_min)
    if search.amount_max is not None:
        conditions.append(TransactionRow.amount <= search.amount_max)
    return conditions


def claimed_transaction(tenant_id: int, external_id: str) -> ColumnElement[UUID]:
    """Return the transaction that an `external_id` stands for, by the key of idempotent scoring."""
    return (
        select(PredictionRow.transaction_id)
        .join(
            IdempotencyKeyRow,
            (IdempotencyKeyRow.tenant_id == PredictionRow.tenant_id)
            & (IdempotencyKeyRow.prediction_id == PredictionRow.id),
        )
        .where(IdempotencyKeyRow.tenant_id == tenant_id, IdempotencyKeyRow.key == external_id)
        .scalar_subquery()
    )


def _iso(unix_ms: int | None) -> str | None:
    """Return a time in ISO 8601, UTC, to the millisecond."""
    if unix_ms is None:
        return None
    seconds, milliseconds = divmod(unix_ms, 1000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1000)
    return moment.isoformat(timespec="milliseconds")


def _is_backwards(low: float | None, high: float | None) -> bool:
    return low is not None and high is not None and low > high
