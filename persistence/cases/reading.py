"""Read a case with its events, entities and notes: a page of it, or the whole for its file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, func, select, true

from persistence.access_log import CASE_EXPORTED, CASE_READ, case_object, log_access
from persistence.actor import Actor
from persistence.cases.evidence import Evidence, read_evidence
from persistence.cases.facts import CaseFacts, read_facts
from persistence.cases.links import MAX_ENTITIES, MAX_EVENTS
from persistence.cases.notes import Note, read_notes
from persistence.review.cases import Case, Page, cut, read_cases
from persistence.tables.cases import CaseEntityRow, CaseEventRow
from persistence.tables.decisions import TransactionRow
from persistence.tables.review import FeedbackRow
from persistence.tenancy import tenant_transaction

MAX_NOTES = 1000


@dataclass(frozen=True, slots=True)
class LinkedEvent:
    """An event of a case.

    Attributes:
        transaction_id: id of the transaction.
        actor: name of the person who linked it.
        created_at: time at which it was linked.
        case: transaction with its decision; None where retention has deleted it.
    """

    transaction_id: UUID
    actor: str
    created_at: datetime
    case: Case | None


@dataclass(frozen=True, slots=True)
class LinkedEntity:
    """An entity of a case.

    Attributes:
        entity: kind, such as `customer`.
        key: the entity, as events have it.
        actor: name of the person who linked it.
        created_at: time at which it was linked.
    """

    entity: str
    key: str
    actor: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Totals:
    """Figures of all events of a case.

    Attributes:
        events: number of events.
        amount: sum of the amounts of those that are stored.
        frauds: events whose latest verdict is fraud.
        undecided: events that have no verdict, or were escalated.
    """

    events: int
    amount: float
    frauds: int
    undecided: int


@dataclass(frozen=True, slots=True)
class CasePage:
    """What the page of a case shows.

    Attributes:
        facts: facts of the case.
        totals: figures of all its events.
        events: page of its events, the newest first.
        entities: its entities, by kind and key.
        notes: newest notes, and whether there are more.
    """

    facts: CaseFacts
    totals: Totals
    events: Page[LinkedEvent, UUID]
    entities: list[LinkedEntity]
    notes: Page[Note, int]


@dataclass(frozen=True, slots=True)
class CaseFile:
    """The whole case.

    Attributes:
        facts: facts of the case.
        totals: figures of all its events.
        events: its events, the newest first.
        entities: its entities, by kind and key.
        notes: its notes, the newest first, at most MAX_NOTES.
        evidence: feedback and labels of the events, and the names of rules and lists.
    """

    facts: CaseFacts
    totals: Totals
    events: list[LinkedEvent]
    entities: list[LinkedEntity]
    notes: list[Note]
    evidence: Evidence


def read_case_page(
    engine: Engine,
    tenant_id: int,
    number: int,
    *,
    events: int,
    notes: int,
    reader: Actor,
    after: UUID | None = None,
) -> CasePage:
    """Return what the page of a case shows.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose case it is.
        number: number of the case.
        events: most events of the page.
        notes: most notes.
        reader: person that the access log names.
        after: id of the last event of the page before.

    Raises:
        NotFound: the tenant has no such case.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        facts = read_facts(connection, tenant_id, number)
        log_access(connection, tenant_id, reader, CASE_READ, case_object(number))
        linked = _events(connection, tenant_id, number, events + 1, after)
        _, last_event = cut([one.transaction_id for one in linked], events)
        found = read_notes(connection, tenant_id, number, notes + 1)
        _, last_note = cut([one.id for one in found], notes)
        return CasePage(
            facts,
            _totals(connection, tenant_id, number),
            Page(linked[:events], last_event),
            _entities(connection, tenant_id, number),
            Page(found[:notes], last_note),
        )


def export_case(engine: Engine, tenant_id: int, number: int, *, reader: Actor) -> CaseFile:
    """Return the whole case, and log that it was exported.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose case it is.
        number: number of the case.
        reader: person that the access log names.

    Raises:
        NotFound: the tenant has no such case.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        facts = read_facts(connection, tenant_id, number)
        linked = _events(connection, tenant_id, number, MAX_EVENTS, None)
        details = {"version": facts.version, "events": len(linked)}
        log_access(connection, tenant_id, reader, CASE_EXPORTED, case_object(number), details)
        stored = [one.case for one in linked if one.case]
        return CaseFile(
            facts,
            _totals(connection, tenant_id, number),
            linked,
            _entities(connection, tenant_id, number),
            read_notes(connection, tenant_id, number, MAX_NOTES),
            read_evidence(connection, tenant_id, stored),
        )


def _events(
    connection: Connection, tenant_id: int, number: int, limit: int, after: UUID | None
) -> list[LinkedEvent]:
    row = CaseEventRow
    statement = (
        select(row.transaction_id, row.actor, row.created_at)
        .where(row.tenant_id == tenant_id, row.case_number == number)
        .order_by(row.transaction_id.desc())
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(row.transaction_id < after)
    links = connection.execute(statement).all()
    stored = read_cases(connection, tenant_id, [link.transaction_id for link in links])
    cases = {case.decided.transaction_id: case for case in stored}
    return [
        LinkedEvent(
            link.transaction_id, link.actor, link.created_at, cases.get(link.transaction_id)
        )
        for link in links
    ]


def _entities(connection: Connection, tenant_id: int, number: int) -> list[LinkedEntity]:
    row = CaseEntityRow
    statement = (
        select(row.entity, row.key, row.actor, row.created_at)
        .where(row.tenant_id == tenant_id, row.case_number == number)
        .order_by(row.entity, row.key)
        .limit(MAX_ENTITIES)
    )
    return [LinkedEntity(*found) for found in connection.execute(statement)]


def _totals(connection: Connection, tenant_id: int, number: int) -> Totals:
    # LIMIT 1 keeps each part a look-up by index.
    amount = (
        select(TransactionRow.amount)
        .where(
            TransactionRow.tenant_id == tenant_id, TransactionRow.id == CaseEventRow.transaction_id
        )
        .limit(1)
        .lateral("amount")
    )
    latest = (
        select(FeedbackRow.label)
        .where(
            FeedbackRow.tenant_id == tenant_id,
            FeedbackRow.transaction_id == CaseEventRow.transaction_id,
        )
        .order_by(FeedbackRow.id.desc())
        .limit(1)
        .lateral("latest")
    )
    is_settled = latest.c.label.in_(("confirmed_fraud", "false_positive"))
    statement = (
        select(
            func.count(),
            func.coalesce(func.sum(amount.c.amount), 0.0),
            func.count().filter(latest.c.label == "confirmed_fraud"),
            func.count().filter(is_settled.is_not(true())),
        )
        .select_from(CaseEventRow)
        .outerjoin(amount, true())
        .outerjoin(latest, true())
        .where(CaseEventRow.tenant_id == tenant_id, CaseEventRow.case_number == number)
    )
    return Totals(*connection.execute(statement).one())
