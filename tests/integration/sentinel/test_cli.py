"""The `sentinel` command against a real database."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from persistence.api_keys import verify_key
from persistence.engine import open_database
from persistence.maintenance.migrate import head_revision
from sentinel.cli.main import main
from tests.support.fixture_types import Rows

SECRET = "a secret of the tests"


@pytest.fixture
def run(database: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("SENTINEL_KEY_SECRET", SECRET)

    def sentinel(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments)

    return sentinel


def test_a_tenant_and_its_key_are_made_listed_and_revoked(
    run: Callable[..., Result], database: str
) -> None:
    assert "fraud-acme" in run("tenants", "create", "acme").output
    assert run("tenants", "list").output == "acme\tfraud-acme\tlive\n"
    key = run("keys", "issue", "--tenant", "acme", "--scopes", "score, review").output.strip()
    engine = open_database(database)
    principal = verify_key(engine, key, SECRET.encode())
    assert principal is not None
    assert principal.scopes == {"score", "review"}
    listed = run("keys", "list", "--tenant", "acme").output
    assert principal.key_prefix in listed
    assert "in force" in listed
    assert key not in listed
    assert (
        run("keys", "revoke", "--tenant", "acme", f"sk_{principal.key_prefix}_").output
        == "Revoked.\n"
    )
    assert verify_key(engine, key, SECRET.encode()) is None
    assert "revoked" in run("keys", "list", "--tenant", "acme").output
    engine.dispose()


def test_a_tenant_is_put_in_test_mode_and_made_live_again(run: Callable[..., Result]) -> None:
    assert "test mode" in run("tenants", "create", "acme", "--test-mode").output
    assert run("tenants", "list").output == "acme\tfraud-acme\ttest\n"
    assert run("tenants", "mode", "acme", "live").output == "Tenant acme is live.\n"
    assert run("tenants", "list").output == "acme\tfraud-acme\tlive\n"
    assert run("tenants", "mode", "acme", "test").output == "Tenant acme is in test mode.\n"
    assert run("tenants", "mode", "acme", "other").exit_code != 0


def test_maintenance_and_backups_are_recorded_and_a_dry_run_is_not(
    run: Callable[..., Result], rows: Rows
) -> None:
    assert run("db", "maintain", "--dry-run").exit_code == 0
    assert rows("SELECT job FROM job_runs") == []
    assert run("db", "maintain").exit_code == 0
    assert run("db", "backed-up", "dump").output == "Recorded.\n"
    assert run("db", "backed-up", "base").exit_code == 0
    jobs = {row["job"] for row in rows("SELECT job FROM job_runs")}
    assert jobs == {"maintenance", "backup_dump", "backup_base"}
    assert "dump" in run("db", "backed-up", "disk").output


def test_a_key_may_expire(run: Callable[..., Result]) -> None:
    run("tenants", "create", "acme")
    issued = run("keys", "issue", "--tenant", "acme", "--scopes", "score", "--days", "30")
    assert issued.exit_code == 0
    assert "ends 20" in run("keys", "list", "--tenant", "acme").output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("tenants", "create", "Acme Bank"), "lower-case letters"),
        (("tenants", "mode", "nobody", "test"), "no tenant 'nobody'"),
        (("keys", "issue", "--tenant", "nobody", "--scopes", "score"), "no tenant 'nobody'"),
        (("keys", "list", "--tenant", "nobody"), "sentinel tenants create nobody"),
        (("keys", "revoke", "--tenant", "nobody", "abc"), "no tenant 'nobody'"),
    ],
)
def test_a_user_error_is_one_sentence_and_status_1(
    run: Callable[..., Result], arguments: tuple[str, ...], sentence: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert sentence in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_an_unknown_scope_is_named(run: Callable[..., Result]) -> None:
    run("tenants", "create", "acme")
    result = run("keys", "issue", "--tenant", "acme", "--scopes", "everything")
    assert result.exit_code == 1
    assert "score, review, admin" in result.output


def test_without_the_schema_the_command_names_db_upgrade(
    make_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", make_database())
    result = CliRunner().invoke(main, ["tenants", "list"])
    assert result.exit_code == 1
    assert "sentinel db upgrade" in result.output
    upgraded = CliRunner().invoke(main, ["db", "upgrade"])
    assert head_revision() in upgraded.output
    assert CliRunner().invoke(main, ["tenants", "list"]).exit_code == 0


def test_an_unreachable_or_other_database_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for url, sentence in [
        ("postgresql://nobody@127.0.0.1:1/none", "cannot be reached"),
        ("mysql://host/db", "postgresql://"),
    ]:
        monkeypatch.setenv("DATABASE_URL", url)
        result = CliRunner().invoke(main, ["tenants", "list"])
        assert result.exit_code == 1
        assert sentence in result.output
        assert "Traceback" not in result.output


@pytest.mark.parametrize("arguments", [(), ("tenants",), ("keys",), ("db",), ("keys", "issue")])
def test_every_command_has_help(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*arguments, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output
