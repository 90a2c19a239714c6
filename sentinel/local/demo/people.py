"""The demo's people, who sign in to the console, and the link that signs one of them in."""

from __future__ import annotations

import secrets

from sqlalchemy import Engine

from persistence.people.links import create_link, use_link
from persistence.people.users import Role, create_user, list_users
from persistence.tenants import find_tenant
from sentinel.command_actor import command_actor
from sentinel.local.demo.promotion import COMMAND
from sentinel.local.demo.tenant import TENANT

PEOPLE: tuple[tuple[str, str, Role], ...] = (
    ("ana@demo.example", "Ana Analyst", "analyst"),
    ("sam@demo.example", "Sam Senior", "senior"),
    ("dana@demo.example", "Dana Admin", "admin"),
)
"""E-mail, name and role of each."""


def people_and_password(engine: Engine, kept: str) -> str:
    """Return the password of the demo's people, after they were made if they are not there.

    Args:
        engine: pool of connections, of the owner of the tables.
        kept: password of an earlier run, which holds for people that are there; or empty.
    """
    tenant, actor = find_tenant(engine, TENANT), command_actor(COMMAND)
    known = {user.email: user for user in list_users(engine, tenant.id)}
    password = kept or secrets.token_urlsafe(12)
    for email, name, role in PEOPLE:
        user = known.get(email)
        if user is not None and user.has_password and kept:
            continue
        user = user or create_user(
            engine, tenant.id, email=email, name=name, role=role, actor=actor
        )
        use_link(engine, create_link(engine, user, "password", actor=actor), password)
    return password


def sign_in_link(engine: Engine, url: str) -> str:
    """Return the address that signs the administrator in, once.

    Args:
        engine: pool of connections, of the owner of the tables.
        url: address of the service.
    """
    tenant = find_tenant(engine, TENANT)
    administrator = next(u for u in list_users(engine, tenant.id) if u.email == PEOPLE[-1][0])
    token = create_link(engine, administrator, "sign_in", actor=command_actor(COMMAND))
    return f"{url}/console/links/{token}"
