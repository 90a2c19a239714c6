"""`sentinel tenants`: create and list tenants, put them in test mode."""

from __future__ import annotations

import click

from persistence import tenants
from registry.names import model_name
from scoring.printable import printable
from sentinel.cli.connection import actor, connected_database


@click.group("tenants")
def tenants_group() -> None:
    """Create and list tenants, put them in test mode."""


@tenants_group.command("create")
@click.argument("slug")
@click.option("--model", help="Registered model in MLflow.  [default: fraud-SLUG]")
@click.option(
    "--test-mode", is_flag=True, help="Answer the fixed test transactions without a model."
)
def create_tenant(slug: str, model: str | None, test_mode: bool) -> None:
    """Create the tenant SLUG (lower-case letters, digits, dashes)."""
    with connected_database() as (engine, _):
        name = model_name(slug) if model is None else model
        tenant = tenants.create_tenant(engine, slug, name, is_test=test_mode, actor=actor())
    click.echo(
        f"Tenant {tenant.slug} is served by the registered model {tenant.model_name}"
        + (", and is in test mode." if tenant.is_test else ".")
    )


@tenants_group.command("list")
def list_tenants() -> None:
    """List every tenant, its registered model, and whether it is live or in test mode."""
    with connected_database() as (engine, _):
        for tenant in tenants.list_tenants(engine):
            mode = "test" if tenant.is_test else "live"
            click.echo(f"{tenant.slug}\t{printable(tenant.model_name)}\t{mode}")


@tenants_group.command("mode")
@click.argument("slug")
@click.argument("mode", type=click.Choice(["live", "test"]))
def set_mode(slug: str, mode: str) -> None:
    """Put the tenant SLUG in test mode, or make it live; takes effect within seconds.

    In test mode the fixed test transactions are answered without a model; the tenant's model
    decides every other one.
    """
    with connected_database() as (engine, _):
        tenant = tenants.set_test_mode(engine, slug, mode == "test", actor=actor())
    click.echo(f"Tenant {tenant.slug} is {'in test mode' if tenant.is_test else 'live'}.")
