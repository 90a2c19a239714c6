"""Lists as they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from persistence.actor import Actor
from persistence.rules.changes import newest_change, next_change
from persistence.rules.in_force import LIST_COLUMNS, entity_list, lists_at, rules_at
from persistence.tables.rules import ListCountRow, ListEntryRow, ListRow
from scoring.errors import FieldError, InUse, NotFound, invalid_request
from scoring.lists.entity_list import EntityList, ListAction
from scoring.rules.condition import lists_named

MAX_LISTS = 200


@dataclass(frozen=True, slots=True)
class StoredList:
    """A list in force, and who made it.

    Attributes:
        list: list.
        entries: number of its entries, expired ones among them.
        actor: name of the API key or of the user.
        created_at: time at which it was made.
    """

    list: EntityList
    entries: int
    actor: str
    created_at: datetime


def create_list(
    connection: Connection,
    tenant_id: int,
    *,
    name: str,
    entity: str,
    action: ListAction | None,
    fields: tuple[str, ...] | None,
    actor: Actor,
) -> StoredList:
    """Store a list without entries.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor.
        tenant_id: tenant whose list it is.
        name: name that no other list in force has.
        entity: slug of what its entries identify.
        action: outcome of a payment with an entity of the list; None where only rules read it.
        fields: fields whose values are looked up for `action`; None for every one of the entity.
        actor: person or caller who makes it.

    Raises:
        InvalidRequest: another list has the name, or there are MAX_LISTS lists.
    """
    change = next_change(connection, tenant_id)
    others = lists_at(connection, tenant_id, change)
    if name in {other.name for other in others}:
        raise invalid_request([FieldError("name", "is the name of another list")])
    if len(others) >= MAX_LISTS:
        message = f"is one too many: there are {MAX_LISTS} lists, the most there can be"
        raise invalid_request([FieldError("name", message)])
    newest = select(func.coalesce(func.max(ListRow.id), 0) + 1).where(
        ListRow.tenant_id == tenant_id
    )
    statement = (
        insert(ListRow)
        .values(
            tenant_id=tenant_id,
            id=newest.scalar_subquery(),
            name=name,
            entity=entity,
            action=action,
            fields=None if fields is None else list(fields),
            actor=actor.name,
            added_change=change,
        )
        .returning(*LIST_COLUMNS, ListRow.actor, ListRow.created_at)
    )
    *one, made_by, created_at = connection.execute(statement).one()
    return StoredList(entity_list(*one), 0, made_by, created_at)


def remove_list(connection: Connection, tenant_id: int, name: str) -> None:
    """Take a list and its entries out of force.

    Args:
        connection: connection inside a `tenant_transaction` of whoever removes it.
        tenant_id: tenant whose list it is.
        name: name of the list.

    Raises:
        NotFound: there is no such list.
        InUse: a rule that is not off names it.
    """
    change = next_change(connection, tenant_id)
    found = list_named(connection, tenant_id, name)
    for stored in rules_at(connection, tenant_id, change):
        rule = stored.rule
        if rule.state != "off" and name in lists_named(rule.condition):
            raise InUse(
                f"Rule {rule.id} ({rule.name}) reads the list {name}; set it off or change its"
                " condition first."
            )
    for table in (ListEntryRow, ListRow):
        of_list = ListEntryRow.list_id if table is ListEntryRow else ListRow.id
        connection.execute(
            update(table)
            .where(
                table.tenant_id == tenant_id, of_list == found.id, table.removed_change.is_(None)
            )
            .values(removed_change=change)
        )


def list_named(connection: Connection, tenant_id: int, name: str) -> EntityList:
    """Return the list in force with a name.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose list it is.
        name: name of the list.

    Raises:
        NotFound: there is no such list.
    """
    for one in lists_at(connection, tenant_id, newest_change(connection, tenant_id)):
        if one.name == name:
            return one
    raise NotFound(f"There is no list {name!r}.")


def stored_lists(connection: Connection, tenant_id: int) -> list[StoredList]:
    """Return the lists in force with the number of their entries, by name.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose lists are read.
    """
    entries = (
        select(ListCountRow.entries)
        .where(ListCountRow.tenant_id == ListRow.tenant_id, ListCountRow.list_id == ListRow.id)
        .scalar_subquery()
    )
    statement = (
        select(*LIST_COLUMNS, func.coalesce(entries, 0), ListRow.actor, ListRow.created_at)
        .where(ListRow.tenant_id == tenant_id, ListRow.removed_change.is_(None))
        .order_by(ListRow.name)
    )
    return [
        StoredList(entity_list(*one), count, actor, created_at)
        for *one, count, actor, created_at in connection.execute(statement)
    ]
