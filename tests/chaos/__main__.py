"""`make chaos`: faults against real processes while clients pay, and a check of every answer.

Postgres, MLflow and the service run as they do in production, Postgres behind a proxy. A seed
decides the schedule: the same seed always has the same faults at the same times; what they meet
differs with the machine. Every request and reply goes to history.jsonl, what is stored in the end
to tables.json; the checker reads both and nothing else. Exit 1: something was lost, duplicated,
altered, crossed between tenants or otherwise wrong, and the folder is kept.

  python -m tests.chaos --seed 1 --minutes 5     run
  python -m tests.chaos --seed 1 --schedule      print the faults, run nothing
  python -m tests.chaos --check FOLDER           check a kept run again
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.checker.check import check
from tests.chaos.clients import Shared, run_clients
from tests.chaos.faults import Faults
from tests.chaos.history import HistoryLog, read_history
from tests.chaos.payments import TENANTS
from tests.chaos.reading import read_tables
from tests.chaos.report import findings_shown, summary
from tests.chaos.schedule import INSTANT, LASTING, Fault, schedule
from tests.chaos.tables import Tables
from tests.chaos.world import World

HISTORY, TABLES = "history.jsonl", "tables.json"


def main(arguments: Sequence[str]) -> int:
    """Run or check; 0 when nothing is wrong, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1, help="decides the schedule (1)")
    parser.add_argument("--minutes", type=float, default=5.0, help="length of the run (5)")
    parser.add_argument("--clients", type=int, default=3, help="clients of each tenant (3)")
    parser.add_argument(
        "--pause", type=float, default=0.04, help="seconds between two payments of a client (0.04)"
    )
    parser.add_argument("--only", help="kinds of faults, with commas between them")
    parser.add_argument("--keep", type=Path, help="new folder for history and tables")
    parser.add_argument("--schedule", action="store_true", help="print the faults, run nothing")
    parser.add_argument("--check", type=Path, metavar="FOLDER", help="check a kept run again")
    given = parser.parse_args(arguments)
    if given.check:
        return _report(given.check, f"the run in {given.check}", 0)
    faults = schedule(given.seed, given.minutes)
    known = {*LASTING, *INSTANT}
    named = (given.only or ",".join(known)).split(",")
    kinds = {one.strip().replace(" ", "_") for one in named}
    if unknown := kinds - known:
        parser.error(f"--only: no fault {', '.join(sorted(unknown))}; {', '.join(sorted(known))}")
    faults = [fault for fault in faults if fault.kind in kinds]
    if given.schedule:
        print(*map(_line, faults), sep="\n")
        return 0
    return _run(given, faults)


def _line(fault: Fault) -> str:
    return f"{fault.at_s:7.1f} s  {fault.kind.replace('_', ' ')}, {fault.seconds:.1f} s"


def _run(given: argparse.Namespace, faults: Sequence[Fault]) -> int:
    folder = given.keep or Path(tempfile.mkdtemp(prefix="sentinel-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(
        f"Seed {given.seed}, {given.minutes:g} minutes, {len(faults)} faults; starting ...",
        flush=True,
    )
    # Open to the account that Postgres runs as for root; its parents must be, too.
    home = Path(tempfile.mkdtemp(prefix="sentinel-world-"))
    home.chmod(0o755)
    log = HistoryLog(folder / HISTORY)
    began_s = time.monotonic()
    try:
        with World(home) as world:
            print(f"Everything runs after {time.monotonic() - began_s:.0f} s.", flush=True)
            done = _suffer(world, log, given, faults)
            read_tables(world.server.url, world.journal).save(folder / TABLES)
        _keep_logs(home, folder)
    except BaseException:
        _keep_logs(home, folder)
        print(f"The run broke off; its logs are in {folder}.", flush=True)
        raise
    finally:
        log.close()
        shutil.rmtree(home, ignore_errors=True)
    status = _report(folder, f"seed {given.seed}, {given.minutes:g} minutes", done)
    if status:
        print(
            f"SEED={given.seed} MINUTES={given.minutes:g} found it;"
            f" history, tables and logs: {folder}"
        )
    elif not given.keep:
        shutil.rmtree(folder, ignore_errors=True)
    return status


def _suffer(
    world: World, log: HistoryLog, given: argparse.Namespace, schedule: Sequence[Fault]
) -> int:
    """Run clients and faults, and end both; return the number of faults that were carried out."""
    shared = Shared(world.url, log, world.keys)
    faults = Faults(world, shared, log, lambda line: print(line, flush=True))
    clients, stop = run_clients(shared, TENANTS, given.seed, given.clients, given.pause)
    began_s = time.monotonic()
    try:
        faults.run(schedule, given.minutes)
        time.sleep(max(0.0, began_s + given.minutes * 60 - time.monotonic()))
    finally:
        stop()
    for kind, reason in sorted(faults.left_out.items()):
        print(f"{kind.replace('_', ' ')} was left out: {reason}.", flush=True)
    print("Waiting until the journal is drained ...", flush=True)
    world.proxy.disarm()
    world.wait_until_served()
    print("Sending again what was answered ...", flush=True)
    for client in clients:
        client.repeat_answered()
    world.stop_service()
    count = sum(faults.done.values())
    print(f"{count} of {len(schedule)} faults were carried out.", flush=True)
    return count


def _report(folder: Path, name: str, faults: int) -> int:
    attempts = list(read_history(folder / HISTORY))
    tables = Tables.load(folder / TABLES)
    began_s = time.monotonic()
    checked = check(attempts, tables)
    print(f"\nChecked {name} in {time.monotonic() - began_s:.0f} s:")
    print(*summary(attempts, checked, faults, len(tables.rows)), sep="\n")
    print(*findings_shown(attempts, checked), sep="\n")
    if not any(attempt.decisions for attempt in attempts):
        print("No payment was answered, so nothing was shown.")
        return 1
    return int(bool(checked.findings))


def _keep_logs(home: Path, folder: Path) -> None:
    for log in [*home.glob("*/service*.log"), *home.glob("postgres/postgres/server.log")]:
        shutil.copy(log, folder / f"{log.parent.name}-{log.name}")


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # `timeout` and CI end a run with SIGTERM; what it started and mounted has to go too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
