"""The databases of the store benchmark, and the operations that are timed in them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from sqlalchemy import Engine, text

from benchmarks.store.data import load, sample
from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.engine import OPERATOR_TIMEOUT_S, open_database
from persistence.maintenance import migrate
from persistence.review.worklist import REVIEWS, Place, read_case, read_worklist
from persistence.tenancy import SERVICE_ROLE
from persistence.uuid7 import new_ids

PAGE = 50
BATCH = 64
_SAMPLES = 400
_COUNTED = 50
_NUMBERS = count()


@dataclass(frozen=True)
class Store:
    """A filled database, and a sample of the decisions in it."""

    url: str
    rows: int
    engine: Engine
    log: DecisionLog
    decisions: list[Decided]

    def any(self) -> Decided:
        """Return a random decision of the sample."""
        return random.choice(self.decisions)  # noqa: S311 - a sample, not a secret

    def rows_read(self, name: str) -> dict[str, float]:
        """Return the rows a call that Postgres read by scan and by index, from its counts."""
        self.engine.dispose()  # a backend reports its counts when it ends
        before = self._counts()
        for _ in range(_COUNTED):
            OPERATIONS[name](self)
        self.engine.dispose()
        return {kind: (after - before[kind]) / _COUNTED for kind, after in self._counts().items()}

    def _counts(self) -> dict[str, int]:
        owner = open_database(self.url, pool_size=1)
        statement = text(
            """
            SELECT coalesce(sum(seq_tup_read), 0)::bigint AS by_scan,
                (SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes)::bigint
                    AS by_index
            FROM pg_stat_user_tables
            WHERE relname ~ '^(transactions|predictions|idempotency_keys|feedback)'
            """
        )
        # Without a transaction, in which pg_stat_activity would not change.
        with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            while connection.execute(text(others)).scalar_one() > 1:
                connection.execute(text("SELECT pg_sleep(0.05)"))
            counts = dict(connection.execute(statement).mappings().one())
        owner.dispose()
        return counts


def queue_page(store: Store) -> None:
    """Read the first page of the worklist."""
    page = read_worklist(store.engine, store.any().tenant_id, REVIEWS, undecided=True, limit=PAGE)
    assert page.entries  # noqa: S101 - an empty page would measure nothing


def later_queue_page(store: Store) -> None:
    """Read a page from the middle of the worklist."""
    decided = store.any()
    place = Place(0.3, decided.prediction_id)
    read_worklist(
        store.engine,
        decided.tenant_id,
        REVIEWS,
        undecided=True,
        limit=PAGE,
        after=place,
    )


def transaction_page(store: Store) -> None:
    """Read a transaction with its decision and feedback."""
    decided = store.any()
    read_case(store.engine, decided.tenant_id, decided.transaction_id)


def idempotency_look_up(store: Store) -> None:
    """Write a retry: its key exists, so the stored decision is read."""
    decided = store.any()
    (stored,) = store.log.write([_with_new_ids(decided)])
    assert isinstance(stored, Decided)  # noqa: S101
    assert stored.prediction_id == decided.prediction_id  # noqa: S101


def write_of_a_batch(store: Store) -> None:
    """Write a batch of new decisions, each with a key."""
    batch = [
        _with_new_ids(decided)._replace(
            transaction=replace(
                decided.transaction, external_id=f"new-{next(_NUMBERS)}-{id(store)}"
            ),
        )
        for decided in random.sample(store.decisions, BATCH)
    ]
    assert store.log.write(batch) == batch  # noqa: S101


OPERATIONS: dict[str, Callable[[Store], None]] = {
    f"queue page of {PAGE}": queue_page,
    f"later queue page of {PAGE}": later_queue_page,
    "transaction page": transaction_page,
    "idempotency look-up": idempotency_look_up,
    f"write of {BATCH}": write_of_a_batch,
}


def _with_new_ids(decided: Decided) -> Decided:
    ((transaction_id, prediction_id),) = new_ids(1)
    return decided._replace(transaction_id=transaction_id, prediction_id=prediction_id)


def open_store(url: str, rows: int, console: Console) -> Store:
    """Open the database of a size; fill it first unless an earlier run has filled it.

    Args:
        url: URL of the embedded Postgres.
        rows: number of decisions in the database.
        console: console for the progress.
    """
    name = f"store_{rows}"
    store_url = url.replace("@/sentinel?", f"@/{name}?")
    server = open_database(url, pool_size=1)
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        known = connection.execute(
            text("SELECT count(*) FROM pg_database WHERE datname = :name"), {"name": name}
        ).scalar_one()
        if not known:
            connection.execute(text("ALTER SYSTEM SET max_wal_size = '8GB'"))
            connection.execute(text("SELECT pg_reload_conf()"))
            connection.execute(text(f"CREATE DATABASE {name}_unfinished"))
            unfinished = url.replace("@/sentinel?", f"@/{name}_unfinished?")
            migrate.upgrade(unfinished)
            owner = open_database(unfinished, pool_size=2, statement_timeout_s=OPERATOR_TIMEOUT_S)
            columns = ("{task.description}", BarColumn(), MofNCompleteColumn())
            with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
                task = progress.add_task("decisions", total=rows)
                load(owner, rows, lambda made: progress.advance(task, made))
            owner.dispose()
            connection.execute(text(f"ALTER DATABASE {name}_unfinished RENAME TO {name}"))
    server.dispose()
    owner = open_database(store_url, pool_size=1, statement_timeout_s=OPERATOR_TIMEOUT_S)
    decisions = sample(owner, _SAMPLES)
    owner.dispose()
    engine = open_database(store_url, role=SERVICE_ROLE)
    return Store(store_url, rows, engine, DecisionLog(engine), decisions)
