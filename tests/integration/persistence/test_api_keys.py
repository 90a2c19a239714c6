"""API keys are stored as keyed hashes and refused when malformed, revoked or expired."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from persistence.api_keys import issue_key, key_prefix, list_keys, revoke_key, verify_key
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
