"""The `sentinel` command against a real database."""

from __future__ import annotations

from collections.abc import Callable
from os import getuid
from pwd import getpwuid

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

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
    revoked = run("keys", "revoke", "--tenant", "acme", key).output
    assert revoked == f"Revoked {principal.key_prefix}.\n", "the key itself is not shown"
    assert verify_key(engine, key, SECRET.encode()) is None
    assert "revoked" in run("keys", "list", "--tenant", "acme").output
    engine.dispose()


def test_a_registered_model_that_cannot_exist_is_refused_in_a_sentence(
    run: Callable[..., Result],
) -> None:
    for name, problem in (
        ("", "'' must not be blank."),
        ("fraud/acme", "'fraud/acme' must not contain '/', which MLflow refuses."),
        ("fraud\u202eacme", "'fraud\\u202eacme' must not contain the invisible character U+202E."),
        ("x" * 257, "must have at most 256 characters, not 257."),
    ):
        refused = run("tenants", "create", "acme", "--model", name)
        assert refused.exit_code == 1
        assert refused.output.startswith("Error: The registered model's name ")
        assert problem in refused.output
    assert run("tenants", "list").output == ""
    assert "欺" * 85 in run("tenants", "create", "acme", "--model", "欺" * 85).output


def test_a_key_is_named_listed_renamed_and_revoked_by_its_name(
    run: Callable[..., Result], rows: Rows
) -> None:
    run("tenants", "create", "acme")
    run("tenants", "create", "other")
    issue = ("keys", "issue", "--tenant", "acme", "--scopes", "score", "--name", "core banking")
    assert run(*issue).exit_code == 0
    run("keys", "issue", "--tenant", "other", "--scopes", "score", "--name", "batch")
    taken = run(*issue)
    assert taken.exit_code == 1
    assert "The name is taken: the tenant has a key 'core banking'" in taken.output
    listed = run("keys", "list").output.splitlines()
    assert [line.split("\t")[:2] for line in listed] == [
        ["acme", "core banking"],
        ["other", "batch"],
    ]
    renamed = run("keys", "rename", "--tenant", "acme", "core banking", "core").output
    assert renamed == "Renamed core banking to core.\n"
    assert run("keys", "revoke", "--tenant", "acme", "core banking").exit_code == 1
    assert run("keys", "revoke", "--tenant", "acme", "core").output == "Revoked core.\n"
    me = getpwuid(getuid()).pw_name
    log = rows("SELECT actor, via FROM audit_log ORDER BY id")
    assert {entry["actor"] for entry in log} == {me}
    assert [entry["via"] for entry in log] == [
        "sentinel tenants create",
        "sentinel tenants create",
        "sentinel keys issue",
        "sentinel keys issue",
        "sentinel keys rename",
        "sentinel keys revoke",
    ]


def test_the_list_shows_which_keys_still_need_the_old_secret(
    run: Callable[..., Result], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("tenants", "create", "acme")

    def issue(name: str) -> str:
        issued = run("keys", "issue", "--tenant", "acme", "--scopes", "score", "--name", name)
        return issued.output.strip()

    used = issue("used")
    issue("idle")
    issue("revoked")
    run("keys", "revoke", "--tenant", "acme", "revoked")
    monkeypatch.setenv("SENTINEL_SECOND_KEY_SECRET", SECRET)
    monkeypatch.setenv("SENTINEL_KEY_SECRET", "the secret from now on")
    issue("new")

    def old() -> tuple[list[str], str]:
        *keys, count = run("keys", "list", "--old-secret").output.splitlines()
        return [key.split("\t")[1] for key in keys], count

    sentence = "Keys in force that are not hashed under SENTINEL_KEY_SECRET: {}."
    assert old() == (["idle", "used"], sentence.format(2))
    assert verify_key(engine, used, b"the secret from now on", SECRET.encode()) is not None
    assert old() == (["idle"], sentence.format(1))
    listed = [line.split("\t") for line in run("keys", "list").output.splitlines()[:-1]]
    states = {words[1]: words[-1] for words in listed}
    assert states["new"] == states["used"] == "first secret"
    assert states["idle"] == "second secret"
    run("keys", "revoke", "--tenant", "acme", "idle")
    assert old() == ([], sentence.format(0))


def test_a_key_under_another_secret_than_all_others_is_issued_with_a_warning(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def issue(tenant: str) -> Result:
        issued = run("keys", "issue", "--tenant", tenant, "--scopes", "score")
        assert issued.exit_code == 0
        assert len(issued.stdout.split()) == 1, "stdout has the key alone"
        return issued

    run("tenants", "create", "acme")
    run("tenants", "create", "other")
    assert issue("acme").stderr == "", "there is no other key"
    assert issue("acme").stderr == ""
    monkeypatch.setenv("SENTINEL_KEY_SECRET", "another secret")
    assert issue("other").stderr == (
        "This database's other keys are hashed under another secret; a service with that secret"
        " refuses this key.\n"
    )


def test_a_key_that_is_issued_while_the_secret_is_rotated_has_no_warning(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("tenants", "create", "acme")
    run("keys", "issue", "--tenant", "acme", "--scopes", "score")
    monkeypatch.setenv("SENTINEL_KEY_SECRET", "the secret from now on")
    monkeypatch.setenv("SENTINEL_SECOND_KEY_SECRET", SECRET)
    assert run("keys", "issue", "--tenant", "acme", "--scopes", "score").stderr == ""


def test_keys_are_listed_without_the_secret_and_counted_only_with_it(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("tenants", "create", "acme")
    run("keys", "issue", "--tenant", "acme", "--scopes", "score", "--name", "core")
    monkeypatch.delenv("SENTINEL_KEY_SECRET")
    assert "\tcore\t" in run("keys", "list").output
    refused = run("keys", "list", "--old-secret")
    assert refused.exit_code == 1
    assert "SENTINEL_KEY_SECRET is not set" in refused.output


def test_a_tenant_is_put_in_test_mode_and_made_live_again(run: Callable[..., Result]) -> None:
    assert "test mode" in run("tenants", "create", "acme", "--test-mode").output
    assert run("tenants", "list").output == "acme\tfraud-acme\ttest\n"
    assert run("tenants", "mode", "acme", "live").output == "Tenant acme is live.\n"
    assert run("tenants", "list").output == "acme\tfraud-acme\tlive\n"
    assert run("tenants", "mode", "acme", "test").output == "Tenant acme is in test mode.\n"
    assert run("tenants", "mode", "acme", "other").exit_code != 0


def test_a_tenant_asks_for_four_eyes_of_versions_and_of_thresholds_apart(
    run: Callable[..., Result],
) -> None:
    run("tenants", "create", "acme")
    asked = run("tenants", "four-eyes", "acme", "on", "--for", "thresholds")
    assert (
        asked.output == "Tenant acme: thresholds are in force after a second person's approval.\n"
    )
    assert run("tenants", "list").output == "acme\tfraud-acme\tlive\tfour eyes for thresholds\n"
    asked = run("tenants", "four-eyes", "acme", "on")
    assert asked.output == "Tenant acme: a version serves only after a second person's approval.\n"
    both = "acme\tfraud-acme\tlive\tfour eyes\tfour eyes for thresholds\n"
    assert run("tenants", "list").output == both
    ended = run("tenants", "four-eyes", "acme", "off", "--for", "thresholds")
    assert ended.output == "Tenant acme: thresholds are in force as soon as they are saved.\n"
    assert run("tenants", "list").output == "acme\tfraud-acme\tlive\tfour eyes\n"


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
