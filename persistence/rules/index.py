"""The entries in force, as the index by which a process finds an entity."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, Select, select, text

from persistence.rules.changes import in_force_at
from persistence.rules.in_force import unix_ms
from persistence.tables.rules import ListEntryRow
from scoring.lists.entity_list import ListEntry
from scoring.lists.index import NEVER_MS, ListIndex, digest_of

# Four values of bytes instead of a million rows: psycopg would make objects of each.
_RECORDS = text(
    f"""
    SELECT count(*), string_agg(digest, ''::bytea), string_agg(int4send(list_id), ''::bytea),
        string_agg(int8send(id), ''::bytea), string_agg(int8send(expires_ms), ''::bytea)
    FROM (
        SELECT digest, list_id, id, coalesce(
            floor(extract(epoch FROM expires_at) * 1000)::bigint, {NEVER_MS}) AS expires_ms
        FROM list_entries
        WHERE tenant_id = :tenant_id AND added_change <= :change
            AND (removed_change IS NULL OR removed_change > :change)
        ORDER BY digest
    ) AS ordered
    """  # noqa: S608 - a constant
)


class EntryChanges(NamedTuple):
    """The entries that came and went between two changes.

    Attributes:
        added: entries that are in force now and were not.
        removed: list and value of each entry that was in force and is not.
    """

    added: list[ListEntry]
    removed: list[tuple[int, str]]


def index_at(connection: Connection, tenant_id: int, change: int) -> ListIndex:
    """Return the index of every entry that is in force after a change.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose entries are read.
        change: number of the change.
    """
    count, digests, list_ids, ids, expires_ms = connection.execute(
        _RECORDS, {"tenant_id": tenant_id, "change": change}
    ).one()
    if not count:
        return ListIndex()
    return ListIndex().with_records(
        digests,
        np.frombuffer(list_ids, ">i4"),
        np.frombuffer(ids, ">i8"),
        np.frombuffer(expires_ms, ">i8"),
    )


def index_of(
    connection: Connection, tenant_id: int, change: int, values: Collection[str]
) -> ListIndex:
    """Return the index of the entries of some values that are in force after a change.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose entries are read.
        change: number of the change.
        values: entities that are looked for.
    """
    statement = _entries(tenant_id).where(
        ListEntryRow.digest.in_([digest_of(value) for value in values]),
        in_force_at(change, ListEntryRow.added_change, ListEntryRow.removed_change),
    )
    return ListIndex().with_changes(_read(connection, statement))


def entry_changes(
    connection: Connection, tenant_id: int, after: int, until: int, most: int
) -> EntryChanges | None:
    """Return what changed among the entries; None where that is more than `most` rows.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose entries are read.
        after: change that the reader knows.
        until: change up to which it asks.
        most: largest number of rows that are read of each kind.
    """
    added = _read(
        connection,
        _entries(tenant_id)
        .where(
            ListEntryRow.added_change > after,
            in_force_at(until, ListEntryRow.added_change, ListEntryRow.removed_change),
        )
        .limit(most + 1),
    )
    removed = [
        (entry.list_id, entry.value)
        for entry in _read(
            connection,
            _entries(tenant_id)
            .where(
                ListEntryRow.added_change <= after,
                ListEntryRow.removed_change > after,
                ListEntryRow.removed_change <= until,
            )
            .limit(most + 1),
        )
    ]
    if max(len(added), len(removed)) > most:
        return None
    return EntryChanges(added, removed)


def _entries(tenant_id: int) -> Select[Any]:
    return select(
        ListEntryRow.id,
        ListEntryRow.list_id,
        ListEntryRow.value,
        ListEntryRow.reason,
        ListEntryRow.actor,
        ListEntryRow.expires_at,
    ).where(ListEntryRow.tenant_id == tenant_id)


def _read(connection: Connection, statement: Select[Any]) -> list[ListEntry]:
    return [
        ListEntry(id_, list_id, value, reason, author, expires_at and unix_ms(expires_at))
        for id_, list_id, value, reason, author, expires_at in connection.execute(statement)
    ]
