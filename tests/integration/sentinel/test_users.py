"""`sentinel users` and `sentinel tenants locale`: people, links, and how pages look to them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from persistence.people.links import read_link, use_link
from persistence.people.sessions import SignInRefused, find_session, sign_in
from scoring.errors import NotFound
from sentinel.cli.main import main
from tests.support.fixture_types import Rows

PASSWORD = "correct horse battery"


@pytest.fixture
def run(database: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("DATABASE_URL", database)

    def sentinel(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments)

    run = sentinel
    run("tenants", "create", "acme")
    return run


@pytest.fixture
def ana(run: Callable[..., Result]) -> str:
    """The token of Ana's link."""
    created = run(
        *("users", "create", "Ana@Acme.example", "--tenant", "acme", "--name", "Ana"),
        *("--url", "https://console.acme.example/"),
    )
    assert created.stdout.startswith("https://console.acme.example/console/links/")
    assert "Ana is an analyst of acme." in created.stderr
    return created.stdout.strip().rpartition("/")[2]


def test_a_person_is_made_listed_promoted_disabled_and_enabled(
    run: Callable[..., Result], engine: Engine, ana: str
) -> None:
    assert "no password yet" in run("users", "list", "--tenant", "acme").output
    session = use_link(engine, ana, PASSWORD)
    assert run("users", "list", "--tenant", "acme").output == (
        "ana@acme.example\tAna\tanalyst\tactive\n"
    )
    run("users", "role", "ana@acme.example", "senior", "--tenant", "acme")
    signed_in = find_session(engine, session)
    assert signed_in is not None
    assert signed_in.user.scopes == {"review", "score"}
    run("users", "disable", "ana@acme.example", "--tenant", "acme")
    assert find_session(engine, session) is None
    with pytest.raises(SignInRefused):
        sign_in(engine, "acme", "ana@acme.example", PASSWORD)
    run("users", "enable", "ana@acme.example", "--tenant", "acme")
    assert sign_in(engine, "acme", "ana@acme.example", PASSWORD)


def test_a_reset_replaces_the_link_before_and_keeps_the_password_until_it_is_used(
    run: Callable[..., Result], engine: Engine, ana: str
) -> None:
    use_link(engine, ana, PASSWORD)
    first, second = (
        run("users", "reset", "ana@acme.example", "--tenant", "acme").stdout.strip()
        for _ in range(2)
    )
    with pytest.raises(NotFound):
        read_link(engine, first.rpartition("/")[2])
    assert sign_in(engine, "acme", "ana@acme.example", PASSWORD)
    use_link(engine, second.rpartition("/")[2], "another horse battery")
    with pytest.raises(SignInRefused):
        sign_in(engine, "acme", "ana@acme.example", PASSWORD)


@pytest.mark.parametrize(
    ("email", "name", "problem"),
    [
        ("ana", "Bo", "The e-mail must be an e-mail address"),
        ("ana@acme.example", "Bo", "The email belongs to another account"),
        ("bo@acme.example", "Ana", "The name belongs to another account"),
        ("bo@acme.example", "", "name"),
    ],
)
@pytest.mark.usefixtures("ana")
def test_what_cannot_be_an_account_is_refused_in_a_sentence(
    run: Callable[..., Result], email: str, name: str, problem: str
) -> None:
    refused = run("users", "create", email, "--tenant", "acme", "--name", name)
    assert refused.exit_code == 1
    assert problem in refused.output


@pytest.mark.parametrize("command", ["role", "reset", "disable", "enable"])
def test_a_person_who_is_not_there_is_named(run: Callable[..., Result], command: str) -> None:
    more = ("admin",) if command == "role" else ()
    refused = run("users", command, "nobody@acme.example", *more, "--tenant", "acme")
    assert refused.exit_code == 1
    assert "There is no person with the e-mail nobody@acme.example." in refused.output


def test_the_audit_log_has_who_made_and_changed_an_account_without_its_secrets(
    run: Callable[..., Result], engine: Engine, rows: Rows, ana: str
) -> None:
    use_link(engine, ana, PASSWORD)
    run("users", "role", "ana@acme.example", "senior", "--tenant", "acme")
    entries = rows(
        "SELECT actor, via, action, before, after FROM audit_log WHERE object LIKE 'users/%'"
        " ORDER BY id"
    )
    assert [entry["action"] for entry in entries] == [
        *("user.created", "link.created", "link.changed", "user.changed"),
        *("session.created", "user.changed"),
    ]
    assert entries[0]["via"] == "sentinel users create"
    assert entries[3]["via"] == "user ana@acme.example"
    assert (entries[-1]["before"]["role"], entries[-1]["after"]["role"]) == ("analyst", "senior")
    for entry in entries:
        for document in (entry["before"] or {}, entry["after"] or {}):
            assert not {"password_hash", "digest"} & set(document)


def test_a_tenant_has_a_currency_and_a_time_zone(
    run: Callable[..., Result], engine: Engine, ana: str
) -> None:
    session = use_link(engine, ana, PASSWORD)
    run("tenants", "locale", "acme", "--currency", "eur", "--time-zone", "Europe/Berlin")
    signed_in = find_session(engine, session)
    assert signed_in is not None
    assert (signed_in.currency, signed_in.time_zone) == ("EUR", "Europe/Berlin")
    for option, value in (("--currency", "XXQ"), ("--time-zone", "Mars/Olympus")):
        refused = run("tenants", "locale", "acme", option, value)
        assert refused.exit_code == 1
        assert "must be a" in refused.output
    assert run("tenants", "locale", "acme").exit_code == 2


@pytest.mark.usefixtures("ana")
@pytest.mark.parametrize("command", [("disable",), ("role", "analyst")])
def test_the_last_administrator_stays_one(
    run: Callable[..., Result], command: tuple[str, ...]
) -> None:
    name, *more = command
    run("users", "role", "ana@acme.example", "admin", "--tenant", "acme")
    refused = run("users", name, "ana@acme.example", *more, "--tenant", "acme")
    assert refused.exit_code == 1
    assert "administrator" in refused.output
    assert "\tadmin\t" in run("users", "list", "--tenant", "acme").output
