"""`sentinel verify`: prove that nothing was changed since it was sealed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from persistence.engine import OPERATOR_TIMEOUT_S
from persistence.sealing.head_files import HeadFiles
from persistence.sealing.verdict import Problem, Verdict
from persistence.sealing.verifying import logs, verify
from scoring.counted import counted
from scoring.errors import UnknownTenant
from sentinel.cli.connection import connected_database
from sentinel.local.terminal import console
from sentinel.seal_key import chosen_verifier

_LINE_ROWS = 100_000


@click.command("verify")
@click.option("--tenant", help="The slug of the only tenant to verify.  [default: all]")
@click.option(
    "--heads",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the signed heads, best a copy that the operator of the database cannot"
    " write.  [default: SENTINEL_SEAL_HEADS]",
)
@click.option(
    "--public-key",
    help="The public key of the heads, or a file with it, as `sentinel seal init` printed it."
    "  [default: that of SENTINEL_SEAL_KEY]",
)
@click.option(
    "--retain-months",
    type=click.IntRange(min=1),
    help="Whole months that retention must have kept; a dropped month that was younger is a fault."
    "  [default: what each run of maintenance stated]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify_logs(
    tenant: str | None,
    heads: Path | None,
    public_key: str | None,
    retain_months: int | None,
    as_json: bool,
) -> None:
    """Prove that no sealed row was changed, deleted, moved or cut off, or name the first that was.

    It reads the database and the signed heads, and nothing else: every row is hashed again, every
    root computed, and compared with what the heads signed. Rows that retention deleted are counted
    as expired where a sealed statement says so. Ends with 1 where something is wrong.
    """
    with connected_database(OPERATOR_TIMEOUT_S) as (engine, settings):
        verifier = chosen_verifier(settings, public_key)
        files = HeadFiles(settings.seal_heads_path if heads is None else heads)
        found = logs(engine, files)
        if tenant is not None:
            if tenant not in found:
                raise UnknownTenant(tenant)
            found = {tenant: found[tenant]}
        verdicts = []
        for slug, tenant_id in found.items():
            shown: list[Problem] = []
            with _progress(slug, is_shown=not as_json) as progress:
                verdict = verify(
                    engine,
                    slug,
                    tenant_id,
                    files,
                    verifier,
                    least_months=retain_months,
                    progress=progress,
                    report=partial(_show_problem, slug, shown, is_shown=not as_json),
                )
            verdicts.append(verdict)
            if not as_json:
                _show(verdict, shown)
    if as_json:
        click.echo(json.dumps([_document(verdict) for verdict in verdicts], indent=2))
    elif not verdicts:
        click.echo("There are no heads and no sealed rows.")
    if not verdicts or any(verdict.count for verdict in verdicts):
        raise click.exceptions.Exit(1)


def _show_problem(slug: str, shown: list[Problem], problem: Problem, *, is_shown: bool) -> None:
    if is_shown:
        click.echo(f"{slug}: {problem.row} {problem.what} (leaf {problem.position}).")
        shown.append(problem)


def _show(verdict: Verdict, shown: list[Problem]) -> None:
    """Show the first problems that were found later than others behind them, and the sums."""
    for problem in verdict.problems:
        if problem not in shown:
            _show_problem(verdict.tenant, shown, problem, is_shown=True)
    if verdict.count > len(shown):
        click.echo(f"{verdict.tenant}: {verdict.count - len(shown)} more such.")
    at = f" of {verdict.head_at:%Y-%m-%d %H:%M:%S} UTC" if verdict.head_at else ""
    state = counted(verdict.count, "fault") if verdict.count else "whole"
    click.echo(
        f"{verdict.tenant}: {state}. {counted(verdict.rows, 'row')} as sealed,"
        f" {verdict.expired} expired; the newest head{at} has {verdict.head_size} leaves,"
        f" {verdict.unproven} are in none yet; {counted(verdict.waiting, 'row')} wait to be sealed."
    )


def _document(verdict: Verdict) -> dict[str, object]:
    return {
        "tenant": verdict.tenant,
        "rows": verdict.rows,
        "expired": verdict.expired,
        "waiting": verdict.waiting,
        "head_size": verdict.head_size,
        "head_at": verdict.head_at and verdict.head_at.isoformat(),
        "complete_at": verdict.complete_at and verdict.complete_at.isoformat(),
        "in_no_head": verdict.unproven,
        "faults": verdict.count,
        "first_faults": [
            {"leaf": problem.position, "row": problem.row, "what": problem.what}
            for problem in verdict.problems
        ],
    }


@contextmanager
def _progress(slug: str, *, is_shown: bool) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows how far the verification of a tenant has come."""
    if is_shown and console.is_terminal:
        with console.status(f"{slug} ...") as status:
            yield lambda rows, of: status.update(f"{slug}: {rows:,} of {of:,} leaves ...")
        return
    lines = 0

    def show(rows: int, of: int) -> None:
        nonlocal lines
        if is_shown and rows // _LINE_ROWS > lines:
            lines = rows // _LINE_ROWS
            click.echo(f"{slug}: {rows:,} of {of:,} leaves ...", err=True)

    yield show
