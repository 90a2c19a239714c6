"""A pooler that restarts, a full disk and too many connections: refused or journalled, then stored.

Each is met with real parts. In each the circuit names the cause to the operator, and decisions are
stored again, each once, soon after the fault has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

from tests.support.data.two_tenants import SLOW, TwoTenants, wait_until
from tests.support.postgres.own_server import OwnServer
from tests.support.postgres.pgbouncer import pooled
from tests.support.small_disk import needs_mount, small_disk

BACK_WITHIN_S = 2.0
"""Time within which decisions are stored again."""
MOST_CONNECTIONS = 15


@contextmanager
def two_tenants(server: OwnServer, root: Path, url: str) -> Iterator[TwoTenants]:
    """Yield two tenants whose decisions reach the server by a URL."""
    tenants = TwoTenants(server, root, url)
    tenants.store.watcher.start()
    try:
        yield tenants
    finally:
        tenants.store.close()


def is_refused_and_journalled(tenants: TwoTenants, cause: str) -> None:
    """Wait until decisions are journalled for one tenant and refused for the other."""
    wait_until(lambda: tenants.decide().is_journalled, 10)
    assert tenants.is_refused()
    wait_until(lambda: cause in (tenants.store.circuit.reason or ""), 5)


def is_back(tenants: TwoTenants) -> None:
    """Wait until decisions are stored again; each that was acknowledged is one row."""
    wait_until(lambda: not tenants.store.circuit.is_open, BACK_WITHIN_S * SLOW)
    assert not tenants.is_refused()
    tenants.check()


def test_a_pooler_that_is_restarted(
    server: OwnServer,
    tmp_path: Path,
    make_home: Callable[[], Path],
    free_port: Callable[[], int],
) -> None:
    home, port = make_home(), free_port()
    settings = {"default_pool_size": 5, "ignore_startup_parameters": "options"}
    with ExitStack() as stack:
        with pooled(server.url, home, port, **settings) as pooler:
            tenants = stack.enter_context(two_tenants(server, tmp_path, pooler.url))
            assert not tenants.decide().is_journalled
        is_refused_and_journalled(tenants, "nothing listens")
        with pooled(server.url, home, port, **settings):
            is_back(tenants)


def test_a_postgres_that_has_no_connection_left(tenants: TwoTenants) -> None:
    server = tenants.server
    server.execute(f"ALTER SYSTEM SET max_connections = {MOST_CONNECTIONS}")
    server.stop()
    server.start()
    with ExitStack() as others:
        tenants.store.engine.dispose()
        tenants.store.journal_engine.dispose()
        for _ in range(MOST_CONNECTIONS):
            others.enter_context(psycopg.connect(server.url))
        is_refused_and_journalled(tenants, "no connection left")
    is_back(tenants)


@needs_mount
def test_a_postgres_whose_disk_is_full(tmp_path: Path, make_home: Callable[[], Path]) -> None:
    with small_disk(make_home(), 280_000) as disk, ExitStack() as stack:
        server = OwnServer(disk.path)
        stack.callback(server.stop)
        tenants = stack.enter_context(two_tenants(server, tmp_path, server.url))
        assert not tenants.decide().is_journalled
        with disk.full():
            is_refused_and_journalled(tenants, "disk of Postgres is full")
        is_back(tenants)
        assert not tenants.store.drainer.outcomes["refused"]
