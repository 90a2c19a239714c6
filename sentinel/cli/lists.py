"""`sentinel lists`: entities to block, to trust, or for rules to read."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import get_args

import click

from persistence.engine import OPERATOR_TIMEOUT_S
from persistence.rules.checking import check_list
from persistence.rules.entries import StoredEntry, add_entries, read_entries, remove_entries
from persistence.rules.lists import StoredList, create_list, remove_list, stored_lists
from persistence.tenancy import tenant_transaction
from persistence.tenants import find_tenant
from scoring.counted import counted
from scoring.event_type.limits import NAME_RULE, is_event_type_name
from scoring.lists.entity_list import EntityList, ListAction
from scoring.lists.entry_rows import EntryDefaults, NewEntry, entity_fault, reason_fault
from scoring.printable import printable
from sentinel.cli.connection import actor, connected_database
from sentinel.cli.moments import later_time
from sentinel.cli.named_files import named_file
from sentinel.cli.row_progress import report_rejects, row_progress
from sentinel.operations.list_import import add_file, remove_file
from sentinel.operations.rejected_rows import rejects_path
from sentinel.sentences import shown

_PAGE = 1000
"""Entries that are read at once."""
_TIME = "%Y-%m-%d %H:%M:%S%z"
_DONE = {"approve": "approved", "decline": "declined"}

_TENANT = click.option("--tenant", required=True, metavar="SLUG", help="Tenant whose list it is.")


@click.group("lists")
def lists_group() -> None:
    """Keep lists of entities: blocked and trusted ones, and others that rules read."""


@lists_group.command("create")
@click.argument("name")
@_TENANT
@click.option("--entity", required=True, help="Kind of entity of its entries, such as customer.")
@click.option(
    "--action",
    type=click.Choice(get_args(ListAction)),
    help="Outcome of a payment with an entity of the list.  [default: none, only rules read it]",
)
@click.option(
    "--field",
    "fields",
    multiple=True,
    help="A field that is looked up for the action; may be repeated."
    "  [default: every field of the entity]",
)
def create(
    name: str, tenant: str, entity: str, action: ListAction | None, fields: tuple[str, ...]
) -> None:
    """Make the list NAME, without entries; it never changes but for these."""
    if not is_event_type_name(name):
        raise click.BadParameter(f"{name!r} {NAME_RULE}.", param_hint="'NAME'")
    with connected_database() as (engine, _):
        owner = find_tenant(engine, tenant)
        who = actor()
        with tenant_transaction(engine, owner.id, actor=who) as connection:
            check_list(connection, owner.id, entity, action, fields or None)
            made = create_list(
                connection,
                owner.id,
                name=name,
                entity=entity,
                action=action,
                fields=fields or None,
                actor=who,
            )
    click.echo(f"List {name} is in force for tenant {owner.slug}: {_effect(made.list)}.")


@lists_group.command("list")
@_TENANT
def list_lists(tenant: str) -> None:
    """List a tenant's lists by name: entity, action, fields, entries, who made it and when."""
    with connected_database(OPERATOR_TIMEOUT_S) as (engine, _):
        owner = find_tenant(engine, tenant)
        with tenant_transaction(engine, owner.id) as connection:
            stored = stored_lists(connection, owner.id)
    for one in stored:
        click.echo(_list_line(one))


@lists_group.command("show")
@click.argument("name")
@_TENANT
@click.option("--value", help="Print the entry of this entity only; exit status 1 without one.")
def show(name: str, tenant: str, value: str | None) -> None:
    """Print the entries of the list NAME, the newest first.

    A line has the entry's id, as decisions name it, its value, when it ends, its reason, who added
    it and when.
    """
    with connected_database(OPERATOR_TIMEOUT_S) as (engine, _):
        owner = find_tenant(engine, tenant)
        before = None
        while True:
            # One page a transaction: whoever reads the output may take their time.
            with tenant_transaction(engine, owner.id) as connection:
                page = read_entries(
                    connection, owner.id, name, value=value, limit=_PAGE, before=before
                )
            if value is not None and not page.entries:
                raise click.ClickException(f"{printable(value)} is not in the list {name}.")
            for entry in page.entries:
                click.echo(_entry_line(entry))
            before = page.next
            if before is None:
                break


@lists_group.command("add")
@click.argument("name")
@click.argument("file_or_value", metavar="FILE|VALUE")
@_TENANT
@click.option(
    "--reason",
    help="Why; of a file: why, in rows without a reason. Needed unless FILE has the column reason.",
)
@click.option(
    "--expires",
    "expires_at",
    metavar="TIME",
    callback=later_time,
    help="From then on it does not count (ISO 8601; without an offset: UTC); of a file: in rows"
    " without expires_at.  [default: it stays]",
)
def add(
    name: str, file_or_value: str, tenant: str, reason: str | None, expires_at: datetime | None
) -> None:
    """Put VALUE, or the entities of FILE, into the list NAME, within a second in every process.

    FILE is CSV (with commas, semicolons or tabs) or Parquet with the columns value and, where
    wanted, reason and expires_at, with an offset; or it has one column, with a header or without.
    What names a file is a file, not a value.

    An entity that is in the list already gets the new reason and expiry. The valid rows of a file
    are one change: they are stored together or not at all. Those that are not valid go to
    FILE.rejected.csv with the fault; exit status 1 if there are any.
    """
    if reason is not None and (fault := reason_fault(reason)) is not None:
        raise click.BadParameter(f"{fault}.", param_hint="'--reason'")
    file = named_file(file_or_value, "FILE")
    if file is not None:
        _add_file(name, file, tenant, EntryDefaults(reason, expires_at))
        return
    if reason is None:
        raise click.MissingParameter(param_type="option", param_hint="'--reason'")
    entry = NewEntry(_entity(file_or_value), reason, expires_at)
    with connected_database() as (engine, _):
        owner = find_tenant(engine, tenant)
        who = actor()
        with tenant_transaction(engine, owner.id, actor=who) as connection:
            added, replaced = add_entries(connection, owner.id, name, [entry], who)
    click.echo(_added(name, added, replaced))


@lists_group.command("remove")
@click.argument("name")
@click.argument("value_or_file", metavar="VALUE|FILE")
@_TENANT
def remove(name: str, value_or_file: str, tenant: str) -> None:
    """Take VALUE, or the entities of FILE, out of the list NAME.

    FILE is as for `add`, and only its column value counts. Stored decisions still name the entries.
    """
    file = named_file(value_or_file, "FILE")
    if file is not None:
        _remove_file(name, file, tenant)
        return
    value = _entity(value_or_file)
    with connected_database() as (engine, _):
        owner = find_tenant(engine, tenant)
        with tenant_transaction(engine, owner.id, actor=actor()) as connection:
            removed, unknown = remove_entries(connection, owner.id, name, [value])
    click.echo(_removed(name, removed, unknown))


@lists_group.command("drop")
@click.argument("name")
@_TENANT
def drop(name: str, tenant: str) -> None:
    """Take the list NAME and its entries out of force; refused while a rule reads it."""
    with connected_database(OPERATOR_TIMEOUT_S) as (engine, _):
        owner = find_tenant(engine, tenant)
        with tenant_transaction(engine, owner.id, actor=actor()) as connection:
            remove_list(connection, owner.id, name)
    click.echo(f"List {name} is no longer in force for tenant {owner.slug}.")


def _add_file(name: str, file: Path, tenant: str, defaults: EntryDefaults) -> None:
    with connected_database(OPERATOR_TIMEOUT_S) as (engine, _):
        owner = find_tenant(engine, tenant)
        with row_progress("Adding") as progress:
            done = add_file(
                engine, owner.id, name, file, defaults, actor(), note=click.echo, progress=progress
            )
    click.echo(_added(name, done.changed, done.others))
    report_rejects(done.rows, done.rejected, shown(rejects_path(file)))


def _remove_file(name: str, file: Path, tenant: str) -> None:
    with connected_database(OPERATOR_TIMEOUT_S) as (engine, _):
        owner = find_tenant(engine, tenant)
        with row_progress("Removing") as progress:
            done = remove_file(
                engine, owner.id, name, file, actor(), note=click.echo, progress=progress
            )
    click.echo(_removed(name, done.changed, done.others))
    report_rejects(done.rows, done.rejected, shown(rejects_path(file)))


def _entity(value: str) -> str:
    if (fault := entity_fault(value)) is not None:
        raise click.BadParameter(f"{printable(value)!r} {fault}.", param_hint="'VALUE'")
    return value


def _effect(one: EntityList) -> str:
    """Return what a list does."""
    if one.action is None:
        return f"rules read it with in_list('{one.name}', FIELD)"
    where = f" in {' or '.join(one.fields)}" if one.fields else ""
    return f"a payment with a listed {one.entity}{where} is {_DONE[one.action]}"


def _list_line(stored: StoredList) -> str:
    one = stored.list
    fields = "every field" if one.fields is None else ",".join(map(printable, one.fields))
    return "\t".join(
        (
            one.name,
            one.entity,
            one.action or "no action",
            fields if one.action else "rules only",
            counted(stored.entries, "entry", "entries"),
            printable(stored.actor),
            f"{stored.created_at:{_TIME}}",
        )
    )


def _entry_line(entry: StoredEntry) -> str:
    ends = f"ends {entry.expires_at:{_TIME}}" if entry.expires_at else "stays"
    return "\t".join(
        (
            str(entry.id),
            printable(entry.value),
            ends,
            printable(entry.reason),
            printable(entry.actor),
            f"{entry.created_at:{_TIME}}",
        )
    )


def _added(name: str, added: int, replaced: int) -> str:
    return (
        f"Added {counted(added, 'entry', 'entries')} to {name}; "
        f"{counted(replaced, 'replaced an earlier one', 'replaced earlier ones')}."
    )


def _removed(name: str, removed: int, unknown: int) -> str:
    return (
        f"Removed {counted(removed, 'entry', 'entries')} from {name}; "
        f"{counted(unknown, 'value was', 'values were')} not in it."
    )
