"""One real Postgres a process of the test run, and fresh databases in it.

It is the embedded one that `make demo` uses, in a temporary directory, so the tests need no service
on the machine and run as root and as anybody else.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from sentinel.local.postgres.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of the process's Postgres; its database `sentinel` stays empty."""
    # Not tmp_path_factory, see make_home.
    with (
        tempfile.TemporaryDirectory(prefix="sentinel-tests-") as home,
        EmbeddedPostgres(Path(home)) as url,
    ):
        with psycopg.connect(url, autocommit=True) as connection:
            # Only a crash of the machine needs it, and the checkpoint at the end syncs the files of
            # all databases: 33 s with fsync, 0.4 s without.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield url


@pytest.fixture
def make_home() -> Iterator[Callable[[], Path]]:
    """A factory of homes for an embedded Postgres of the test's own."""
    # Not tmp_path: its parents are closed to the user that Postgres runs as for root.
    with ExitStack() as stack:

        def make() -> Path:
            return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sentinel-")))

        yield make


@pytest.fixture(scope="session")
def make_database(postgres_url: str) -> Callable[..., str]:
    """A factory of databases: `make_database(template=url)` copies another one (60 ms), or none.

    A template must have no open connection while it is copied. What is not dropped goes with the
    server at the end of the session.
    """
    numbers = itertools.count(1)

    def make(template: str | None = None) -> str:
        name = f"test_{next(numbers)}"
        source = str(conninfo_to_dict(template)["dbname"]) if template else "template1"
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(source)
                )
            )
        return postgres_url.replace("@/sentinel?", f"@/{name}?")

    return make


@pytest.fixture(scope="session")
def drop_database(postgres_url: str) -> Callable[[str], None]:
    """A function that drops a database by its URL, with the connections that a test left open.

    Files that are removed soon are never written to the disk: 540 files and 11 MB a database.
    """

    def drop(url: str) -> None:
        name = sql.Identifier(str(conninfo_to_dict(url)["dbname"]))
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    return drop
