"""What sealing costs: rows a second of sealing and verifying, and what payments notice of it.

    python -m benchmarks.sealing --rows 50000 --blocks 12

First `--rows` stored decisions are sealed and verified. Then single decisions are stored in pairs
of blocks, while `sentinel seal run` works and while it is stopped (SIGSTOP), in turn; the order
alternates. A ratio is of the two blocks of a pair. CPU time is the figure to trust on a machine
with other work; the sealer's own CPU time is beside it, with that of Postgres for it.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time, sleep
from typing import NamedTuple

import click
import psutil
from sqlalchemy import Engine, text

from benchmarks.load.cpu import Meter
from benchmarks.store.data import load, sample
from persistence.decisions.writer import DecisionLog
from persistence.engine import OPERATOR_TIMEOUT_S, open_database
from persistence.maintenance import migrate
from persistence.sealing.head_files import HeadFiles
from persistence.sealing.notes import Signer, Verifier
from persistence.sealing.sealer import Sealer
from persistence.sealing.verifying import logs, verify
from persistence.tenancy import SERVICE_ROLE
from persistence.uuid7 import new_ids
from sentinel.errors import Command
from sentinel.local.postgres.embedded import EmbeddedPostgres


class Block(NamedTuple):
    """A block of single decisions, each figure a decision.

    Attributes:
        cpu_us: CPU time of the process that decides.
        wall_us: time until the decision is stored.
    """

    cpu_us: float
    wall_us: float


@click.command(cls=Command)
@click.option("--rows", default=50_000, show_default=True, type=click.IntRange(min=1000))
@click.option("--blocks", default=12, show_default=True, type=click.IntRange(min=2))
@click.option("--size", default=300, show_default=True, type=click.IntRange(min=10))
def main(rows: int, blocks: int, size: int) -> None:
    """Print what sealing costs, and how much dearer a decision is beside it."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder)) as url:
        home = Path(folder)
        migrate.upgrade(url)
        owner = open_database(url, pool_size=3, statement_timeout_s=OPERATOR_TIMEOUT_S)
        load(owner, rows, lambda _rows: None)
        signer, kept = Signer.generate("benchmark.example")
        files = HeadFiles(home / "heads")
        sealing_us = _throughput(owner, home, signer, files)
        key = home / "seal.key"
        key.write_text(kept)
        environment = os.environ | {
            "DATABASE_URL": url,
            "SENTINEL_SEAL_KEY": str(key),
            "SENTINEL_SEAL_HEADS": str(files.root),
        }
        command = [sys.executable, "-m", "sentinel", "seal", "run"]
        with subprocess.Popen(command, env=environment) as process:  # noqa: S603 - this program
            sleep(15)  # its imports, and the first pass over all rows
            try:
                _pairs(owner, url, process.pid, blocks, size, sealing_us)
            finally:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        owner.dispose()


def _throughput(engine: Engine, home: Path, signer: Signer, files: HeadFiles) -> float:
    """Print the rates of sealing and verifying; return the CPU time of sealing a row, µs."""
    meter = Meter(os.getpid(), home)
    sealer = Sealer(engine, signer, files, lambda _seconds: None)

    def timed(name: str, work: Callable[[], int | None]) -> float:
        begun, own, before = perf_counter(), process_time(), meter.usage()
        rows = work() or 0
        wall, own, after = perf_counter() - begun, process_time() - own, meter.usage()
        postgres = after.postgres_s - before.postgres_s
        if not rows:
            click.echo(f"{name}: {wall:.2f} s, {own:.2f} s of CPU, {postgres:.2f} of Postgres")
            return 0.0
        click.echo(
            f"{name}: {rows / wall:,.0f} rows/s; a row {own / rows * 1e6:.0f} µs of CPU and"
            f" {postgres / rows * 1e6:.0f} of Postgres"
        )
        return float(own + postgres) / rows * 1e6

    sealing_us = timed("sealing", lambda: sealer.run(full=True))
    with engine.connect() as connection:
        size = connection.execute(
            text(
                "SELECT (pg_total_relation_size('seal_leaves')"
                " + pg_total_relation_size('seal_nodes')) / (SELECT count(*) FROM seal_leaves)"
            )
        ).scalar_one()
    click.echo(f"the sealed log takes {size} bytes a row")
    timed("a full pass that finds nothing", lambda: sealer.run(full=True))
    verifier = Verifier(signer.verifier)

    def verified() -> int:
        found = logs(engine, files).items()
        verdicts = [verify(engine, slug, id_, files, verifier) for slug, id_ in found]
        for verdict in verdicts:
            if verdict.count:
                raise click.ClickException(f"{verdict.tenant}: {verdict.problems[0]}")
        return sum(verdict.rows for verdict in verdicts)

    timed("verifying", verified)
    rss_mb = psutil.Process().memory_info().rss / 1e6
    click.echo(f"memory of this process afterwards: {rss_mb:.0f} MB")
    return sealing_us


def _pairs(owner: Engine, url: str, sealer: int, blocks: int, size: int, sealing_us: float) -> None:
    engine = open_database(url, role=SERVICE_ROLE)
    log = DecisionLog(engine)
    stored = sample(owner, 1)[0]
    template = stored._replace(transaction=replace(stored.transaction, external_id=None))

    def block(is_sealing: bool) -> Block:
        os.kill(sealer, signal.SIGCONT if is_sealing else signal.SIGSTOP)
        own, begun = process_time(), perf_counter()
        for transaction_id, prediction_id in new_ids(size):
            decided = template._replace(transaction_id=transaction_id, prediction_id=prediction_id)
            log.write([decided])
        return Block((process_time() - own) / size * 1e6, (perf_counter() - begun) / size * 1e6)

    def sealed() -> int:
        with owner.connect() as connection:
            count = text("SELECT count(*) FROM seal_leaves WHERE kind = 'decision'")
            return int(connection.execute(count).scalar_one())

    block(is_sealing=True)
    pairs = []
    before = sealed()
    for number in range(blocks):
        order = (True, False) if number % 2 else (False, True)
        found = {is_sealing: block(is_sealing) for is_sealing in order}
        pairs.append((found[False], found[True]))
    click.echo(f"{sealed() - before} of {2 * blocks * size} decisions were sealed meanwhile")
    for name in Block._fields:
        ratios = [getattr(on, name) / getattr(off, name) for off, on in pairs]
        off = statistics.median(getattr(pair[0], name) for pair in pairs)
        on = statistics.median(getattr(pair[1], name) for pair in pairs)
        click.echo(
            f"a stored decision, {name}: {off:.0f} without, {on:.0f} beside sealing; median of"
            f" {blocks} ratios {statistics.median(ratios):.3f}"
            f" ({min(ratios):.2f} to {max(ratios):.2f})"
        )
    click.echo(f"sealing it takes {sealing_us:.0f} µs of CPU elsewhere, Postgres included")
    engine.dispose()


if __name__ == "__main__":
    main()
