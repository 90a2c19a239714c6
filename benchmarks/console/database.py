"""The database of the benchmark of the console: made once, and served as in production."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from sqlalchemy import Engine, text

from benchmarks.console.decisions import TENANT, load
from benchmarks.console.work import load_work
from persistence.actor import Actor
from persistence.engine import OPERATOR_TIMEOUT_S, open_database
from persistence.maintenance import migrate
from persistence.people.links import create_link, use_link
from persistence.people.users import User, create_user, list_users
from persistence.tenants import find_tenant

_SECRET = b"a secret of the benchmark"
_EMAIL = "dana@bank-0.example"
_ACTOR = Actor("benchmark")


def open_filled(url: str, rows: int, console: Console) -> str:
    """Return the URL of the database of a size; fill it first unless an earlier run has.

    Args:
        url: URL of the embedded Postgres.
        rows: decisions in the database, all of one tenant.
        console: console for the progress.
    """
    name = f"console_{rows}"
    server = open_database(url, pool_size=1)
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        known = connection.execute(
            text("SELECT count(*) FROM pg_database WHERE datname = :name"), {"name": name}
        ).scalar_one()
        if not known:
            connection.execute(text("ALTER SYSTEM SET max_wal_size = '8GB'"))
            connection.execute(text("SELECT pg_reload_conf()"))
            unfinished = f"{name}_unfinished"
            connection.execute(text(f"DROP DATABASE IF EXISTS {unfinished}"))
            connection.execute(text(f"CREATE DATABASE {unfinished}"))
            _fill(url.replace("@/sentinel?", f"@/{unfinished}?"), rows, console)
            connection.execute(text(f"ALTER DATABASE {unfinished} RENAME TO {name}"))
    server.dispose()
    filled = url.replace("@/sentinel?", f"@/{name}?")
    migrate.upgrade(filled)
    return filled


def _fill(url: str, rows: int, console: Console) -> None:
    migrate.upgrade(url)
    owner = open_database(url, pool_size=3, statement_timeout_s=OPERATOR_TIMEOUT_S)
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("decisions", total=rows)
        tenant = load(owner, rows, lambda made: progress.advance(task, made))
    with console.status("rules, lists, cases and logs"):
        load_work(owner, tenant, _administrator(owner).id)
    owner.dispose()


def tenant_id(owner: Engine) -> int:
    """Return the tenant of the decisions."""
    return find_tenant(owner, TENANT).id


def _administrator(owner: Engine) -> User:
    tenant = tenant_id(owner)
    known = [user for user in list_users(owner, tenant) if user.email == _EMAIL]
    if known:
        return known[0]
    return create_user(owner, tenant, email=_EMAIL, name="Dana Admin", role="admin", actor=_ACTOR)


@contextmanager
def serving(service: Engine) -> Iterator[str]:
    """Serve the management application in a thread of this process; yield its address."""
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
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def signed_in(owner: Engine, address: str) -> Iterator[httpx.Client]:
    """Yield a client with the session of the tenant's administrator."""
    from console.access import COOKIE

    token = use_link(owner, create_link(owner, _administrator(owner), "sign_in", actor=_ACTOR))
    with httpx.Client(
        base_url=address, cookies={COOKIE: token}, timeout=120, trust_env=False
    ) as client:
        yield client
