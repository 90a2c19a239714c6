"""Each cause for which Postgres cannot be had is recognised and has its sentence.

The messages are those of libpq 18, Postgres 18 and PgBouncer 1.18 and 1.24;
tests/integration/persistence/connection/test_connection.py provokes most of them.
"""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from persistence.connection.causes import connecting, running
from persistence.connection.url import Parameters
from scoring.errors import SchemaMissing, StoreBusy, StoreMisconfigured, StoreUnavailable

AT = 'connection failed: connection to server at "10.0.0.1", port 5432 failed: '
PARAMETERS: Parameters = {"host": "db", "port": "5432", "user": "app", "password": "hunter2"}

SETTINGS = [
    ('FATAL:  password authentication failed for user "app"', "refuses the login at db:5432"),
    ("fe_sendauth: no password supplied", "refuses the login"),
    ('FATAL:  role "app" does not exist', "refuses the login"),
    ('FATAL:  role "app" is not permitted to log in', "refuses the login"),
    ("FATAL:  no such user: app", "refuses the login"),
    ("FATAL:  SASL authentication failed", "refuses the login"),
    ('FATAL:  database "fraud" does not exist', "no such database at db:5432"),
    ("FATAL:  no such database: fraud", "no such database"),
    ('FATAL:  permission denied for database "fraud"', "GRANT CONNECT"),
    (
        'FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "app", database "d", no encryption',
        "without TLS",
    ),
    (
        'FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "app", database "d", SSL on',
        "from here",
    ),
    ("server does not support SSL, but SSL was required", "offers no TLS"),
    (
        'root certificate file "/ca.pem" does not exist\nEither provide the file, use ...',
        "certificate file for TLS cannot be read.*sslrootcert",
    ),
    ("SSL error: certificate verify failed", "TLS with Postgres at db:5432 fails"),
    ('server certificate for "x" does not match host name "db"', "TLS with Postgres"),
    ("FATAL:  connection requires a valid client certificate", "TLS with Postgres"),
    ('private key file "/k" has group or world access', "TLS with Postgres"),
    ("received invalid response to SSL negotiation: H", "is not a Postgres"),
    ("FATAL:  unsupported startup parameter: geqo", "pooler at db:5432 does not take"),
]
AWAY = [
    ("Connection refused\n\tIs the server running on that host ...?", "nothing listens at db:5432"),
    (
        "No such file or directory\n\tIs the server running locally ...?",
        "no socket .*; start Postgres",
    ),
    ("No route to host", "no route to db:5432"),
    ("timeout expired", "no answer from db:5432"),
    ("FATAL:  sorry, too many clients already", "no connection left"),
    ('FATAL:  too many connections for role "app"', "no connection left"),
    ("FATAL:  no more connections allowed (max_client_conn)", "no connection left"),
    ("FATAL:  the database system is starting up", "starting or stopping"),
    ("session is read-only", "is a standby"),
    ("FATAL:  pgbouncer cannot connect to server", "pooler at db:5432 does not reach"),
    ("FATAL:  Passwort-Authentifizierung fehlgeschlagen", "Passwort-Authentifizierung"),
]


@pytest.mark.parametrize(("message", "sentence"), SETTINGS)
def test_a_setting_to_change_is_named(message: str, sentence: str) -> None:
    error = connecting(psycopg.OperationalError(AT + message), PARAMETERS)
    assert isinstance(error, StoreMisconfigured)
    _check(error, sentence)


@pytest.mark.parametrize(("message", "sentence"), AWAY)
def test_a_postgres_that_is_away_is_no_wrong_setting(message: str, sentence: str) -> None:
    error = connecting(psycopg.OperationalError(AT + message), PARAMETERS)
    assert type(error) is StoreUnavailable
    _check(error, sentence)


def _check(error: StoreUnavailable, sentence: str) -> None:
    with pytest.raises(StoreUnavailable, match=sentence):
        raise error
    assert "\n" not in str(error)
    assert str(error).endswith(".")
    assert "db:5432" not in error.detail, "callers need not know the database"
    assert error.status == 503


def test_a_password_in_a_message_is_not_shown() -> None:
    error = psycopg.OperationalError(AT + "something about hunter2")
    assert "hunter2" not in str(connecting(error, PARAMETERS))
    assert "something about ***" in str(connecting(error, PARAMETERS))


def test_of_several_servers_one_that_is_away_may_be_the_right_one() -> None:
    attempts = (
        "- host: 'h1', port: '1', hostaddr: '10.0.0.1': connection failed: FATAL:  password"
        ' authentication failed for user "app"\n'
        "- host: 'h2', port: '2', hostaddr: '10.0.0.2': connection failed: Connection refused\n"
    )
    error = psycopg.OperationalError(f"Connection refused\nMultiple attempts failed.\n{attempts}")
    result = connecting(error, {"host": "h1,h2", "port": "1,2"})
    assert type(result) is StoreUnavailable
    assert "refuses the login at h1:1, h2:2" in str(result)
    assert "nothing listens" in str(result)


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (errors.UndefinedTable('relation "x" does not exist'), SchemaMissing, 'relation "x"'),
        (errors.UndefinedColumn('column "x" does not exist'), SchemaMissing, "db upgrade"),
        (errors.InsufficientPrivilege("permission denied for table x"), StoreMisconfigured, "owns"),
        (
            errors.InvalidSchemaName("no schema has been selected"),
            StoreMisconfigured,
            "search_path",
        ),
        (errors.ReadOnlySqlTransaction("cannot execute INSERT"), StoreUnavailable, "only reads"),
        (errors.QueryCanceled("due to statement timeout"), StoreBusy, "took too long"),
        (errors.DiskFull("could not extend file"), StoreUnavailable, "could not extend file"),
        (
            psycopg.OperationalError("the connection is lost"),
            StoreUnavailable,
            "Broken (the connection is lost).",
        ),
    ],
)
def test_a_statement_that_postgres_does_not_run_has_its_sentence(
    error: psycopg.Error, kind: type[StoreUnavailable], sentence: str
) -> None:
    result = running(error, "Broken.")
    assert type(result) is kind
    assert sentence in str(result)


@pytest.mark.parametrize(
    "error",
    [
        errors.CheckViolation("new row violates a check"),
        errors.InsufficientPrivilege('new row violates row-level security policy for table "x"'),
    ],
)
def test_an_error_of_a_row_is_not_one_of_the_store(error: psycopg.Error) -> None:
    assert running(error, "broken") is None
