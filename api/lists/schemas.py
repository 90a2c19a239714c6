"""Wire schemas of lists and their entries: the bodies and the replies."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.pagination import MAX_CURSOR_LENGTH
from api.written_parts import EntityValue, Moment, Reason
from scoring.event_type.limits import MAX_ENTITY_LENGTH, NAME_FORM, NAME_RULE
from scoring.lists.entity_list import ListAction
from web.schemas import Absent, Timestamp

MAX_ENTRIES_A_REQUEST = 1000
MAX_PAGE = 200

ListName = Annotated[str, Field(pattern=rf"^{NAME_FORM}$", description=f"{NAME_RULE}")]
Action = Annotated[
    ListAction | None,
    Field(
        description="outcome of a payment with an entity of the list; null: only rules read it, "
        "with `in_list('name', FIELD)`"
    ),
]
Fields = Annotated[
    list[str] | None,
    Field(
        min_length=1,
        max_length=500,
        description="fields whose values are looked up for `action`; null: every field of the "
        "entity",
    ),
]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ListIn(_Request):
    """A new list, without entries."""

    name: ListName
    entity: str = Field(min_length=1, max_length=40, description="kind of entity of its entries")
    action: Action = None
    fields: Fields = None


class EntryIn(_Request):
    """An entity that is put into a list."""

    value: EntityValue
    reason: Reason
    expires_at: Moment | None = Field(
        default=None,
        description="from then on it does not count: RFC 3339 with an offset, later than now; "
        "null: it stays",
    )


class EntriesIn(_Request):
    """Up to 1000 entries, stored together or not at all."""

    entries: list[EntryIn] = Field(min_length=1, max_length=MAX_ENTRIES_A_REQUEST)


class ValuesIn(_Request):
    """Up to 1000 entities that are taken out of a list."""

    values: list[EntityValue] = Field(min_length=1, max_length=MAX_ENTRIES_A_REQUEST)


class EntriesQuery(BaseModel):
    """Which entries of a list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: str | Absent = Field(
        default=None, max_length=MAX_ENTITY_LENGTH, description="only this entity"
    )
    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="entries a page")
    cursor: str | Absent = Field(
        default=None,
        max_length=MAX_CURSOR_LENGTH,
        description="`next_cursor` of the page before; `value` stays as it was",
    )


class ListOut(BaseModel):
    """A list in force."""

    id: int
    name: str
    entity: str
    action: Action
    fields: Fields
    entries: int = Field(description="number of its entries, expired ones among them")
    actor: str = Field(description="who made it")
    created_at: Timestamp


class ListsOut(BaseModel):
    """Every list in force, by name."""

    lists: list[ListOut]


class EntryOut(BaseModel):
    """An entry in force."""

    id: int = Field(description="as `decided_by` and `list_entries` of a decision name it")
    value: str
    reason: str
    actor: str = Field(description="who added it")
    expires_at: Timestamp | None = Field(description="from then on it does not count")
    created_at: Timestamp


class EntryPage(BaseModel):
    """A page of entries, the newest first."""

    items: list[EntryOut]
    next_cursor: str | None = Field(description="null on the last page")


class AddedOut(BaseModel):
    """What became of the entries."""

    added: int = Field(description="new ones")
    replaced: int = Field(description="ones whose entity was in the list already")


class RemovedOut(BaseModel):
    """What became of the entities."""

    removed: int
    unknown: int = Field(description="entities that were not in the list")


class RemovedListOut(BaseModel):
    """The list is out of force; decisions still name it."""

    removed: Literal[True]
