"""Read the audit log, which triggers write, and the access log, which readings write.

Triggers: migrations 0002 and 0006.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Engine, literal, select, tuple_

from persistence.review.cases import Page, cut
from persistence.tables.review import AccessRow, AuditRow
from persistence.tenancy import tenant_transaction
from persistence.uuid7 import first_id_at, unix_ms_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change, or one reading.

    Attributes:
        id: number of a change, which grows from one to the next; UUIDv7 of a reading.
        at: time of the change or the reading.
        actor: name of an API key, user of MLflow or of the operating system, `mlflow`, a part of
            the product, or a database user. Entries before revision 0006 have a key's prefix.
        action: kind of the row and of the change, such as `key.created`; or of the reading.
        before, after: columns of the changed row by name; None where there was no row.
        via: `key PREFIX`, `mlflow`, or a command; None where the actor is no person or caller, and
            in entries before revision 0006.
        object: what was changed or read, such as `transactions/018f...`; None for a search of no
            single case or account.
        details: filter and number of rows of a search; None for a change.
    """

    id: int | UUID
    at: datetime
    actor: str
    action: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    via: str | None
    object: str | None
    details: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What entries have to be of; None leaves a filter out.

    Attributes:
        action: action of the entry.
        actor: name of its actor.
        object: what was changed or read.
        since: first time.
        until: time after the last one.
    """

    action: str | None = None
    actor: str | None = None
    object: str | None = None
    since: datetime | None = None
    until: datetime | None = None


ALL = AuditFilter()


def read_changes(
    engine: Engine,
    tenant_id: int,
    wanted: AuditFilter = ALL,
    *,
    limit: int,
    before: tuple[datetime, int] | None = None,
) -> Page[AuditEntry, tuple[datetime, int]]:
    """Return a page of a tenant's changes, newest first.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose changes are read.
        wanted: filter of the changes.
        limit: most changes of the page.
        before: time and id of the last entry of the page before.
    """
    row = AuditRow
    statement = (
        select(row.id, row.at, row.actor, row.action, row.before, row.after, row.via, row.object)
        .where(row.tenant_id == tenant_id, *_conditions(row, wanted))
        .order_by(row.at.desc(), row.id.desc())
        .limit(limit + 1)
    )
    if wanted.since is not None:
        statement = statement.where(row.at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(row.at < wanted.until)
    if before is not None:
        last_at, last_id = before
        statement = statement.where(
            tuple_(row.at, row.id) < tuple_(literal(last_at), literal(last_id))
        )
    with tenant_transaction(engine, tenant_id) as connection:
        rows = connection.execute(statement).all()
    _, position = cut([(found.at, found.id) for found in rows], limit)
    return Page([AuditEntry(*found) for found in rows[:limit]], position)


def read_accesses(
    engine: Engine,
    tenant_id: int,
    wanted: AuditFilter = ALL,
    *,
    limit: int,
    before: UUID | None = None,
) -> Page[AuditEntry, UUID]:
    """Return a page of the readings of a tenant's cases and accounts, newest first.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose rows were read.
        wanted: filter of the readings.
        limit: most readings of the page.
        before: id of the last entry of the page before.
    """
    row = AccessRow
    statement = (
        select(row.id, row.actor, row.via, row.action, row.object, row.details)
        .where(row.tenant_id == tenant_id, *_conditions(row, wanted))
        .order_by(row.id.desc())
        .limit(limit + 1)
    )
    # An id has its time and partitions are ranges of ids, so these leave out whole months.
    if wanted.since is not None:
        statement = statement.where(row.id >= first_id_at(_unix_ms(wanted.since)))
    if wanted.until is not None:
        statement = statement.where(row.id < first_id_at(_unix_ms(wanted.until)))
    if before is not None:
        statement = statement.where(row.id < before)
    with tenant_transaction(engine, tenant_id) as connection:
        rows = connection.execute(statement).all()
    entries = [
        AuditEntry(
            id=found.id,
            at=datetime.fromtimestamp(unix_ms_of(found.id) / 1000, UTC),
            actor=found.actor,
            action=found.action,
            before=None,
            after=None,
            via=found.via,
            object=found.object,
            details=found.details,
        )
        for found in rows
    ]
    _, position = cut([found.id for found in rows], limit)
    return Page(entries[:limit], position)


def _conditions(
    row: type[AuditRow | AccessRow], wanted: AuditFilter
) -> Iterator[ColumnElement[bool]]:
    if wanted.action is not None:
        yield row.action == wanted.action
    if wanted.actor is not None:
        yield row.actor == wanted.actor
    if wanted.object is not None:
        yield row.object == wanted.object


def _unix_ms(moment: datetime) -> int:
    """Return the first millisecond, from 1970 on, that is not before a moment."""
    microseconds = (moment - _EPOCH) // timedelta(microseconds=1)
    return max(0, -(-microseconds // 1000))
