"""Events and entities of a case: link, remove, and the cases that have one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import Connection, Engine, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from persistence.actor import Actor
from persistence.cases.facts import CASE_COLUMNS, CaseFacts, lock_facts
from persistence.tables.cases import CaseEntityRow, CaseEventRow, CaseRow
from persistence.tables.decisions import IdempotencyKeyRow, PredictionRow, TransactionRow
from persistence.tenancy import tenant_transaction
from scoring.errors import FieldError, InvalidRequest

MAX_EVENTS = 500
MAX_ENTITIES = 100
MAX_AT_ONCE = 200
MAX_CASES = 50
"""Cases of one event or entity that are read, the newest."""


class CaseIsClosed(Exception):
    """A closed case takes notes only."""


def link_events(
    engine: Engine, tenant_id: int, number: int, given: Sequence[str], *, actor: Actor
) -> None:
    """Link events to an open case, all or none; those that it has already change nothing.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose case it is.
        number: number of the case.
        given: ids of events: of the transaction, of the prediction, or the external id.
        actor: person who links them.

    Raises:
        NotFound: the tenant has no such case.
        CaseIsClosed: the case is closed.
        InvalidRequest: an id stands for no event of the tenant, or the case would have more than
            MAX_EVENTS; names `transaction_id`.
    """
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        _lock_open(connection, tenant_id, number)
        if put_events(connection, tenant_id, number, given, actor):
            _touch(connection, tenant_id, number)


def unlink_event(
    engine: Engine, tenant_id: int, number: int, transaction_id: UUID, *, actor: Actor
) -> None:
    """Remove an event from an open case; one that it does not have changes nothing.

    Raises:
        NotFound: the tenant has no such case.
        CaseIsClosed: the case is closed.
    """
    statement = delete(CaseEventRow).where(
        CaseEventRow.tenant_id == tenant_id,
        CaseEventRow.case_number == number,
        CaseEventRow.transaction_id == transaction_id,
    )
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        _lock_open(connection, tenant_id, number)
        if connection.execute(statement).rowcount:
            _touch(connection, tenant_id, number)


def link_entity(
    engine: Engine, tenant_id: int, number: int, entity: str, key: str, *, actor: Actor
) -> None:
    """Link an entity to an open case; one that it has already changes nothing.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose case it is.
        number: number of the case.
        entity: kind of the entity, such as `customer`.
        key: the entity, as events have it.
        actor: person who links it.

    Raises:
        NotFound: the tenant has no such case.
        CaseIsClosed: the case is closed.
        InvalidRequest: the case has MAX_ENTITIES; names `key`.
    """
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        _lock_open(connection, tenant_id, number)
        if put_entity(connection, tenant_id, number, entity, key, actor):
            _touch(connection, tenant_id, number)


def unlink_entity(
    engine: Engine, tenant_id: int, number: int, entity: str, key: str, *, actor: Actor
) -> None:
    """Remove an entity from an open case; arguments and errors are those of `link_entity`."""
    statement = delete(CaseEntityRow).where(
        CaseEntityRow.tenant_id == tenant_id,
        CaseEntityRow.case_number == number,
        CaseEntityRow.entity == entity,
        CaseEntityRow.key == key,
    )
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        _lock_open(connection, tenant_id, number)
        if connection.execute(statement).rowcount:
            _touch(connection, tenant_id, number)


def cases_of_event(engine: Engine, tenant_id: int, transaction_id: UUID) -> list[CaseFacts]:
    """Return the newest MAX_CASES cases that have an event, open ones first."""
    linked = (CaseEventRow, CaseEventRow.transaction_id == transaction_id)
    return _cases_with(engine, tenant_id, *linked)


def cases_of_entity(engine: Engine, tenant_id: int, entity: str, key: str) -> list[CaseFacts]:
    """Return the newest MAX_CASES cases that have an entity, open ones first."""
    is_it = (CaseEntityRow.entity == entity) & (CaseEntityRow.key == key)
    return _cases_with(engine, tenant_id, CaseEntityRow, is_it)


def put_events(
    connection: Connection, tenant_id: int, number: int, given: Sequence[str], actor: Actor
) -> int:
    """Store links of events in the running transaction, and return how many are new.

    Arguments and errors are those of `link_events`.
    """
    found = find_ids(connection, tenant_id, given)
    if unknown := [one for one in given if one not in found]:
        raise _invalid("transaction_id", f"stands for no event here: {', '.join(unknown[:5])}")
    rows = [
        {
            "tenant_id": tenant_id,
            "case_number": number,
            "transaction_id": transaction_id,
            "actor": actor.name,
        }
        for transaction_id in sorted(set(found.values()))
    ]
    # RETURNING, because a rowcount of many rows may count those in conflict.
    statement = insert(CaseEventRow).values(rows).on_conflict_do_nothing()
    stored = connection.execute(statement.returning(CaseEventRow.transaction_id)).all()
    count = select(func.count()).where(
        CaseEventRow.tenant_id == tenant_id, CaseEventRow.case_number == number
    )
    if connection.execute(count).scalar_one() > MAX_EVENTS:
        raise _invalid("transaction_id", f"makes more than {MAX_EVENTS} events in the case")
    return len(stored)


def put_entity(
    connection: Connection, tenant_id: int, number: int, entity: str, key: str, actor: Actor
) -> int:
    """Store the link of an entity in the running transaction, and return how many are new."""
    row = {"tenant_id": tenant_id, "case_number": number, "entity": entity, "key": key}
    statement = insert(CaseEntityRow).values(**row, actor=actor.name).on_conflict_do_nothing()
    stored = connection.execute(statement.returning(CaseEntityRow.key)).all()
    count = select(func.count()).where(
        CaseEntityRow.tenant_id == tenant_id, CaseEntityRow.case_number == number
    )
    if connection.execute(count).scalar_one() > MAX_ENTITIES:
        raise _invalid("key", f"makes more than {MAX_ENTITIES} entities in the case")
    return len(stored)


def find_ids(connection: Connection, tenant_id: int, given: Sequence[str]) -> Mapping[str, UUID]:
    """Return the transactions that ids stand for, by id; those of no event are left out.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose events they are.
        given: ids of transactions or predictions, or external ids. An external id comes first: it
            may have the form of the others.
    """
    uuids = {one: parsed for one in given if (parsed := _uuid(one))}
    by_prediction = select(PredictionRow.id, PredictionRow.transaction_id).where(
        PredictionRow.tenant_id == tenant_id, PredictionRow.id.in_(uuids.values())
    )
    by_transaction = select(TransactionRow.id).where(
        TransactionRow.tenant_id == tenant_id, TransactionRow.id.in_(uuids.values())
    )
    by_key = (
        select(IdempotencyKeyRow.key, PredictionRow.transaction_id)
        .join(
            PredictionRow,
            (PredictionRow.tenant_id == IdempotencyKeyRow.tenant_id)
            & (PredictionRow.id == IdempotencyKeyRow.prediction_id),
        )
        .where(IdempotencyKeyRow.tenant_id == tenant_id, IdempotencyKeyRow.key.in_(given))
    )
    known: dict[UUID, UUID] = {}
    if uuids:
        known |= dict(connection.execute(by_prediction).tuples().all())
        known |= {one: one for one in connection.execute(by_transaction).scalars()}
    found = {one: known[parsed] for one, parsed in uuids.items() if parsed in known}
    return found | dict(connection.execute(by_key).tuples().all())


def _cases_with(
    engine: Engine, tenant_id: int, row: type[CaseEventRow | CaseEntityRow], is_it: object
) -> list[CaseFacts]:
    statement = (
        select(*CASE_COLUMNS)
        .join(row, (row.tenant_id == CaseRow.tenant_id) & (row.case_number == CaseRow.number))
        .where(row.tenant_id == tenant_id, is_it)  # type: ignore[arg-type]
        .order_by(CaseRow.status.desc(), CaseRow.number.desc())
        .limit(MAX_CASES)
    )
    with tenant_transaction(engine, tenant_id) as connection:
        return [CaseFacts(*found) for found in connection.execute(statement)]


def _lock_open(connection: Connection, tenant_id: int, number: int) -> None:
    if not lock_facts(connection, tenant_id, number).is_open:
        raise CaseIsClosed


def _touch(connection: Connection, tenant_id: int, number: int) -> None:
    """Give the case another version: who closes it must have seen its events and entities."""
    connection.execute(
        update(CaseRow)
        .where(CaseRow.tenant_id == tenant_id, CaseRow.number == number)
        .values(version=CaseRow.version + 1, updated_at=func.now())
    )


def _uuid(given: str) -> UUID | None:
    try:
        return UUID(given)
    except ValueError:
        return None


def _invalid(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{field} {message}.", errors=(FieldError(field, message),))
