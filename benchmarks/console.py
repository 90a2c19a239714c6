"""`make bench-console`: how long each page of the console takes in a large decision log.

    python -m benchmarks.console --rows 3000000

A year of decisions of eight tenants is made as for `make bench-store`; the largest tenant has a
third of them. Its administrator reads every page over HTTP from the management application, without
BentoML, as the service's role.
"""

from __future__ import annotations

import re
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import click
import httpx
from rich.table import Table
from sqlalchemy import Engine, text

from sentinel.errors import Command

_TENANT = "bank-0"
_SECRET = b"a secret of the benchmark"
_EMAIL = "dana@bank-0.example"
_LIMITS_MS = ((1_500_000, 100.0), (15_000_000, 200.0))
"""Largest allowed median by the most decisions of the tenant."""
_LINKS = {
    "transaction": ("/console/queue", r'href="(/console/transactions/[0-9a-f-]{36})"'),
    "entity": ("transaction", r'href="(/console/entities/[^"?#]+)"'),
}


class Timed(NamedTuple):
    """What was measured of a page.

    Attributes:
        median_ms: median time, milliseconds.
        longest_ms: longest time, milliseconds.
        size_bytes: size of the page.
        rows_scanned: rows that Postgres read without an index, a request.
    """

    median_ms: float
    longest_ms: float
    size_bytes: int
    rows_scanned: float


@click.command(cls=Command)
@click.option("--rows", default=3_000_000, show_default=True, type=click.IntRange(min=1000))
@click.option("--repetitions", default=20, show_default=True, type=click.IntRange(min=2))
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the database here for another run.  [default: a temporary directory]",
)
def main(rows: int, repetitions: int, home: Path | None) -> None:
    """Time every page of the console; fail where one takes longer than it may."""
    # Imported here, because the imports take seconds, which `--help` does not need.
    from benchmarks.store.comparison import home_or_temporary
    from benchmarks.store.operations import open_store
    from persistence.engine import open_database
    from persistence.maintenance import migrate
    from persistence.tenancy import SERVICE_ROLE
    from sentinel.local.postgres.embedded import EmbeddedPostgres
    from sentinel.local.terminal import open_console

    console = open_console()
    with home_or_temporary(home) as folder, EmbeddedPostgres(folder) as url:
        store = open_store(url, rows, console)
        migrate.upgrade(store.url)
        owner = open_database(store.url, pool_size=2)
        decisions = _decisions(owner)
        service = open_database(store.url, role=SERVICE_ROLE, pool_size=3)
        with _serving(service) as address, _signed_in(owner, address) as client:
            console.print(f"{rows:,} decisions, of which {decisions:,} are the tenant's")
            timed = {
                name: _time(client, path, repetitions, owner)
                for name, path in _addresses(client).items()
            }
        for engine in (owner, service, store.engine):
            engine.dispose()
    table = Table("page", "median ms", "longest ms", "kB", "rows scanned")
    for name, found in timed.items():
        size = f"{found.size_bytes / 1000:.1f}"
        scanned = f"{found.rows_scanned:,.0f}"
        table.add_row(name, f"{found.median_ms:.1f}", f"{found.longest_ms:.1f}", size, scanned)
    console.print(table)
    limit = next((ms for most, ms in _LIMITS_MS if decisions <= most), _LIMITS_MS[-1][1])
    slow = [f"{name}: {t.median_ms:.0f} ms" for name, t in timed.items() if t.median_ms > limit]
    if slow:
        sys.exit(f"More than {limit:.0f} ms: {', '.join(slow)}.")


def _decisions(owner: Engine) -> int:
    with owner.begin() as connection:
        return int(
            connection.execute(
                text("SELECT count(*) FROM predictions WHERE tenant_id = :t"),
                {"t": _tenant_id(owner)},
            ).scalar_one()
        )


def _tenant_id(owner: Engine) -> int:
    from persistence.tenants import find_tenant

    return find_tenant(owner, _TENANT).id


@contextmanager
def _serving(service: Engine) -> Iterator[str]:
    """Serve the management application in a thread of this process."""
    import uvicorn

    from api.dependencies import ApiDependencies
    from api.pagination import Cursors
    from app.management import create_app
    from persistence.api_keys import KeyIssuer, verify_key
    from web.auth import Authenticator

    dependencies = ApiDependencies(
        service,
        Authenticator(lambda key: verify_key(service, key, _SECRET)),
        Cursors(_SECRET),
        lambda _: None,
        lambda _name, _number: None,
        KeyIssuer(_SECRET),
    )
    config = uvicorn.Config(
        create_app(dependencies), host="127.0.0.1", port=0, log_level="warning", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@contextmanager
def _signed_in(owner: Engine, address: str) -> Iterator[httpx.Client]:
    """Yield a client with the session of the tenant's administrator."""
    from console.access import COOKIE
    from persistence.actor import Actor
    from persistence.people.links import create_link, use_link
    from persistence.people.users import create_user, list_users

    actor, tenant_id = Actor("benchmark"), _tenant_id(owner)
    known = [user for user in list_users(owner, tenant_id) if user.email == _EMAIL]
    user = (
        known[0]
        if known
        else create_user(
            owner, tenant_id, email=_EMAIL, name="Dana Admin", role="admin", actor=actor
        )
    )
    token = use_link(owner, create_link(owner, user, "sign_in", actor=actor))
    with httpx.Client(
        base_url=address, cookies={COOKIE: token}, timeout=60, trust_env=False
    ) as client:
        yield client


def _addresses(client: httpx.Client) -> dict[str, str]:
    """Return the pages by name: those of the navigation, and one transaction and entity."""
    from console.navigation import NAVIGATION

    addresses = {entry.name: entry.path for entry in NAVIGATION}
    for name, (source, link) in _LINKS.items():
        found = re.search(link, client.get(addresses.get(source, source)).text)
        if found:
            addresses[name] = found[1]
    return addresses


def _time(client: httpx.Client, path: str, repetitions: int, owner: Engine) -> Timed:
    client.get(path).raise_for_status()
    before, times_ms, page = _scanned(owner), [], b""
    for _ in range(repetitions):
        begun = perf_counter()
        page = client.get(path).raise_for_status().content
        times_ms.append((perf_counter() - begun) * 1e3)
    time.sleep(1.2)  # a backend reports its counts once a second
    client.get("/console/settings")
    scanned = (_scanned(owner) - before) / repetitions
    return Timed(statistics.median(times_ms), max(times_ms), len(page), scanned)


def _scanned(owner: Engine) -> int:
    """Return the rows of the large tables that Postgres has read without an index so far."""
    statement = text(
        "SELECT coalesce(sum(seq_tup_read), 0)::bigint FROM pg_stat_user_tables"
        " WHERE relname ~ '^(transactions|predictions|idempotency_keys|feedback|audit_log)'"
    )
    with owner.begin() as connection:
        connection.execute(text("SELECT pg_stat_clear_snapshot()"))
        found: Any = connection.execute(statement).scalar_one()
    return int(found)


if __name__ == "__main__":
    main()
