"""DATABASE_URL means what it means to libpq; what libpq refuses is one sentence without a value."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.conninfo import make_conninfo

from persistence.connection.options import settings_in
from persistence.connection.settings import service_session
from persistence.connection.url import DatabaseUrlError, parse_url, with_defaults


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://u@h/db", {"user": "u", "host": "h", "dbname": "db"}),
        ("postgresql+psycopg://u@h/db", {"user": "u", "host": "h", "dbname": "db"}),
        ("host=h dbname='my db'", {"host": "h", "dbname": "my db"}),
        ("postgresql://h1:5999,h2:5540/db", {"host": "h1,h2", "port": "5999,5540", "dbname": "db"}),
        ("postgresql://?service=acme", {"service": "acme"}),
        ("postgresql://h/db?options=-csearch_path%3Dfraud", {"options": "-csearch_path=fraud"}),
        ("postgresql://u:p%40%2F%3A%25@h/db", {"password": "p@/:%"}),
        ("postgresql://h/db?sslmode=verify-full&sslrootcert=/ca", {"sslmode": "verify-full"}),
        ("postgresql:///db?host=/run/postgresql&port=5433", {"host": "/run/postgresql"}),
        ("postgresql://[::1]:5433/db", {"host": "::1", "port": "5433"}),
        (" postgresql://u@h/db\n", {"dbname": "db"}),
        ("postgresql://", {}),
    ],
)
def test_a_url_has_the_parameters_that_libpq_reads_in_it(
    url: str, expected: dict[str, str]
) -> None:
    assert parse_url(url).items() >= expected.items()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://u:hunter2@h/db?pgbouncer=true", "the parameter pgbouncer.*recognised"),
        ("postgresql://u:hunter2@h/db?schema=fraud", "options=-csearch_path%3DNAME"),
        ("postgresql://u:hunter2@h/db?connection_limit=1", "parameter connection_limit.*remove it"),
        ("host=h colour=blue password=hunter2", "the parameter colour"),
        ("mysql://u:hunter2@h/db", "begins with mysql://; it must be a postgresql://"),
        ("jdbc:postgresql://u:hunter2@h/db", "begins with jdbc:postgresql://"),
        ("POSTGRESQL://u:hunter2@h/db", "it must be a postgresql://"),
        ("postgresql+asyncpg://u:hunter2@h/db", "it must be a postgresql://"),
        ("hunter2", "is not a URL such as postgresql://"),
        ("postgresql://u:hunter2%zz@h/db", "write it as %25"),
        ("postgresql://u:hunter2%00@h/db", "%00"),
        ("postgresql://u:hun@ter2@h/db", "percent-encode it: @ is %40"),
        ("postgresql://u:hun/ter2@h/db", "percent-encode it"),
        ("postgresql://u:hunter2 x@h/db", "write it as %20"),
        ("postgresql://u:hunter2@[::1/db", r"such as \[::1\]"),
        ("postgresql://u:hunter2@h/db?sslmode", "without a value"),
        ("postgresql://u:hunter2@h/db?options=-ca=b", "write it as %3D"),
        ("postgresql://u:hunter2", "a port that is not a number"),
        ("postgresql://u:hunter2@h:0/db", "from 1 to 65535"),
        ("postgresql://u:hunter2@h:1,g:99999/db", "from 1 to 65535"),
        ("postgresql://u:hunter2\udcff@h/db", "not valid UTF-8"),
        ("password='hunter2", "a quote that does not end"),
    ],
)
def test_a_url_that_libpq_refuses_is_one_sentence_without_the_password(
    url: str, sentence: str
) -> None:
    with pytest.raises(DatabaseUrlError, match=sentence) as refused:
        parse_url(url)
    error = refused.value
    assert error.__context__ is None or error.__suppress_context__, "the cause quotes the URL"
    message = str(refused.value)
    assert "hun" not in message
    assert "ter2" not in message
    assert message.startswith("DATABASE_URL ")
    assert message.count(". ") == 0


def test_defaults_give_way_to_the_url_and_to_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert with_defaults({})["connect_timeout"] == "3"
    assert with_defaults({"connect_timeout": "9"})["connect_timeout"] == "9"
    assert with_defaults({"application_name": "x"})["fallback_application_name"] == "sentinel"
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "8")
    assert "connect_timeout" not in with_defaults({})


def test_of_several_servers_the_primary_is_chosen_unless_the_url_says_otherwise() -> None:
    assert "target_session_attrs" not in with_defaults({"host": "h1"})
    several = {"host": "h1,h2"}
    assert with_defaults(several)["target_session_attrs"] == "read-write"
    chosen = with_defaults(several | {"target_session_attrs": "any"})
    assert chosen["target_session_attrs"] == "any"


def test_text_is_sent_as_utf_8_whatever_the_url_says() -> None:
    assert with_defaults({"client_encoding": "LATIN1"})["client_encoding"] == "UTF8"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("-csearch_path=fraud", {"search_path": "fraud"}),
        ("-c search_path=a,b -c work_mem=1MB", {"search_path": "a,b", "work_mem": "1MB"}),
        (r"--application-name=my\ app", {"application_name": "my app"}),
        (r"-c a.b=x\\y", {"a.b": r"x\y"}),
        ("-c a=b=c", {"a": "b=c"}),
        ("", {}),
    ],
)
def test_options_are_read_as_postgres_reads_them(options: str, expected: dict[str, str]) -> None:
    assert settings_in(options) == expected


@pytest.mark.parametrize("options", ["-e", "-c", "search_path=fraud", "-c a"])
def test_an_option_that_is_no_setting_is_refused(options: str) -> None:
    with pytest.raises(ValueError, match="NAME=VALUE"):
        settings_in(options)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
@settings(max_examples=30)
def test_a_setting_survives_its_way_through_the_options(value: str) -> None:
    escaped = value.replace("\\", r"\\")
    for space in {character for character in value if character.isspace()}:
        escaped = escaped.replace(space, f"\\{space}")
    assert settings_in(f"-c search_path={escaped}") == {"search_path": value}


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
@settings(max_examples=30)
def test_a_setting_is_a_literal_in_the_statement(value: str) -> None:
    statement = service_session().as_sql({"search_path": value}, is_local=True).decode()
    assert sql.Literal(value).as_string().strip() in statement


def test_a_password_of_any_characters_is_read_from_a_conninfo_string() -> None:
    password = "a'b\\c d"
    assert parse_url(make_conninfo(password=password))["password"] == password
