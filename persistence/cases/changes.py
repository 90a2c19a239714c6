"""Open, change, close and reopen a case.

Forms carry the version of the case that a person saw. A change of a case that has another version
by then is refused, so that nobody overwrites what they did not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, Engine, insert, select, text, update
from sqlalchemy import func as sql

from persistence.actor import Actor
from persistence.cases.facts import CaseFacts, CaseOutcome, Priority, lock_facts, next_number
from persistence.cases.links import put_entity, put_events
from persistence.cases.notes import put_note
from persistence.tables.cases import CaseRow
from persistence.tables.people import UserRow
from persistence.tenancy import tenant_transaction
from scoring.errors import FieldError, InvalidRequest

_LOCK = text("SELECT pg_advisory_xact_lock(:purpose, hashint8(:tenant_id))")
_LOCK_PURPOSE = 0x53E4B
"""First number of the advisory locks of cases; rules, policies and event types have others."""


class CaseMoved(Exception):
    """A case was changed after the version that a person saw, or is closed or open already."""


@dataclass(frozen=True, slots=True)
class CaseForm:
    """What a person gives for a case.

    Attributes:
        title: 1 to MAX_TITLE_LENGTH characters.
        priority: how urgent it is.
        assignee_id: person who works on it; None: nobody.
        due_on: day by which it has to be closed; or None.
    """

    title: str
    priority: Priority = "normal"
    assignee_id: int | None = None
    due_on: date | None = None


@dataclass(frozen=True, slots=True)
class Contents:
    """What a new case has beside its facts.

    Attributes:
        events: ids of events: of the transaction, of the prediction, or the external id.
        entities: kind and key of entities.
        note: first note; empty: none.
    """

    events: Sequence[str] = ()
    entities: Sequence[tuple[str, str]] = ()
    note: str = ""


def create_case(
    engine: Engine, tenant_id: int, form: CaseForm, contents: Contents, *, actor: Actor
) -> int:
    """Open a case with its links and first note, all or nothing; return its number.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose case it is.
        form: facts.
        contents: links and first note.
        actor: person who opens it.

    Raises:
        InvalidRequest: an id stands for no event of the tenant, or the assignee is nobody.
    """
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        _check_assignee(connection, tenant_id, form.assignee_id)
        connection.execute(_LOCK, {"purpose": _LOCK_PURPOSE, "tenant_id": tenant_id})
        number = next_number(connection, tenant_id)
        connection.execute(
            insert(CaseRow).values(
                tenant_id=tenant_id, number=number, created_by=actor.name, **_columns(form)
            )
        )
        if contents.events:
            put_events(connection, tenant_id, number, contents.events, actor)
        for entity, key in contents.entities:
            put_entity(connection, tenant_id, number, entity, key, actor)
        if contents.note:
            put_note(connection, tenant_id, number, contents.note, actor)
    return number


def change_case(
    engine: Engine, tenant_id: int, number: int, form: CaseForm, *, seen: int, actor: Actor
) -> None:
    """Change the facts of an open case; facts that it has already change nothing.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose case it is.
        number: number of the case.
        form: new facts.
        seen: version of the case that the person saw.
        actor: person who changes it.

    Raises:
        NotFound: the tenant has no such case.
        CaseMoved: it was changed after `seen`, or is closed.
        InvalidRequest: the assignee is nobody.
    """
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        facts = lock_facts(connection, tenant_id, number)
        if facts.is_open and form == form_of(facts):
            return
        _check_unmoved(facts, seen, is_open=True)
        if form.assignee_id != facts.assignee_id:
            _check_assignee(connection, tenant_id, form.assignee_id)
        _update(connection, tenant_id, number, **_columns(form))


def close_case(
    engine: Engine,
    tenant_id: int,
    number: int,
    outcome: CaseOutcome,
    amount: float | None,
    note: str = "",
    *,
    seen: int,
    actor: Actor,
) -> None:
    """Close a case.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose case it is.
        number: number of the case.
        outcome: what it turned out to be.
        amount: money that the outcome is about; None where it is not known.
        note: note that is stored with it; empty: none.
        seen: version of the case that the person saw.
        actor: person who closes it.

    Raises:
        NotFound: the tenant has no such case.
        CaseMoved: it was changed after `seen`, or is closed already.
    """
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        _check_unmoved(lock_facts(connection, tenant_id, number), seen, is_open=True)
        if note:
            put_note(connection, tenant_id, number, note, actor)
        values = {"status": "closed", "outcome": outcome, "amount": amount}
        _update(connection, tenant_id, number, **values, closed_at=sql.now())


def reopen_case(engine: Engine, tenant_id: int, number: int, *, seen: int, actor: Actor) -> None:
    """Open a closed case again, without its outcome and amount, which the audit log keeps.

    Arguments and errors are those of `close_case`.
    """
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        _check_unmoved(lock_facts(connection, tenant_id, number), seen, is_open=False)
        _update(
            connection, tenant_id, number,
            status="open", outcome=None, amount=None, closed_at=None,
        )  # fmt: skip


def form_of(facts: CaseFacts) -> CaseForm:
    """Return the facts of a case that `change_case` changes."""
    return CaseForm(facts.title, facts.priority, facts.assignee_id, facts.due_on)


def _check_unmoved(facts: CaseFacts, seen: int, *, is_open: bool) -> None:
    if facts.version != seen or facts.is_open != is_open:
        raise CaseMoved


def _check_assignee(connection: Connection, tenant_id: int, assignee_id: int | None) -> None:
    if assignee_id is None:
        return
    statement = select(UserRow.id).where(
        UserRow.tenant_id == tenant_id, UserRow.id == assignee_id, UserRow.disabled_at.is_(None)
    )
    if connection.execute(statement).one_or_none() is None:
        message = "must be a person of this organisation whose account is in use"
        error = FieldError("assignee", message)
        raise InvalidRequest(f"The assignee {message}.", errors=(error,))


def _columns(form: CaseForm) -> dict[str, object]:
    return {
        "title": form.title,
        "priority": form.priority,
        "assignee_id": form.assignee_id,
        "due_on": form.due_on,
    }


def _update(connection: Connection, tenant_id: int, number: int, **values: object) -> None:
    connection.execute(
        update(CaseRow)
        .where(CaseRow.tenant_id == tenant_id, CaseRow.number == number)
        .values(**values, version=CaseRow.version + 1, updated_at=sql.now())
    )
