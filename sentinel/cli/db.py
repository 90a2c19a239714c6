"""`sentinel db`: upgrade the schema, maintain the partitions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click

from persistence.engine import OPERATOR_TIMEOUT_S
from persistence.maintenance import maintenance, migrate
from persistence.maintenance.errors import PauseTooShort
from persistence.maintenance.pause import PAUSE_S
from persistence.monitoring.job_runs import Job, record_job
from sentinel.cli.connection import actor, connected_database
from sentinel.local.database_url import database_url
from sentinel.settings import Settings


@contextmanager
def _pause_hint() -> Iterator[None]:
    """Add the option `--pause` to the message of a PauseTooShort.

    Raises:
        click.ClickException: in place of a PauseTooShort.
    """
    try:
        yield
    except PauseTooShort as error:
        raise click.ClickException(
            f"{str(error).rstrip('.')}; set a longer --pause, at a time with few payments."
        ) from error


@click.group("db")
def db_group() -> None:
    """Upgrade the database's schema, and keep its partitions."""


@db_group.command("upgrade")
def upgrade() -> None:
    """Bring the database to this release's schema, and make the partitions of the coming months.

    Safe to repeat: nothing that is stored is deleted.
    """
    with _pause_hint(), database_url(Settings()) as url:
        revision = migrate.upgrade(url)
    click.echo(f"The database is at revision {revision}.")


@db_group.command("maintain")
@click.option(
    "--retain-months",
    type=click.IntRange(min=1),
    help="Keep this many whole months before this one, and drop older decisions with their"
    " idempotency keys, feedback and labels.  [default: keep everything]",
)
@click.option(
    "--retain-access-months",
    type=click.IntRange(min=1),
    help="Keep this many whole months of the access log before this one, and drop older ones."
    "  [default: keep everything]",
)
@click.option(
    "--retain-upload-days",
    type=click.IntRange(min=1),
    default=maintenance.UPLOAD_DAYS,
    show_default=True,
    help="Keep the files of an upload for this many days after it ended, and remove them then; the"
    " upload and its decisions stay.",
)
@click.option(
    "--pause",
    type=click.FloatRange(min=0, min_open=True),
    default=PAUSE_S,
    show_default=True,
    help="Seconds that scoring may have to wait at a time.",
)
@click.option("--dry-run", is_flag=True, help="Only print what would be done.")
def maintain(
    retain_months: int | None,
    retain_access_months: int | None,
    retain_upload_days: int,
    pause: float,
    dry_run: bool,
) -> None:
    """Make the partitions of the coming months, and drop those past their retention.

    Past events of entities are deleted once no window can see them any more.

    Run it every day; an alert fires when it is late. The service continues to score meanwhile.
    """
    with _pause_hint(), connected_database(OPERATOR_TIMEOUT_S) as (engine, _):
        maintenance.maintain(
            engine,
            datetime.now(UTC),
            retain_months=retain_months,
            retain_access_months=retain_access_months,
            retain_upload_days=retain_upload_days,
            pause_s=pause,
            dry_run=dry_run,
            report=click.echo,
            actor=actor(),
        )
        if not dry_run:
            record_job(engine, "maintenance")


_BACKUPS: dict[str, Job] = {"dump": "backup_dump", "base": "backup_base"}


@db_group.command("backed-up")
@click.argument("kind", type=click.Choice(sorted(_BACKUPS)))
def backed_up(kind: str) -> None:
    """Record that a backup of this KIND has just been taken: a dump, or a base backup.

    Run it as the last command of the job that takes the backup and checks it. An alert fires when
    the last backup of a kind is older than 26 hours, or when none was ever recorded.
    """
    with connected_database() as (engine, _):
        record_job(engine, _BACKUPS[kind])
    click.echo("Recorded.")
