"""Notes on a case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, insert, select

from persistence.actor import Actor
from persistence.cases.facts import read_facts
from persistence.tables.cases import CaseNoteRow
from persistence.tenancy import tenant_transaction

MAX_NOTE_LENGTH = 4000


@dataclass(frozen=True, slots=True)
class Note:
    """A note on a case.

    Attributes:
        id: number that grows from one to the next.
        text: what was written, 1 to MAX_NOTE_LENGTH characters.
        actor: name of the person who wrote it.
        created_at: time at which it was stored.
    """

    id: int
    text: str
    actor: str
    created_at: datetime


def add_note(engine: Engine, tenant_id: int, number: int, text: str, *, actor: Actor) -> None:
    """Store a note on a case, open or closed.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose case it is.
        number: number of the case.
        text: 1 to MAX_NOTE_LENGTH characters.
        actor: person who writes it.

    Raises:
        NotFound: the tenant has no such case.
    """
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        read_facts(connection, tenant_id, number)
        put_note(connection, tenant_id, number, text, actor)


def put_note(connection: Connection, tenant_id: int, number: int, text: str, actor: Actor) -> None:
    """Store a note in the running transaction; arguments are those of `add_note`."""
    connection.execute(
        insert(CaseNoteRow)
        .values(tenant_id=tenant_id, case_number=number, text=text, actor=actor.name)
        .inline()
    )


def read_notes(connection: Connection, tenant_id: int, number: int, limit: int) -> list[Note]:
    """Return the newest notes on a case, newest first.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose case it is.
        number: number of the case.
        limit: most notes.
    """
    statement = (
        select(CaseNoteRow.id, CaseNoteRow.text, CaseNoteRow.actor, CaseNoteRow.created_at)
        .where(CaseNoteRow.tenant_id == tenant_id, CaseNoteRow.case_number == number)
        .order_by(CaseNoteRow.id.desc())
        .limit(limit)
    )
    return [Note(*row) for row in connection.execute(statement)]
