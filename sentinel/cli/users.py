"""`sentinel users`: the people of a tenant, who sign in to the console."""

from __future__ import annotations

import click
from sqlalchemy import Engine

from persistence import tenants
from persistence.people import users
from persistence.people.links import VALID, create_link
from persistence.people.users import ROLES, User
from sentinel.cli.connection import actor, connected_database

_URL = click.option(
    "--url",
    envvar="SENTINEL_URL",
    default="http://127.0.0.1:3000",
    show_default=True,
    show_envvar=True,
    help="Address of the service, with which the printed link begins.",
)


@click.group("users")
def users_group() -> None:
    """Create, list, disable and enable the people who use the console; give them links and roles.

    Each person belongs to one tenant and is named in the audit log for what they do.
    """


@users_group.command("create")
@click.argument("email")
@click.option("--tenant", required=True, help="The tenant's slug.")
@click.option("--name", required=True, help="Name of the person: the actor in the audit log.")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="analyst",
    show_default=True,
    help="analyst: reviews; senior: the same so far; admin: everything of the tenant.",
)
@_URL
def create_user(email: str, tenant: str, name: str, role: str, url: str) -> None:
    """Add the person EMAIL to a tenant and print a link, with which they choose a password.

    The link works once, within a day.
    """
    with connected_database() as (engine, _):
        owner = tenants.find_tenant(engine, tenant)
        user = users.create_user(engine, owner.id, email=email, name=name, role=role, actor=actor())
        link = _link(engine, user, url)
    click.echo(f"{user.name} is {_article(user.role)} of {tenant}.", err=True)
    _print_link(link)


@users_group.command("list")
@click.option("--tenant", required=True, help="The tenant's slug.")
def list_users(tenant: str) -> None:
    """List a tenant's people: e-mail, name, role, and whether each can sign in."""
    with connected_database() as (engine, _):
        owner = tenants.find_tenant(engine, tenant)
        for user in users.list_users(engine, owner.id):
            click.echo(f"{user.email}\t{user.name}\t{user.role}\t{_state(user)}")


@users_group.command("role")
@click.argument("email")
@click.argument("role", type=click.Choice(ROLES))
@click.option("--tenant", required=True, help="The tenant's slug.")
def change_role(email: str, role: str, tenant: str) -> None:
    """Give the person EMAIL another ROLE; it counts from their next click on."""
    with connected_database() as (engine, _):
        owner = tenants.find_tenant(engine, tenant)
        user = users.change_role(engine, owner.id, email, role, actor=actor())
    click.echo(f"{user.name} is {_article(user.role)} of {tenant}.")


@users_group.command("reset")
@click.argument("email")
@click.option("--tenant", required=True, help="The tenant's slug.")
@_URL
def reset_user(email: str, tenant: str, url: str) -> None:
    """Print a link, with which the person EMAIL chooses another password.

    The password so far works until the link is used; then every session of the person ends.
    """
    with connected_database() as (engine, _):
        owner = tenants.find_tenant(engine, tenant)
        link = _link(engine, users.find_user(engine, owner.id, email), url)
    _print_link(link)


@users_group.command("disable")
@click.argument("email")
@click.option("--tenant", required=True, help="The tenant's slug.")
def disable_user(email: str, tenant: str) -> None:
    """Disable the account of the person EMAIL and sign them out everywhere."""
    with connected_database() as (engine, _):
        owner = tenants.find_tenant(engine, tenant)
        user = users.disable_user(engine, owner.id, email, actor=actor())
    click.echo(f"{user.name} can no longer sign in; `sentinel users enable` undoes it.")


@users_group.command("enable")
@click.argument("email")
@click.option("--tenant", required=True, help="The tenant's slug.")
def enable_user(email: str, tenant: str) -> None:
    """Let the person EMAIL sign in again."""
    with connected_database() as (engine, _):
        owner = tenants.find_tenant(engine, tenant)
        user = users.enable_user(engine, owner.id, email, actor=actor())
    click.echo(f"{user.name} can sign in again.")


def _link(engine: Engine, user: User, url: str) -> str:
    token = create_link(engine, user, "password", actor=actor())
    return f"{url.rstrip('/')}/console/links/{token}"


def _print_link(link: str) -> None:
    click.echo(
        f"Give them this link; it works once, within {VALID.total_seconds() / 3600:.0f} hours:",
        err=True,
    )
    click.echo(link)


def _article(role: str) -> str:
    return {"analyst": "an analyst", "senior": "a senior analyst", "admin": "an administrator"}[
        role
    ]


def _state(user: User) -> str:
    if user.disabled_at is not None:
        return "disabled"
    return "active" if user.has_password else "no password yet"
