"""Of several servers in DATABASE_URL, decisions go to the one that takes them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from time import monotonic

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from persistence.connection.connector import Connector
from persistence.connection.probe import look
from persistence.connection.settings import service_session
from scoring.errors import StoreUnavailable
from tests.support.postgres.proxy import Proxy


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and answers nothing, as a machine that is gone or hangs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def behind(port: int, database: str) -> str:
    """Name the server at a port before the one of the database."""
    place = conninfo_to_dict(database)
    hosts = {"host": f"127.0.0.1,{place['host']}", "port": f"{port},{place['port']}"}
    return make_conninfo(**place | hosts)


def test_a_first_server_that_answers_nothing_delays_no_connection(
    database: str, silent_port: int
) -> None:
    url = behind(silent_port, database)
    began_s = monotonic()
    with Connector(url, service_session())() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert monotonic() - began_s < 1.0
    assert look(url, 0.4) is None


def test_a_first_server_that_refuses_is_passed_over(database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = behind(port, database)
    assert look(url, 0.4) is None
    Connector(url, service_session())().close()


def test_a_connection_is_one_login(database: str, silent_port: int) -> None:
    """A role or a server with few connections has none for a second one."""
    with Proxy(database) as proxy:
        url = behind(silent_port, proxy.url)
        connection = Connector(url, service_session())()
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert connection.pgconn.nonblocking
        connection.close()
        assert proxy.taken == 1
        assert look(url, 1.0) is None
        assert proxy.taken == 2


def test_the_choice_of_a_server_takes_no_time_from_the_statement(
    database: str, silent_port: int
) -> None:
    with Proxy(database) as proxy:
        proxy.delay_s = 0.65  # three replies to the login, one to the statement
        url = make_conninfo(behind(silent_port, proxy.url), sslmode="disable", gssencmode="disable")
        assert look(url, 2.4) is None


def test_servers_that_hang_are_waited_for_once(silent_port: int) -> None:
    url = f"postgresql://u@/d?host=127.0.0.1,127.0.0.1&port={silent_port},{silent_port}"
    began_s = monotonic()
    fault = look(url, 1.0)
    assert "in time" in str(fault)
    assert monotonic() - began_s < 1.7


def test_without_any_server_the_error_names_each(silent_port: int) -> None:
    url = (
        f"postgresql://u:hunter2@/d?host=127.0.0.1,127.0.0.1&port=1,{silent_port}&connect_timeout=2"
    )
    with pytest.raises(StoreUnavailable) as refused:
        Connector(url, service_session())()
    assert "nothing listens at 127.0.0.1:1" in str(refused.value)
    assert f"no answer from 127.0.0.1:1, 127.0.0.1:{silent_port} in time" in str(refused.value)
    assert look(url, 0.2) is not None
