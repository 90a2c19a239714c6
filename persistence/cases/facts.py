"""The facts of a case, and reading and locking one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Engine, Select, func, select

from persistence.tables.cases import CaseRow
from persistence.tables.people import UserRow
from persistence.tenancy import tenant_transaction
from scoring.errors import NotFound

Status = Literal["open", "closed"]
Priority = Literal["high", "normal", "low"]
CaseOutcome = Literal["fraud_confirmed", "not_fraud", "inconclusive"]
PRIORITIES: tuple[Priority, ...] = get_args(Priority)
"""The most urgent first."""
OUTCOMES: tuple[CaseOutcome, ...] = get_args(CaseOutcome)
MAX_TITLE_LENGTH = 200
MAX_CASE_AMOUNT = 1e12


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """The facts of a case.

    Attributes:
        number: 1, 2, 3 ... in the tenant.
        version: number that grows with every change of facts and links.
        title: what the case is about.
        status: open or closed.
        priority: how urgent it is.
        assignee_id: person who works on it; None: nobody.
        due_on: day, in the tenant's time zone, by which it has to be closed; or None.
        outcome: what it turned out to be; None while it is open.
        amount: money that the outcome is about; None where it is not known.
        created_by: name of the person who opened it.
        created_at: time at which it was opened.
        updated_at: time of the last change.
        closed_at: time at which it was closed; None while it is open.
        assignee: name of the assignee; None: nobody.
    """

    number: int
    version: int
    title: str
    status: Status
    priority: Priority
    assignee_id: int | None
    due_on: date | None
    outcome: CaseOutcome | None
    amount: float | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    assignee: str | None

    @property
    def is_open(self) -> bool:
        """Whether the case can be changed."""
        return self.status == "open"


_ASSIGNEE = (
    select(UserRow.name)
    .where(UserRow.tenant_id == CaseRow.tenant_id, UserRow.id == CaseRow.assignee_id)
    .scalar_subquery()
)
CASE_COLUMNS = (
    *(CaseRow.number, CaseRow.version, CaseRow.title, CaseRow.status, CaseRow.priority),
    *(CaseRow.assignee_id, CaseRow.due_on, CaseRow.outcome, CaseRow.amount, CaseRow.created_by),
    *(CaseRow.created_at, CaseRow.updated_at, CaseRow.closed_at),
    _ASSIGNEE.label("assignee"),
)
"""Columns of CaseFacts, in its order."""


def read_facts(connection: Connection, tenant_id: int, number: int) -> CaseFacts:
    """Return the facts of a case.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose case it is.
        number: number of the case.

    Raises:
        NotFound: the tenant has no such case.
    """
    return _found(connection, _of(tenant_id, number), number)


def find_case(engine: Engine, tenant_id: int, number: int) -> CaseFacts:
    """Return the facts of a case.

    Raises:
        NotFound: there is none with that number, or it is another tenant's.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        return read_facts(connection, tenant_id, number)


def lock_facts(connection: Connection, tenant_id: int, number: int) -> CaseFacts:
    """Return the facts of a case, which nobody else changes until the transaction ends.

    Arguments and errors are those of `read_facts`.
    """
    return _found(connection, _of(tenant_id, number).with_for_update(of=CaseRow), number)


def next_number(connection: Connection, tenant_id: int) -> int:
    """Return the number of a tenant's next case."""
    newest = select(func.coalesce(func.max(CaseRow.number), 0) + 1)
    return connection.execute(newest.where(CaseRow.tenant_id == tenant_id)).scalar_one()


def _of(tenant_id: int, number: int) -> Select[Any]:
    return select(*CASE_COLUMNS).where(CaseRow.tenant_id == tenant_id, CaseRow.number == number)


def _found(connection: Connection, statement: Select[Any], number: int) -> CaseFacts:
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise NotFound(f"There is no case {number}.")
    return CaseFacts(*row)
