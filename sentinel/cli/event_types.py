"""`sentinel event-types`: describe the payments that a tenant sends."""

from __future__ import annotations

from pathlib import Path

import click

from persistence.event_types import (
    StoredEventType,
    apply_event_type,
    current_event_type,
    list_event_types,
)
from persistence.tenancy import tenant_transaction
from persistence.tenants import find_tenant
from scoring.counted import counted
from scoring.errors import IncompatibleEventType
from scoring.event_type.compatibility import Change, changes
from scoring.event_type.fields import EventType
from scoring.transaction import PAYSIM
from sentinel.cli.connection import actor, connected_database
from sentinel.cli.training_packages import require_training
from sentinel.event_type_file import as_yaml, read_event_type
from sentinel.sentences import shown

_TENANT = click.option("--tenant", required=True, metavar="SLUG", help="Tenant that sends them.")
_FILE = click.argument("file", type=click.Path(path_type=Path))


@click.group("event-types")
def event_types_group() -> None:
    """Describe the payments that a tenant sends: its fields, their kinds and roles."""


@event_types_group.command("infer")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--label", required=True, help="The column that has the labels.")
@click.option(
    "--time",
    help="The column that has the time of each event.  [default: the most likely one]",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Write the draft to this file, which must not exist.  [default: print it]",
)
def infer_event_type(file: Path, label: str, time: str | None, output: Path | None) -> None:
    """Draft an event type from FILE, a CSV or Parquet file of labelled events.

    The draft is YAML. It has a comment wherever the file leaves something open, such as what a
    column of codes means: check each before you use it.
    """
    require_training()
    # Imported late: Arrow takes 0.3 s to load, and the service's image lacks these packages.
    from training.event_types.draft import write_draft
    from training.event_types.infer import infer

    if output is not None and output.exists():
        raise click.ClickException(f"{shown(output)} exists; name another file.")
    draft = infer(file, label, time)
    text = write_draft(draft)
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8")
    used = sum(not field.ignored for field in draft.event_type.fields)
    ignored = len(draft.event_type.fields) - used
    click.echo(f"Wrote {shown(output)}: {counted(used, 'field')}, and {ignored} ignored.")


@event_types_group.command("apply")
@_FILE
@_TENANT
@click.option(
    "--replace",
    is_flag=True,
    help="Allow a change with which earlier payments would no longer be valid.",
)
def apply(file: Path, tenant: str, replace: bool) -> None:
    """Put the event type of FILE (YAML or JSON) in force, within a second in every process.

    A change that would make valid payments invalid is refused; `diff` shows it first.
    """
    event_type = read_event_type(file)
    with connected_database() as (engine, _):
        found = find_tenant(engine, tenant)
        who = actor()
        try:
            with tenant_transaction(engine, found.id, actor=who) as connection:
                stored, changed = apply_event_type(
                    connection, found.id, event_type, who, replace=replace
                )
        except IncompatibleEventType as refusal:
            raise click.ClickException(
                f"{refusal} With --replace it is another event type from now on."
            ) from refusal
    _show_changes(changed)
    click.echo(f"{_named(stored)} is in force for tenant {found.slug}.")


@event_types_group.command("show")
@_TENANT
def show(tenant: str) -> None:
    """Print a tenant's event type as YAML, which `apply` reads."""
    with connected_database() as (engine, _):
        stored = current_event_type(engine, find_tenant(engine, tenant).id)
    if stored is None:
        click.echo("# PaySim's, which is built in: no event type was applied for this tenant.")
    click.echo(as_yaml(stored.event_type if stored else PAYSIM), nl=False)


@event_types_group.command("diff")
@_FILE
@_TENANT
def diff(file: Path, tenant: str) -> None:
    """Print what `apply` would change; exit status 1 if it would refuse a change."""
    event_type = read_event_type(file)
    with connected_database() as (engine, _):
        stored = current_event_type(engine, find_tenant(engine, tenant).id)
    if stored is None:
        click.echo("No event type was applied for this tenant; any may be.")
        return
    changed = changes(stored.event_type, event_type)
    _show_changes(changed)
    if not changed:
        click.echo(f"{_named(stored)} is the same.")
    if not all(change.is_compatible for change in changed):
        raise click.exceptions.Exit(1)


@event_types_group.command("list")
@click.option("--tenant", metavar="SLUG", required=True, help="Tenant whose versions are listed.")
def list_versions(tenant: str) -> None:
    """List the versions of a tenant's event type, the newest first."""
    with connected_database() as (engine, _):
        versions = list_event_types(engine, find_tenant(engine, tenant).id)
    if not versions:
        click.echo(f"{PAYSIM.name}\tbuilt in\t{_fields(PAYSIM)}")
    for stored in versions:
        when = f"{stored.created_at:%Y-%m-%d %H:%M:%S%z}"
        click.echo(f"{_named(stored)}\t{when}\t{stored.actor}\t{_fields(stored.event_type)}")


def _show_changes(changed: tuple[Change, ...]) -> None:
    for change in changed:
        click.echo(f"{'compatible' if change.is_compatible else 'INCOMPATIBLE'}: {change.sentence}")


def _named(stored: StoredEventType) -> str:
    return f"{stored.event_type.name} version {stored.version}"


def _fields(event_type: EventType) -> str:
    return counted(len(event_type.fields), "field")
