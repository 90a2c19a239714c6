"""API keys are stored as keyed hashes and refused when malformed, revoked or expired."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from persistence.actor import Actor
from persistence.api_keys import (
    issue_key,
    key_prefix,
    list_keys,
    rename_key,
    revoke_key,
    secret_id,
    verify_key,
)
from persistence.tenancy import tenant_transaction
from persistence.tenants import create_tenant, find_tenant, list_tenants
from scoring.errors import InvalidRequest, NotFound
from tests.support.fixture_types import MakeTenant, Rows

SECRET = b"a secret of the tests"


def test_a_verified_key_has_its_tenant_and_scopes(engine: Engine, make_tenant: MakeTenant) -> None:
    tenant = make_tenant("acme")
    principal = verify_key(engine, issue_key(engine, tenant.id, ("score",), SECRET), SECRET)
    assert principal is not None
    assert (principal.tenant_id, principal.tenant_slug) == (tenant.id, "acme")
    assert principal.scopes == {"score"}


def test_the_database_holds_the_prefix_of_a_key_and_not_its_secret(
    engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    key = issue_key(engine, make_tenant().id, ("score",), SECRET)
    stored = repr(rows("SELECT * FROM api_keys"))
    assert key.split("_")[1] in stored
    assert key.split("_")[2] not in stored


def test_a_key_hashed_under_another_secret_is_unknown(
    engine: Engine, make_tenant: MakeTenant
) -> None:
    key = issue_key(engine, make_tenant().id, ("score",), SECRET)
    assert verify_key(engine, key, b"another secret") is None


@pytest.mark.parametrize("spoil", [lambda k: k[:-1] + "x", lambda k: k[1:], lambda k: k + "0"])
def test_a_mistyped_key_is_refused_by_its_checksum(
    engine: Engine, make_tenant: MakeTenant, spoil: Callable[[str], str]
) -> None:
    key = issue_key(engine, make_tenant().id, ("score",), SECRET)
    assert key_prefix(key) is not None
    assert key_prefix(spoil(key)) is None


def test_a_revoked_key_is_unknown(engine: Engine, make_tenant: MakeTenant) -> None:
    tenant = make_tenant()
    key = issue_key(engine, tenant.id, ("score",), SECRET)
    prefix = key_prefix(key) or ""
    revoke_key(engine, tenant.id, prefix)
    assert verify_key(engine, key, SECRET) is None
    assert list_keys(engine, tenant.id)[0].revoked_at is not None
    with pytest.raises(NotFound):
        revoke_key(engine, tenant.id, prefix)


def test_an_expired_key_is_unknown(engine: Engine, make_tenant: MakeTenant, rows: Rows) -> None:
    soon = datetime.now(UTC) + timedelta(milliseconds=300)
    key = issue_key(engine, make_tenant().id, ("score",), SECRET, soon)
    assert verify_key(engine, key, SECRET) is not None
    rows("SELECT pg_sleep(0.4)")
    assert verify_key(engine, key, SECRET) is None


@pytest.mark.parametrize("scopes", [(), ("everything",), ("score", "root")])
def test_an_unknown_scope_is_refused(
    engine: Engine, make_tenant: MakeTenant, scopes: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        issue_key(engine, make_tenant().id, scopes, SECRET)
    assert refused.value.errors[0].field == "scopes"


@pytest.mark.parametrize("slug", ["", "x", "Acme", "-acme", "a b", "a" * 41, "acme\n"])
def test_a_malformed_tenant_slug_is_refused(engine: Engine, slug: str) -> None:
    with pytest.raises(InvalidRequest):
        create_tenant(engine, slug, "fraud")


def test_a_taken_tenant_slug_is_refused_by_name(engine: Engine) -> None:
    made = create_tenant(engine, "acme", "fraud-acme")
    with pytest.raises(InvalidRequest, match="acme"):
        create_tenant(engine, "acme", "fraud-acme")
    assert list_tenants(engine) == [made]
    assert find_tenant(engine, "acme") == made


NEW, OLD = b"the secret from now on", SECRET


def test_a_key_has_the_name_that_it_is_given_or_its_prefix(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    named = issue_key(engine, tenant.id, ("review",), SECRET, name="Zoë's laptop")
    unnamed = issue_key(engine, tenant.id, ("review",), SECRET)
    principal = verify_key(service_engine, named, SECRET)
    assert principal is not None
    assert principal.actor == Actor("Zoë's laptop", f"key {key_prefix(named)}")
    assert [key.name for key in list_keys(engine, tenant.id)] == [
        key_prefix(unnamed),
        "Zoë's laptop",
    ]


@pytest.mark.parametrize(
    "name", ["", " core", "core ", "a\nb", "a\tb", "x" * 65, "a\u202eb", "a\x00b", "sk_core"]
)
def test_a_malformed_name_is_refused(engine: Engine, make_tenant: MakeTenant, name: str) -> None:
    tenant = make_tenant()
    issue_key(engine, tenant.id, ("score",), SECRET, name="core")
    with pytest.raises(InvalidRequest, match="printable") as refused:
        issue_key(engine, tenant.id, ("score",), SECRET, name=name)
    assert refused.value.errors[0].field == "name"
    with pytest.raises(InvalidRequest, match="printable"):
        rename_key(engine, tenant.id, "core", name)


def test_a_name_is_unique_among_a_tenants_keys_that_are_neither_revoked_nor_expired(
    engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    mine, other = make_tenant("mine"), make_tenant("other")
    soon = datetime.now(UTC) + timedelta(milliseconds=300)
    issue_key(engine, other.id, ("score",), SECRET, name="core")
    issue_key(engine, mine.id, ("score",), SECRET, name="core")
    for take in (
        lambda: issue_key(engine, mine.id, ("score",), SECRET, name="core"),
        lambda: rename_key(engine, mine.id, "batch", "core"),
    ):
        issue_key(engine, mine.id, ("score",), SECRET, name="batch")
        with pytest.raises(InvalidRequest, match="has a key 'core'; revoke or rename it"):
            take()
        revoke_key(engine, mine.id, "batch")
    revoke_key(engine, mine.id, "core")
    issue_key(engine, mine.id, ("score",), SECRET, soon, name="core")
    rows("SELECT pg_sleep(0.4)")
    issue_key(engine, mine.id, ("score",), SECRET, name="core")
    now = datetime.now(UTC)
    in_force = [key.name for key in list_keys(engine, mine.id) if key.in_force(now)]
    assert in_force == ["core"]


def test_a_key_is_found_by_its_name_its_prefix_and_itself_and_never_printed(
    engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant, other = make_tenant(), make_tenant("other")

    def revoked(*keys: str) -> list[bool]:
        return [verify_key(engine, key, SECRET) is None for key in keys]

    by_name, by_prefix, by_itself, spared = (
        issue_key(engine, tenant.id, ("score",), SECRET, name=name) for name in "abcd"
    )
    revoke_key(engine, tenant.id, "a")
    revoke_key(engine, tenant.id, by_prefix.split("_")[1])
    revoke_key(engine, tenant.id, by_itself)
    assert revoked(by_name, by_prefix, by_itself, spared) == [True, True, True, False]
    theirs = issue_key(engine, other.id, ("score",), SECRET)
    with pytest.raises(NotFound) as unknown:
        revoke_key(engine, tenant.id, theirs)
    assert theirs.split("_")[1] in unknown.value.detail
    assert theirs.split("_")[2] not in unknown.value.detail
    for impossible in ("\udcff", "a\x00b", ""):
        with pytest.raises(NotFound):
            revoke_key(engine, tenant.id, impossible)
    rename_key(engine, tenant.id, "d", "e")
    assert list_keys(engine, tenant.id)[0].name == "e"


def test_a_name_that_is_another_keys_prefix_revokes_neither_by_guess(
    engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    first = issue_key(engine, tenant.id, ("score",), SECRET, name="first")
    prefix = key_prefix(first) or ""
    second = issue_key(engine, tenant.id, ("score",), SECRET, name=prefix)
    with pytest.raises(InvalidRequest, match=f"`sk_{prefix}` is the one with the prefix"):
        revoke_key(engine, tenant.id, prefix)
    revoke_key(engine, tenant.id, f"sk_{prefix}")
    assert verify_key(engine, first, SECRET) is None
    assert verify_key(engine, second, SECRET) is not None


def test_while_a_secret_is_rotated_keys_of_both_are_valid_and_used_ones_leave_the_old_one(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant = make_tenant()
    used, idle = (issue_key(engine, tenant.id, ("score",), OLD, name=name) for name in ("u", "i"))
    new = issue_key(engine, tenant.id, ("score",), NEW, name="n")
    changes = rows("SELECT count(*) FROM audit_log")
    for key in (used, new, used):
        assert verify_key(service_engine, key, NEW, OLD) is not None

    def secrets() -> dict[str, str | None]:
        return {key.name: key.secret_id for key in list_keys(engine, tenant.id)}

    assert secrets() == {"u": secret_id(NEW), "n": secret_id(NEW), "i": secret_id(OLD)}
    assert rows("SELECT count(*) FROM audit_log") == changes
    # A process that still has the secrets in the other order takes both too, and hashes it back.
    assert verify_key(service_engine, used, OLD, NEW) is not None
    assert secrets()["u"] == secret_id(OLD)
    assert verify_key(service_engine, used, NEW, OLD) is not None
    # The old secret goes.
    assert verify_key(service_engine, used, NEW) is not None
    assert verify_key(service_engine, idle, NEW) is None
    assert verify_key(service_engine, idle, b"a third secret", NEW) is None


def test_a_key_of_an_earlier_release_gets_its_secrets_fingerprint_when_it_is_used(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    key = issue_key(engine, tenant.id, ("score",), SECRET)
    with tenant_transaction(engine, tenant.id) as connection:
        connection.execute(text("UPDATE api_keys SET secret_id = NULL"))
    assert list_keys(engine, tenant.id)[0].secret_id is None
    assert verify_key(service_engine, key, SECRET) is not None
    assert list_keys(engine, tenant.id)[0].secret_id == secret_id(SECRET)
