"""Who works on a transaction: a claim that expires, or an assignment that stays until a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Connection,
    Delete,
    Engine,
    Select,
    Uuid,
    bindparam,
    delete,
    or_,
    select,
    true,
)
from sqlalchemy import func as sql
from sqlalchemy.dialects.postgresql import insert

from persistence.people.sessions import actor_of
from persistence.people.users import User
from persistence.review.cases import predictions_of
from persistence.tables.decisions import PredictionRow
from persistence.tables.people import UserRow
from persistence.tables.review import ReviewAssignmentRow
from persistence.tenancy import tenant_transaction
from scoring.errors import NotFound

CLAIM = timedelta(minutes=10)
"""Time for which a transaction counts as looked at by a person."""


_KEY = (ReviewAssignmentRow.tenant_id, ReviewAssignmentRow.transaction_id)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who works on a transaction.

    Attributes:
        transaction_id: transaction.
        user_id: account of the person.
        name: name of the person.
        until: end of a claim by looking at it; None: it is assigned to the person.
    """

    transaction_id: UUID
    user_id: int
    name: str
    until: datetime | None

    @property
    def is_claim(self) -> bool:
        """Whether the person only looks at it."""
        return self.until is not None


def claim(
    engine: Engine, transaction_id: UUID, user: User, *, leave: UUID | None = None
) -> Assignment:
    """Return who works on a transaction: the person who looks at it, unless somebody else does.

    A claim of the same person is prolonged; one that has expired is replaced.

    Args:
        engine: pool of connections.
        transaction_id: transaction that the person looks at.
        user: person.
        leave: transaction that the person no longer looks at; an assignment of it stays.

    Raises:
        NotFound: there is no such transaction, or it is another tenant's.
    """
    now = datetime.now(UTC)
    is_free = or_(
        ReviewAssignmentRow.until <= now,
        (ReviewAssignmentRow.user_id == user.id) & ReviewAssignmentRow.until.is_not(None),
    )
    with tenant_transaction(engine, user.tenant_id, actor=actor_of(user)) as connection:
        _require_transaction(connection, user.tenant_id, transaction_id)
        # In the order in which verdicts end claims, so that nobody waits in a circle.
        for one in sorted({transaction_id, leave or transaction_id}):
            if one == transaction_id:
                values = {"user_id": user.id, "at": now, "until": now + CLAIM}
                connection.execute(
                    insert(ReviewAssignmentRow)
                    .values(tenant_id=user.tenant_id, transaction_id=transaction_id, **values)
                    .on_conflict_do_update(index_elements=_KEY, set_=values, where=is_free)
                )
            else:
                is_mine = ReviewAssignmentRow.user_id == user.id
                is_claim = ReviewAssignmentRow.until.is_not(None)
                connection.execute(_of(user.tenant_id, [one]).where(is_mine, is_claim))
        return assignments_of(connection, user.tenant_id, [transaction_id])[transaction_id]


def assign(
    engine: Engine, transaction_ids: Sequence[UUID], user: User
) -> Mapping[UUID, Assignment]:
    """Assign transactions to a person, whoever worked on them; return who did before.

    Args:
        engine: pool of connections.
        transaction_ids: transactions that the person takes.
        user: person.

    Raises:
        NotFound: a transaction is not there, or is another tenant's; nothing is assigned.
    """
    in_order = sorted(set(transaction_ids))  # of two people at once, one waits for the other
    values = {"user_id": user.id, "at": sql.now(), "until": None}
    with tenant_transaction(engine, user.tenant_id, actor=actor_of(user)) as connection:
        before = assignments_of(connection, user.tenant_id, in_order)
        for transaction_id in in_order:
            _require_transaction(connection, user.tenant_id, transaction_id)
            connection.execute(
                insert(ReviewAssignmentRow)
                .values(tenant_id=user.tenant_id, transaction_id=transaction_id, **values)
                .on_conflict_do_update(index_elements=_KEY, set_=values)
            )
    return before


def release(connection: Connection, tenant_id: int, transaction_ids: Sequence[UUID]) -> None:
    """End every claim and assignment of transactions, as feedback does.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose transactions they are.
        transaction_ids: ids of the transactions.
    """
    connection.execute(_of(tenant_id, transaction_ids))


def assignments_of(
    connection: Connection, tenant_id: int, transaction_ids: Sequence[UUID]
) -> Mapping[UUID, Assignment]:
    """Return who works on each of some transactions; claims that have expired are left out.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose transactions they are.
        transaction_ids: ids of the transactions.
    """
    given = {"tenant_id": tenant_id, "ids": list(transaction_ids)}
    return {row[0]: Assignment(*row) for row in connection.execute(_assignments(), given)}


@cache
def _assignments() -> Select[tuple[UUID, int, str, datetime | None]]:
    tenant_id: BindParameter[int] = bindparam("tenant_id")
    ids = bindparam("ids", type_=ARRAY(Uuid))
    # LIMIT 1 keeps both parts look-ups by index, whatever the planner knows of the tables.
    wanted = sql.unnest(ids).table_valued("id").render_derived("wanted_ids")
    held = (
        select(
            ReviewAssignmentRow.transaction_id,
            ReviewAssignmentRow.user_id,
            ReviewAssignmentRow.until,
        )
        .where(
            ReviewAssignmentRow.tenant_id == tenant_id,
            ReviewAssignmentRow.transaction_id == wanted.c.id,
            or_(ReviewAssignmentRow.until.is_(None), ReviewAssignmentRow.until > sql.now()),
        )
        .limit(1)
        .lateral("held")
    )
    person = (
        select(UserRow.name)
        .where(UserRow.tenant_id == tenant_id, UserRow.id == held.c.user_id)
        .limit(1)
        .lateral("person")
    )
    return select(held.c.transaction_id, held.c.user_id, person.c.name, held.c.until).select_from(
        wanted.join(held, true()).join(person, true())
    )


def _of(tenant_id: int, transaction_ids: Sequence[UUID]) -> Delete:
    return delete(ReviewAssignmentRow).where(
        ReviewAssignmentRow.tenant_id == tenant_id,
        ReviewAssignmentRow.transaction_id.in_(transaction_ids),
    )


def _require_transaction(connection: Connection, tenant_id: int, transaction_id: UUID) -> None:
    statement = (
        select(PredictionRow.id)
        .where(*predictions_of(tenant_id, [transaction_id]))
        .where(PredictionRow.transaction_id == transaction_id)
    )
    if connection.execute(statement).first() is None:
        raise NotFound(f"There is no transaction {transaction_id}.")
