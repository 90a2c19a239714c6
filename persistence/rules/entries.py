"""The entries of lists as they are stored: added and removed by the thousand, read by page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeVar

import orjson
from sqlalchemy import Connection, select, text

from persistence.actor import Actor
from persistence.review.cases import Page, cut
from persistence.rules.changes import next_change
from persistence.rules.lists import list_named
from persistence.tables.rules import ListEntryRow
from scoring.errors import FieldError, invalid_request
from scoring.lists.entry_rows import NewEntry
from scoring.lists.index import digest_of

MAX_ENTRIES = 1_000_000
"""Entries of all lists of a tenant; each process keeps 44 bytes of memory for one."""
PART = 20_000
"""Entries that one statement stores."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry in force, expired or not.

    Attributes:
        id: number that is unique in the tenant.
        value: the entity, as events have it.
        reason: sentence on why.
        actor: name of the API key or of the user.
        expires_at: time from which on it does not count; None: it stays.
        created_at: time at which it was added.
    """

    id: int
    value: str
    reason: str
    actor: str
    expires_at: datetime | None
    created_at: datetime


ENTRY_COLUMNS = (
    ListEntryRow.id,
    ListEntryRow.value,
    ListEntryRow.reason,
    ListEntryRow.actor,
    ListEntryRow.expires_at,
    ListEntryRow.created_at,
)

_INSERT = text(
    """
    INSERT INTO list_entries
        (tenant_id, list_id, value, digest, reason, actor, expires_at, added_change)
    SELECT :tenant_id, :list_id, value, decode(digest, 'hex'), reason, :actor, expires_at, :change
    FROM json_to_recordset(CAST(:entries AS json)) AS given (
        value text, digest text, reason text, expires_at timestamptz)
    ORDER BY digest
    """
)
_END = text(
    """
    UPDATE list_entries SET removed_change = :change
    WHERE tenant_id = :tenant_id AND list_id = :list_id AND removed_change IS NULL AND digest IN
        (SELECT decode(d, 'hex') FROM json_array_elements_text(CAST(:digests AS json)) AS d)
    RETURNING value
    """
)


def add_entries(
    connection: Connection, tenant_id: int, name: str, entries: Iterable[NewEntry], actor: Actor
) -> tuple[int, int]:
    """Put entities into a list in one change; one that is in it already is replaced.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor.
        tenant_id: tenant whose list it is.
        name: name of the list.
        entries: entries; of those with one value the last counts.
        actor: person or caller who adds them.

    Returns:
        Number of entries that were new, and of those that replaced another.

    Raises:
        NotFound: there is no such list.
        InvalidRequest: the list would have more than MAX_ENTRIES entries.
    """
    change = next_change(connection, tenant_id)
    found = list_named(connection, tenant_id, name)
    place = {"tenant_id": tenant_id, "list_id": found.id, "change": change}
    added = replaced = 0
    for part in _parts(entries):
        documents = {
            digest_of(entry.value).hex(): {
                "value": entry.value,
                "reason": entry.reason,
                "expires_at": entry.expires_at,
            }
            for entry in part
        }
        replaced += len(_end(connection, place, list(documents)))
        rows = [{**document, "digest": digest} for digest, document in documents.items()]
        stored = connection.execute(
            _INSERT, {**place, "actor": actor.name, "entries": orjson.dumps(rows).decode()}
        )
        added += stored.rowcount
    most = text("SELECT coalesce(sum(entries), 0) FROM list_counts WHERE tenant_id = :tenant_id")
    if connection.execute(most, place).scalar_one() > MAX_ENTRIES:
        message = f"are too many: all lists together have at most {MAX_ENTRIES:,} entries"
        raise invalid_request([FieldError("entries", message)])
    return added - replaced, replaced


def remove_entries(
    connection: Connection, tenant_id: int, name: str, values: Iterable[str]
) -> tuple[int, int]:
    """Take entities out of a list in one change.

    Args:
        connection: connection inside a `tenant_transaction` of whoever removes them.
        tenant_id: tenant whose list it is.
        name: name of the list.
        values: entities.

    Returns:
        Number of entries that were removed, and of values that were not in the list.

    Raises:
        NotFound: there is no such list.
    """
    change = next_change(connection, tenant_id)
    found = list_named(connection, tenant_id, name)
    place = {"tenant_id": tenant_id, "list_id": found.id, "change": change}
    removed = asked = 0
    for part in _parts(dict.fromkeys(values)):
        asked += len(part)
        removed += len(_end(connection, place, [digest_of(value).hex() for value in part]))
    return removed, asked - removed


def read_entries(
    connection: Connection,
    tenant_id: int,
    name: str,
    *,
    value: str | None = None,
    limit: int,
    before: int | None = None,
) -> Page[StoredEntry, int]:
    """Return a page of a list's entries in force, the newest first.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose list it is.
        name: name of the list.
        value: the only entity that is looked for; None for every one.
        limit: most entries of the page.
        before: id of the last entry of the page before; None for the first page.

    Raises:
        NotFound: there is no such list.
    """
    found = list_named(connection, tenant_id, name)
    statement = select(*ENTRY_COLUMNS).where(
        ListEntryRow.tenant_id == tenant_id,
        ListEntryRow.list_id == found.id,
        ListEntryRow.removed_change.is_(None),
    )
    if value is not None:
        statement = statement.where(ListEntryRow.digest == digest_of(value))
    if before is not None:
        statement = statement.where(ListEntryRow.id < before)
    newest_first = statement.order_by(ListEntryRow.id.desc()).limit(limit + 1)
    entries, last = cut([StoredEntry(*row) for row in connection.execute(newest_first)], limit)
    return Page(list(entries), last.id if last else None)


def _end(connection: Connection, place: Mapping[str, int], digests: Sequence[str]) -> list[str]:
    """Take entries out of force, and return their values."""
    parameters = {**place, "digests": orjson.dumps(digests).decode()}
    return list(connection.execute(_END, parameters).scalars())


def _parts(items: Iterable[Item]) -> Iterator[list[Item]]:
    remaining = iter(items)
    while part := list(islice(remaining, PART)):
        yield part
