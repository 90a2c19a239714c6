"""Compare drivers that store decisions: our round trip over libpq, and asyncpg."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

import psycopg
import uvloop

from benchmarks.libraries.timing import Samples, show
from benchmarks.store.data import load, sample
from persistence.decisions.insert_sql import INPUT, INSERT, SET_TENANTS
from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.engine import OPERATOR_TIMEOUT_S, STATEMENT_TIMEOUT_S, open_database
from persistence.maintenance import migrate
from persistence.tenancy import SERVICE_ROLE, joined
from persistence.uuid7 import new_ids
from sentinel.local.postgres.embedded import EmbeddedPostgres

Batch = list[Decided]
Write = Callable[[Batch], Awaitable[object]]

_ROWS = 20_000
_DOCUMENTS = {"features", "contributions"}
_NUMBERS = count()

_STATEMENT = INSERT.sql.decode()
_FUNCTION = (
    f"CREATE FUNCTION write_decisions({', '.join(kind.name for kind, _ in INPUT.values())}, text)"
    " RETURNS TABLE (prediction_id uuid, is_free boolean) LANGUAGE plpgsql AS $$\n"
    "#variable_conflict use_column\n"
    f"BEGIN PERFORM set_config('sentinel.tenant_ids', ${len(INPUT) + 1}, true);\n"
    f"RETURN QUERY {_STATEMENT}; END $$"
)
_CALL = f"SELECT * FROM write_decisions({', '.join(f'${i}' for i in range(1, len(INPUT) + 2))})"  # noqa: S608


def compare(batches: int, rounds: int) -> None:
    """Print the time and the client's CPU time of a batch of 1, 64 and 1000 decisions.

    Args:
        batches: number of batches of one decision in a round.
        rounds: number of rounds after the warm-up round.
    """
    with tempfile.TemporaryDirectory() as home, EmbeddedPostgres(Path(home)) as url:
        migrate.upgrade(url)
        owner = open_database(url, pool_size=2, statement_timeout_s=OPERATOR_TIMEOUT_S)
        load(owner, _ROWS, lambda _rows: None)
        decisions = sample(owner, 1000)
        owner.dispose()
        with psycopg.connect(url) as connection:
            connection.execute(_FUNCTION)
        uvloop.run(_compare(url, decisions, batches, rounds))


async def _compare(url: str, decisions: Batch, batches: int, rounds: int) -> None:
    engine = open_database(url, role=SERVICE_ROLE)
    log = DecisionLog(engine)

    async def ours_on_thread(batch: Batch) -> None:
        log.write(batch)  # on the measuring thread, as a worker calls it

    async def ours_on_loop(batch: Batch) -> None:
        await log.write_on_loop(batch[0])

    pool = await _asyncpg_pool(url)
    ways: dict[str, Write] = {"ours, on a thread": ours_on_thread} | _by_asyncpg(pool)
    for size, share in ((1, 1), (64, 6), (1000, 40)):
        here = ways | ({"ours, on the loop": ours_on_loop} if size == 1 else {})
        wall: Samples = {name: [] for name in here}
        cpu: Samples = {name: [] for name in here}
        for round_ in range(-1, rounds):
            for name, write in here.items():
                made = [_batch(decisions, size) for _ in range(max(3, batches // share))]
                begun, used = perf_counter(), thread_time()
                for batch in made:
                    await write(batch)
                if round_ >= 0:
                    wall[name].append((perf_counter() - begun) / len(made) * 1e3)
                    cpu[name].append((thread_time() - used) / len(made) * 1e3)
        show(f"a batch of {size}", wall, "ms")
        show(f"a batch of {size}: the client's CPU", cpu, "ms")
    await pool.close()
    engine.dispose()


def _batch(decisions: Batch, size: int) -> Batch:
    """Return decisions with new ids and keys, which are not stored yet."""
    ids = new_ids(size)
    return [
        decided._replace(
            transaction_id=transaction_id,
            prediction_id=prediction_id,
            transaction=replace(decided.transaction, external_id=f"new-{next(_NUMBERS)}"),
        )
        for decided, (transaction_id, prediction_id) in zip(
            random.choices(decisions, k=size),  # noqa: S311
            ids,
            strict=True,
        )
    ]


async def _asyncpg_pool(url: str) -> Any:  # noqa: ANN401 - asyncpg need not be installed
    import asyncpg

    class Connection(asyncpg.Connection):
        """A connection that the pool does not reset, as in our pool: settings are transactional."""

        def get_reset_query(self) -> str:
            return ""

    return await asyncpg.create_pool(
        url,
        min_size=5,
        max_size=5,
        connection_class=Connection,
        command_timeout=STATEMENT_TIMEOUT_S + 1,
        server_settings={
            "role": SERVICE_ROLE,
            "timezone": "UTC",
            "statement_timeout": f"{STATEMENT_TIMEOUT_S * 1e3:.0f}",
        },
    )


def _by_asyncpg(pool: Any) -> dict[str, Write]:  # noqa: ANN401 - asyncpg need not be installed
    def values(batch: Batch) -> list[list[Any]]:
        """Return the columns in the types of asyncpg's codecs: documents as str."""
        return [
            [value(decided).decode() for decided in batch]
            if name in _DOCUMENTS
            else [value(decided) for decided in batch]
            for name, (_, value) in INPUT.items()
        ]

    def tenants(batch: Batch) -> str:
        return joined({decided.tenant_id for decided in batch})

    async def four_trips(batch: Batch) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(SET_TENANTS.replace("%s", "$1"), tenants(batch))
            await connection.fetch(_STATEMENT, *values(batch))

    async def three_trips(batch: Batch) -> None:
        begin = f"BEGIN; SELECT set_config('sentinel.tenant_ids', '{tenants(batch)}', true)"
        async with pool.acquire() as connection:
            await connection.execute(begin)
            await connection.fetch(_STATEMENT, *values(batch))
            await connection.execute("COMMIT")

    async def one_trip(batch: Batch) -> None:
        async with pool.acquire() as connection:
            await connection.fetch(_CALL, *values(batch), tenants(batch))

    return {
        "asyncpg, transaction(): 4 trips": four_trips,
        "asyncpg, BEGIN with the tenants: 3 trips": three_trips,
        "asyncpg, PL/pgSQL function: 1 trip": one_trip,
    }
