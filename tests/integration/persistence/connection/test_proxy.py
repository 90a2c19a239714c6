"""The proxy of the tests: what it does to a session is what it says."""

from __future__ import annotations

import resource
import socket
from time import sleep
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.support.postgres.proxy import Proxy


def test_a_session_forgets_its_statements_between_two_transactions(database: str) -> None:
    with Proxy(database) as proxy, psycopg.connect(proxy.url, autocommit=True) as session:
        session.execute("PREPARE one AS SELECT 1")
        with session.transaction():
            proxy.forget_statements()
            assert session.execute("EXECUTE one").fetchone() == (1,), "in a transaction"
        with pytest.raises(psycopg.errors.InvalidSqlStatementName):
            session.execute("EXECUTE one")
        assert session.execute("SELECT 2").fetchone() == (2,)


def test_new_connections_are_refused_while_the_block_runs_and_taken_after_it(database: str) -> None:
    with Proxy(database) as proxy:
        with psycopg.connect(proxy.url) as session, proxy.refused():
            with pytest.raises(psycopg.OperationalError):
                session.execute("SELECT 1")
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(proxy.url)
        with psycopg.connect(proxy.url) as session:
            assert session.execute("SELECT 1").fetchone() == (1,)


def test_a_connection_that_cannot_be_taken_ends_no_later_one(database: str) -> None:
    with Proxy(database) as proxy, socket.socket() as client:
        place = urlsplit(proxy.url)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))  # so accept fails: EMFILE
        try:
            client.connect((str(place.hostname), int(place.port or 0)))
            sleep(0.2)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        with psycopg.connect(proxy.url, connect_timeout=5) as session:
            assert session.execute("SELECT 1").fetchone() == (1,)
