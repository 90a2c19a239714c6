"""The replies of the lists routes."""

from __future__ import annotations

from api.lists.schemas import EntryOut, EntryPage, ListOut
from persistence.review.cases import Page
from persistence.rules.entries import StoredEntry
from persistence.rules.lists import StoredList


def list_out(stored: StoredList) -> ListOut:
    """Return the reply of a list."""
    one = stored.list
    return ListOut(
        id=one.id,
        name=one.name,
        entity=one.entity,
        action=one.action,
        fields=None if one.fields is None else list(one.fields),
        entries=stored.entries,
        actor=stored.actor,
        created_at=stored.created_at,
    )


def entry_page(page: Page[StoredEntry, int], next_cursor: str | None) -> EntryPage:
    """Return the reply of a page of entries."""
    return EntryPage(
        items=[
            EntryOut(
                id=entry.id,
                value=entry.value,
                reason=entry.reason,
                actor=entry.actor,
                expires_at=entry.expires_at,
                created_at=entry.created_at,
            )
            for entry in page.entries
        ],
        next_cursor=next_cursor,
    )
