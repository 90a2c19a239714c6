"""`sentinel history`: import past events, from which windows are computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from persistence.engine import OPERATOR_TIMEOUT_S
from persistence.tenants import find_tenant
from scoring.counted import counted
from scoring.event_type.timestamps import EPOCH
from scoring.expressions.durations import parse_duration
from sentinel.cli.connection import actor, connected_database
from sentinel.cli.training_packages import require_training
from sentinel.local.terminal import console
from sentinel.operations.history_import import ImportedHistory, import_events
from sentinel.operations.rejected_rows import rejects_path
from sentinel.sentences import shown

_LINE_ENTRIES = 500_000
"""Entries between two lines of progress where the output is no terminal."""


def _duration(_context: click.Context, _option: click.Parameter, text: str) -> int:
    found = parse_duration(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not a duration such as 7d, 12h, 90m or 0d.")
    return found


def _moment(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int((moment - EPOCH).total_seconds() * 1_000_000)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{text!r} is not an ISO 8601 time.") from error


@click.group("history")
def history_group() -> None:
    """Import events of the time before the service: the past that windows see."""


@history_group.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tenant", required=True, metavar="SLUG", help="Tenant whose events they are.")
@click.option(
    "--label-delay",
    "label_delay_us",
    default="7d",
    show_default=True,
    metavar="DURATION",
    callback=_duration,
    help="Time from an event until its label is known, where FILE has labels.",
)
@click.option(
    "--until",
    "until_us",
    metavar="TIME",
    callback=_moment,
    help="Leave out the events from this time on (ISO 8601; without an offset: UTC), such as those"
    " that the service has scored.  [default: import all]",
)
def import_file(file: Path, tenant: str, label_delay_us: int, until_us: int | None) -> None:
    """Import the events of FILE, CSV or Parquet, by the tenant's event type.

    They become past events of their entities: windows of later events see them, and so do their
    labels from the time on at which they were known. They are not scored and not in any list.

    Safe to repeat: what is stored is not stored again, and gets the label that FILE has now. Rows
    that cannot be imported go to FILE.rejected.csv with the reason; exit status 1 if there are any.
    """
    require_training()
    with connected_database(OPERATOR_TIMEOUT_S) as (engine, _):
        owner = find_tenant(engine, tenant)
        with _progress() as progress:
            done = import_events(
                engine,
                owner,
                file,
                actor(),
                label_delay_us=label_delay_us,
                until_us=until_us,
                progress=progress,
            )
    click.echo(_summary(done))
    if done.rejected:
        total = done.rejected + done.events + done.later
        click.echo(
            f"Rejected {done.rejected:,} of {counted(total, 'row')}: {shown(rejects_path(file))}.",
            err=True,
        )
        raise click.exceptions.Exit(1)


def _summary(done: ImportedHistory) -> str:
    later = f"; left out {counted(done.later, 'later event')}" if done.later else ""
    stored = done.stored
    lines = [
        f"Imported {counted(done.events, 'event')}, {done.frauds:,} of them fraud{later}.",
        f"That makes {counted(done.entries, 'past event')} of {', '.join(done.entities)}: "
        f"{stored.new:,} new, {done.entries - stored.new:,} stored before.",
    ]
    changes = (
        (stored.new_frauds, "is a fraud now", "are frauds now"),
        (stored.withdrawn_frauds, "is no fraud any more", "are no frauds any more"),
        (stored.moved_frauds, "became known as a fraud", "became known as frauds"),
    )
    changed = [counted(*change) for change in changes if change[0]]
    if changed:
        at_another_time = " at another time" if stored.moved_frauds else ""
        lines.append(f"Of those stored before, {', '.join(changed)}{at_another_time}.")
    return "\n".join(lines)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows how many past events of entities are written, of how many."""
    if console.is_terminal:
        columns = (TextColumn("Importing"), BarColumn(), TaskProgressColumn())
        with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
            task = bar.add_task("", total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    lines = 0

    def show(done: int, total: int) -> None:
        nonlocal lines
        if done // _LINE_ENTRIES > lines:
            lines = done // _LINE_ENTRIES
            click.echo(f"{done:,} of {total:,} past events ...")

    yield show
