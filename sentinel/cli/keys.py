"""`sentinel keys`: issue, list, rename and revoke API keys."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click
from sqlalchemy import Engine

from persistence import api_keys, tenants
from persistence.api_keys import KeyListing
from persistence.key_names import shown_key
from sentinel.cli.connection import actor, connected_database
from sentinel.settings import Settings, SettingsError

_FIRST = "first secret"


@click.group("keys")
def keys_group() -> None:
    """Issue, list, rename and revoke API keys."""


@keys_group.command("issue")
@click.option("--tenant", required=True, help="The tenant's slug.")
@click.option(
    "--scopes",
    required=True,
    help=f"Comma-separated, of {', '.join(api_keys.SCOPES)}.",
)
@click.option(
    "--name",
    help="Name of the person or program that uses the key: the actor in the audit log."
    "  [default: the key's prefix]",
)
@click.option("--days", type=click.IntRange(1, 3650), help="Lifetime.  [default: no end]")
def issue_key(tenant: str, scopes: str, name: str | None, days: int | None) -> None:
    """Issue an API key and print it: it is not stored and cannot be shown again."""
    with connected_database() as (engine, settings):
        owner = tenants.find_tenant(engine, tenant)
        key_scopes = tuple(scope.strip() for scope in scopes.split(",") if scope.strip())
        expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
        secrets = settings.resolve_key_secrets()
        is_other_secret = _is_other_secret(engine, secrets)
        key = api_keys.issue_key(
            engine,
            owner.id,
            key_scopes,
            secrets[0],
            expires_at,
            name=name,
            actor=actor(),
        )
    click.echo(key)
    if is_other_secret:
        click.echo(
            "This database's other keys are hashed under another secret; a service with that"
            " secret refuses this key.",
            err=True,
        )
    if sys.stdout.isatty():
        click.echo("Keep it: only its keyed hash is stored.", err=True)


@keys_group.command("list")
@click.option("--tenant", help="The slug of the only tenant to list.  [default: all]")
@click.option(
    "--old-secret",
    is_flag=True,
    help="List only keys in force that are not hashed under SENTINEL_KEY_SECRET yet.",
)
def list_keys(tenant: str | None, old_secret: bool) -> None:
    """List keys by tenant, newest first, and the secret that each is hashed under.

    A line has the tenant, the key's name, its public prefix, its scopes, when it was made and last
    used, whether it is in force, and its secret: the first (SENTINEL_KEY_SECRET), the second
    (SENTINEL_SECOND_KEY_SECRET) or another one, by its fingerprint. `secret not known`: an earlier
    release issued the key, and nobody has used it since.
    """
    now = datetime.now(UTC)
    with connected_database() as (engine, settings):
        owners = [tenants.find_tenant(engine, tenant)] if tenant else tenants.list_tenants(engine)
        secrets = _secrets(settings, needed=old_secret)
        keys = api_keys.list_keys(engine, *(owner.id for owner in owners))
    old = [key for key in keys if key.in_force(now) and _secret(key, secrets) != _FIRST]
    for key in old if old_secret else keys:
        click.echo(_line(key, secrets))
    if old_secret or len(secrets) > 1:
        click.echo(f"Keys in force that are not hashed under SENTINEL_KEY_SECRET: {len(old)}.")


@keys_group.command("rename")
@click.option("--tenant", required=True, help="The tenant's slug.")
@click.argument("key")
@click.argument("name")
def rename_key(tenant: str, key: str, name: str) -> None:
    """Give the key with the name or public prefix KEY another NAME.

    Entries of the audit log keep the name before.
    """
    with connected_database() as (engine, _):
        owner = tenants.find_tenant(engine, tenant)
        api_keys.rename_key(engine, owner.id, key, name, actor=actor())
    click.echo(f"Renamed {shown_key(key)} to {name}.")


@keys_group.command("revoke")
@click.option("--tenant", required=True, help="The tenant's slug.")
@click.argument("key")
def revoke_key(tenant: str, key: str) -> None:
    """Revoke the key with the name or public prefix KEY; takes effect within seconds.

    KEY may also be the key itself (`sk_PREFIX_...`).
    """
    with connected_database() as (engine, _):
        owner = tenants.find_tenant(engine, tenant)
        api_keys.revoke_key(engine, owner.id, key, actor=actor())
    click.echo(f"Revoked {shown_key(key)}.")


def _is_other_secret(engine: Engine, secrets: Sequence[bytes]) -> bool:
    """Return whether there are keys in force, and all are hashed under other secrets than these.

    Keys whose secret is not known do not count.
    """
    now = datetime.now(UTC)
    keys = api_keys.list_keys(engine, *(owner.id for owner in tenants.list_tenants(engine)))
    found = {key.secret_id for key in keys if key.in_force(now)} - {None}
    return bool(found) and found.isdisjoint(api_keys.secret_id(secret) for secret in secrets)


def _secrets(settings: Settings, *, needed: bool) -> Sequence[bytes]:
    """Return the secrets of the settings; without one, and where none is needed, nothing."""
    try:
        return settings.resolve_key_secrets()
    except SettingsError:
        if needed:
            raise
        return ()


def _line(key: KeyListing, secrets: Sequence[bytes]) -> str:
    state = f"revoked {key.revoked_at:%F}" if key.revoked_at else "in force"
    if not key.revoked_at and key.expires_at:
        state = f"ends {key.expires_at:%F}"
    used = f"used {key.last_used_at:%F %R}" if key.last_used_at else "never used"
    scopes = ",".join(key.scopes)
    made = f"made {key.created_at:%F}"
    return "\t".join(
        (key.tenant_slug, key.name, key.prefix, scopes, made, used, state, _secret(key, secrets))
    )


def _secret(key: KeyListing, secrets: Sequence[bytes]) -> str:
    """Return which of the secrets a key is hashed under."""
    if key.secret_id is None:
        return "secret not known"
    ids = [api_keys.secret_id(secret) for secret in secrets]
    names = dict(zip(ids, (_FIRST, "second secret"), strict=False))
    return names.get(key.secret_id, f"secret {key.secret_id}")
