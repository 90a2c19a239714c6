"""A connection is verified when it is opened and in /readyz; each cause of a refusal is named."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, text

from persistence.connection.connector import Connector
from persistence.connection.settings import operator_session, service_session
from persistence.connection.timeout_connection import TimeoutConnection
from persistence.connection.url import DatabaseUrlError
from persistence.decisions.writer import DecisionLog
from persistence.engine import open_database, transaction, verify_session
from persistence.maintenance import migrate
from persistence.maintenance.errors import MaintenanceError
from persistence.tenancy import SERVICE_ROLE
from scoring.errors import SchemaMissing, StoreMisconfigured, StoreUnavailable
from sentinel.local.database_url import check_database_url
from tests.support.factories import a_decision
from tests.support.fixture_types import MakeTenant
from tests.support.postgres.proxy import Proxy

MakeDatabase = Callable[..., str]


def name_of(login: str) -> str:
    return login.partition("//")[2].partition(":")[0]


def with_parameters(url: str, **parameters: str) -> str:
    mark = "&" if "?" in url else "?"
    return url + mark + "&".join(f"{n}={quote(v, safe='')}" for n, v in parameters.items())


def connect(url: str) -> TimeoutConnection:
    """Open a connection of the service."""
    return Connector(url, service_session())()


def refusal(url: str) -> StoreUnavailable:
    """Return why the service gets no connection."""
    with pytest.raises(StoreUnavailable) as refused:
        connect(url)
    assert "hunter2" not in str(refused.value)
    return refused.value


def test_a_connection_acts_as_the_service_with_its_time_outs(login: str) -> None:
    with connect(login) as connection:
        assert connection.pooled_settings is None
        row = connection.execute(
            "SELECT current_user, current_setting('statement_timeout'),"
            " current_setting('transaction_timeout'), current_setting('lock_timeout'),"
            " current_setting('TimeZone'), current_setting('client_encoding')"
        ).fetchone()
    assert row == (SERVICE_ROLE, "5s", "30s", "0", "UTC", "UTF8")


def test_settings_of_the_login_do_not_replace_those_of_the_service(
    login: str, execute: Callable[[str], None]
) -> None:
    for setting in ("statement_timeout = 1", "lock_timeout = 1", "client_encoding = 'LATIN1'"):
        execute(f"ALTER ROLE {name_of(login)} SET {setting}")
    with connect(login) as connection:
        row = connection.execute(
            "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
            " current_setting('client_encoding')"
        ).fetchone()
    assert row == ("5s", "0", "UTF8")


@pytest.mark.parametrize("attribute", ["SUPERUSER", "BYPASSRLS"])
def test_a_role_that_bypasses_row_level_security_is_refused_also_by_an_open_connection(
    make_database: MakeDatabase, attribute: str
) -> None:
    # A role of its own: the service's is shared with the tests of other files.
    url = make_database()
    role = f"role_{uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role}")
    engine = open_database(url, role=role)
    verify_session(engine)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {role} {attribute}")
    for check in (lambda: verify_session(engine), Connector(url, service_session(role))):
        with pytest.raises(StoreMisconfigured, match=f"{role} has .*{attribute}.*ALTER ROLE"):
            check()
    engine.dispose()


def test_a_login_that_may_not_act_as_the_service_is_named(
    login: str, execute: Callable[[str], None]
) -> None:
    execute(f"REVOKE {SERVICE_ROLE} FROM {name_of(login)}")
    error = refusal(login)
    assert isinstance(error, StoreMisconfigured)
    assert f"GRANT {SERVICE_ROLE}" in str(error)


@pytest.mark.parametrize(
    ("setting", "kind", "sentence"),
    [
        ("synchronous_commit = off", StoreMisconfigured, "could be lost after its reply"),
        ("default_transaction_read_only = on", StoreUnavailable, "only reads"),
    ],
)
def test_a_setting_that_endangers_decisions_is_refused(
    login: str,
    execute: Callable[[str], None],
    setting: str,
    kind: type[StoreUnavailable],
    sentence: str,
) -> None:
    execute(f"ALTER ROLE {name_of(login)} SET {setting}")
    error = refusal(login)
    assert type(error) is kind
    assert sentence in str(error)


def test_a_database_with_another_encoding_is_refused(postgres_url: str) -> None:
    name = f"latin_{uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL(
                "CREATE DATABASE {} ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
                " TEMPLATE template0"
            ).format(sql.Identifier(name))
        )
    url = postgres_url.replace("@/sentinel?", f"@/{name}?")
    with pytest.raises(StoreMisconfigured, match="encoding of the database is SQL_ASCII"):
        Connector(url, operator_session(5.0))()


def test_a_database_without_the_schema_or_the_role_names_the_command(
    make_database: MakeDatabase,
) -> None:
    url = make_database()
    with pytest.raises(SchemaMissing, match='role "role_none" does not exist'):
        Connector(url, service_session("role_none"))()
    engine = open_database(url)
    with (
        pytest.raises(SchemaMissing, match=r'`sentinel db upgrade` \(relation "tenants"'),
        transaction(engine) as connection,
    ):
        connection.execute(text("SELECT FROM tenants"))
    engine.dispose()


def test_a_database_of_a_later_release_is_not_upgraded(database: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(MaintenanceError, match="revision 9999, which a later release"):
        migrate.upgrade(database)


def test_wrong_settings_end_a_start_each_with_its_sentence(login: str) -> None:
    with Proxy(login) as proxy:
        for url, sentence in [
            (login.replace("hunter2", "hunter3"), "refuses the login .*check user and password"),
            (login.replace("/test_", "/none_"), "no such database"),
            (with_parameters(proxy.url, sslmode="require"), "offers no TLS"),
            (with_parameters(proxy.url, sslmode="sometimes"), 'invalid sslmode value: "sometimes"'),
            (with_parameters(proxy.url, pgbouncer="true"), "the parameter pgbouncer"),
            (with_parameters(login, options="-c nosuch=1"), "nosuch"),
            ("postgresql://?service=nosuch", 'definition of service "nosuch" not found'),
            ("postgresql://h1,h2:1,2,3/db", "DATABASE_URL"),
            ("host=127.0.0.1 port=1,2", "could not match 2 port numbers to 1 hosts"),
            ("postgresql://app:hunter2@db..example/db", "db..example is not a host name"),
            (with_parameters(login, connect_timeout="soon"), "connect_timeout"),
        ]:
            with pytest.raises(DatabaseUrlError, match=sentence) as refused:
                check_database_url(url)
            assert "hunter" not in str(refused.value), url
    check_database_url(login)


def test_a_postgres_that_is_away_ends_no_start_and_is_logged_with_its_cause(
    login: str, execute: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    closed = "postgresql://app:hunter2@127.0.0.1:1/db"
    with Proxy(login) as proxy, proxy.stalled():
        execute(f"ALTER ROLE {name_of(login)} CONNECTION LIMIT 0")
        for url, sentence in [
            (closed, "nothing listens at 127.0.0.1:1"),
            ("postgresql://app:hunter2@nosuch.invalid/db", "nosuch.invalid has no address (DNS)"),
            ("postgresql:///db?host=/nosuch", "no socket"),
            (with_parameters(proxy.url, connect_timeout="2"), "no answer from 127.0.0.1"),
            (login, "has no connection left"),
        ]:
            caplog.clear()
            check_database_url(url)
            assert sentence in caplog.text
            assert "hunter2" not in caplog.text


def answer_once(reply: bytes) -> tuple[socket.socket, int]:
    """Listen on a port, and answer the first bytes of each connection with `reply`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            client.recv(1024)
            client.sendall(reply)

    threading.Thread(target=serve, daemon=True).start()
    return listener, listener.getsockname()[1]


@pytest.mark.parametrize(
    ("reply", "parameters", "sentence"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "", "is not a Postgres"),
        (b"S", "?sslmode=verify-full&sslrootcert=/nosuch/ca.pem", "certificate file for TLS"),
    ],
)
def test_what_is_not_a_postgres_and_a_missing_ca_file_are_named(
    reply: bytes, parameters: str, sentence: str
) -> None:
    listener, port = answer_once(reply)
    with listener:
        error = refusal(f"postgresql://u:hunter2@127.0.0.1:{port}/db{parameters}")
    assert isinstance(error, StoreMisconfigured)
    assert sentence in str(error)


def test_several_servers_are_tried_in_turn(login: str) -> None:
    with Proxy(login) as proxy:
        place = proxy.url.rpartition("@")[2]
        url = proxy.url.replace(place, f"127.0.0.1:1,{place}")
        with connect(url) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (SERVICE_ROLE,)


def test_a_service_file_and_the_environment_are_libpqs(
    login: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = {**conninfo_to_dict(login), "options": "-c work_mem=7MB"}
    del service["password"]
    lines = [f"{name}={value}" for name, value in service.items()]
    (tmp_path / "services").write_text("\n".join(["[acme]", *lines, ""]))
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    with connect("postgresql://?service=acme") as opened:
        row = opened.execute("SELECT current_setting('work_mem')").fetchone()
    assert row == ("7MB",)


def test_search_path_in_the_options_is_where_the_tables_are(
    make_database: MakeDatabase,
) -> None:
    plain = make_database()
    url = with_parameters(plain, options="-csearch_path=fraud")
    with pytest.raises(StoreMisconfigured, match="No schema of search_path exists"):
        migrate.upgrade(url)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA fraud")
        migrate.upgrade(url)
        schemas = connection.execute(
            "SELECT DISTINCT relnamespace::regnamespace::text FROM pg_class"
            " WHERE relname IN ('tenants', 'predictions', 'alembic_version')"
        ).fetchall()
    assert schemas == [("fraud",)]
    engine = open_database(url, role=SERVICE_ROLE)
    assert migrate.current_revision(engine) == migrate.head_revision()
    engine.dispose()


def test_an_outage_of_a_pool_is_logged_once_when_it_begins_and_when_it_ends(
    login: str, execute: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_database(login, role=SERVICE_ROLE, name="score")
    execute(f"ALTER ROLE {name_of(login)} NOLOGIN")
    for _ in range(3):
        with pytest.raises(StoreMisconfigured):
            verify_session(engine)
    execute(f"ALTER ROLE {name_of(login)} LOGIN")
    for _ in range(3):
        verify_session(engine)
    engine.dispose()
    begun, over = [record.getMessage() for record in caplog.records]
    assert "'score': Postgres refuses the login" in begun
    assert "'score': works again" in over


def test_a_decision_for_a_database_that_only_reads_is_unavailable_and_not_refused(
    login: str, make_tenant: MakeTenant
) -> None:
    tenant_id = make_tenant().id
    engine = open_database(login, role=SERVICE_ROLE, pool_size=1)
    log = DecisionLog(engine)
    log.write([a_decision(tenant_id)])
    with engine.connect() as connection:
        connection.execute(text("SET default_transaction_read_only = on"))
        connection.commit()
    with pytest.raises(StoreUnavailable, match="only reads"):
        log.write([a_decision(tenant_id)])
    log.write([a_decision(tenant_id)])
    engine.dispose()
