"""`sentinel journal`: what was decided while Postgres was away, and is not in it yet."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import click

from persistence.engine import open_database
from persistence.journal import files
from persistence.journal.drainer import Drainer
from persistence.journal.inspection import FolderState, folder_states, verify
from persistence.journal.journal import Journal
from persistence.journal.quarantine import try_again
from persistence.tenancy import SERVICE_ROLE
from scoring.errors import StoreUnavailable
from sentinel.local.database_url import database_url
from sentinel.settings import Settings

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_TRY_AGAIN_S = 1.0
_TRIES = 5


@click.group("journal")
def journal_group() -> None:
    """Look at the journals of this machine, drain them into Postgres, and verify them.

    The folder is SENTINEL_JOURNAL_DIR (unset: journal under SENTINEL_HOME). A process of the
    service drains its own journal and those of processes that have ended; run these commands where
    the folder is, such as in the pod.
    """


@journal_group.command("status")
@_JSON
def status(as_json: bool) -> None:
    """Show each process's journal: decisions that wait, size, oldest decision, quarantine."""
    states = folder_states(Settings().journal_path)
    if as_json:
        click.echo(json.dumps([_document(state) for state in states], indent=2))
        return
    for state in states:
        click.echo("\t".join(_cells(state)))
    waiting = sum(state.decisions for state in states)
    click.echo(f"{waiting} decisions wait for Postgres.")


@journal_group.command("verify")
@_JSON
def verify_journals(as_json: bool) -> None:
    """Read every record and name what is damaged; ends with 1 where a decision may be lost."""
    decisions, problems = verify(Settings().journal_path)
    lost = [problem for problem in problems if problem.is_loss]
    if as_json:
        found = [
            {
                "segment": str(problem.path),
                "start": problem.start,
                "end": problem.end,
                "reason": problem.reason,
                "is_loss": problem.is_loss,
            }
            for problem in problems
        ]
        click.echo(json.dumps({"decisions": decisions, "problems": found}, indent=2))
    else:
        for problem in problems:
            where = f"{problem.path} bytes {problem.start} to {problem.end}"
            click.echo(f"{where}: {problem.reason}")
        click.echo(f"{decisions} decisions are whole, {len(lost)} records are damaged.")
    if lost:
        raise SystemExit(1)


@journal_group.command("drain")
@click.option(
    "--quarantined",
    is_flag=True,
    help="Also try the records again that Postgres refused, and remove those that it takes.",
)
def drain(quarantined: bool) -> None:
    """Store in Postgres what processes have journalled that do not run any more.

    A running process drains its own journal. Repeating it is safe: each decision is stored once.
    Ends with 1 while something is left.
    """
    settings = Settings()
    root = settings.journal_path
    in_use = [path for path in files.folders(root) if files.is_locked(path)]
    for path in in_use:
        click.echo(f"{path} is in use: its process drains it.")
    journal = Journal(root, settings.journal_max_bytes)
    left = False
    try:
        with database_url(settings) as url:
            engine = open_database(url, role=SERVICE_ROLE, pool_size=1)
            try:
                drainer = Drainer(engine, journal)
                _drain_all(drainer)
                counts = ", ".join(f"{n} {what}" for what, n in sorted(drainer.outcomes.items()))
                click.echo(f"Drained: {counts or 'nothing to do'}.")
                if quarantined:
                    for tried in try_again(root, drainer.store_record):
                        click.echo(f"{tried.path.name}: {tried.fault or 'stored'}")
                    drainer.try_kept_again()
                if journal.waiting:
                    left = True
                    click.echo(
                        f"{journal.waiting} decisions stay in the journal, since Postgres does not"
                        " take them and the quarantine is full or cannot be written."
                    )
            finally:
                engine.dispose()
    finally:
        journal.close()
    aside = sum(len(files.quarantined(path)) for path in files.folders(root))
    if aside:
        left = True
        click.echo(f"{aside} records are in quarantine, each with its reason.")
    if left:
        raise SystemExit(1)


def _drain_all(drainer: Drainer) -> None:
    """Drain until nothing is left; a key in flight is tried again some times."""
    tries = 0
    while True:
        try:
            if not drainer.drain_part():
                return
        except StoreUnavailable:
            tries += 1
            if tries == _TRIES:
                raise
            time.sleep(_TRY_AGAIN_S)


def _cells(state: FolderState) -> list[str]:
    return [
        str(state.path),
        "in use" if state.is_in_use else "left",
        f"{state.decisions} decisions",
        f"{state.bytes} bytes",
        f"oldest {state.oldest_at.isoformat(timespec='seconds')}" if state.oldest_at else "empty",
        f"{state.quarantined} quarantined",
    ]


def _document(state: FolderState) -> dict[str, object]:
    oldest = state.oldest_at
    return {
        "folder": str(state.path),
        "in_use": state.is_in_use,
        "segments": state.segments,
        "bytes": state.bytes,
        "decisions": state.decisions,
        "oldest_at": oldest and oldest.isoformat(),
        "oldest_age_seconds": oldest and (datetime.now(UTC) - oldest).total_seconds(),
        "quarantined": state.quarantined,
    }
