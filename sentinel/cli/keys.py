"""`sentinel keys`: issue, list and revoke API keys."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import click

from persistence import api_keys, tenants
from sentinel.cli.connection import connected_database


@click.group("keys")
def keys_group() -> None:
    """Issue, list and revoke API keys."""


@keys_group.command("issue")
@click.option("--tenant", required=True, help="The tenant's slug.")
@click.option(
    "--scopes",
    required=True,
    help=f"Comma-separated, of {', '.join(api_keys.SCOPES)}.",
)
@click.option("--days", type=click.IntRange(1, 3650), help="Lifetime.  [default: no end]")
def issue_key(tenant: str, scopes: str, days: int | None) -> None:
    """Issue an API key and print it: it is not stored and cannot be shown again."""
    with connected_database() as (engine, settings):
        owner = tenants.find_tenant(engine, tenant)
        key_scopes = tuple(scope.strip() for scope in scopes.split(",") if scope.strip())
        expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
        secret = settings.resolve_key_secret()
        key = api_keys.issue_key(engine, owner.id, key_scopes, secret, expires_at)
    click.echo(key)
    if sys.stdout.isatty():
        click.echo("Keep it: only its keyed hash is stored.", err=True)


@keys_group.command("list")
@click.option("--tenant", required=True, help="The tenant's slug.")
def list_keys(tenant: str) -> None:
    """List a tenant's keys by their public prefix, newest first."""
    with connected_database() as (engine, _):
        for key in api_keys.list_keys(engine, tenants.find_tenant(engine, tenant).id):
            state = f"revoked {key.revoked_at:%F}" if key.revoked_at else "in force"
            if not key.revoked_at and key.expires_at:
                state = f"ends {key.expires_at:%F}"
            used = f"used {key.last_used_at:%F %R}" if key.last_used_at else "never used"
            scopes = ",".join(key.scopes)
            click.echo(f"{key.prefix}\t{scopes}\tmade {key.created_at:%F}\t{used}\t{state}")


@keys_group.command("revoke")
@click.option("--tenant", required=True, help="The tenant's slug.")
@click.argument("prefix")
def revoke_key(tenant: str, prefix: str) -> None:
    """Revoke the key with the public PREFIX (`sk_PREFIX_...`); takes effect within seconds."""
    with connected_database() as (engine, _):
        owner = tenants.find_tenant(engine, tenant)
        api_keys.revoke_key(engine, owner.id, prefix.removeprefix("sk_").split("_")[0])
    click.echo("Revoked.")
