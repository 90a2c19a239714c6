"""One-time links: a person chooses a password with one, or signs in without one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, Connection, Engine, insert, select, update

from persistence.actor import Actor
from persistence.people.passwords import check_new_password, hash_password
from persistence.people.sessions import (
    actor_of,
    begin_session,
    new_token,
    token_digest,
    token_tenant,
)
from persistence.people.users import USER_COLUMNS, User, end_sessions_of
from persistence.tables.people import SignInLinkRow, UserRow
from persistence.tables.tenants import TenantRow
from persistence.tenancy import tenant_transaction
from scoring.errors import NotFound

Purpose = Literal["password", "sign_in"]
VALID = timedelta(hours=24)
_GONE = "The link was used, has expired, or is not complete. Ask an administrator for another one."


class LinkGone(NotFound):
    """A one-time link that works no longer, or never did."""


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time link that can be used.

    Attributes:
        user: person who gets it.
        tenant_slug: slug of the tenant.
        purpose: `password`: to choose a password; `sign_in`: to sign in without one.
    """

    user: User
    tenant_slug: str
    purpose: Purpose


def create_link(
    engine: Engine, user: User, purpose: Purpose, *, actor: Actor, valid: timedelta = VALID
) -> str:
    """Return the token of a new link; those that the person had work no longer.

    Args:
        engine: pool of connections.
        user: person who gets it.
        purpose: what it is for.
        actor: who makes it.
        valid: time after which it works no longer.
    """
    token = new_token(user.tenant_id)
    values = {"user_id": user.id, "purpose": purpose, "expires_at": datetime.now(UTC) + valid}
    with tenant_transaction(engine, user.tenant_id, actor=actor) as connection:
        _use_up_links(connection, user, purpose)
        connection.execute(
            insert(SignInLinkRow).values(
                tenant_id=user.tenant_id, digest=token_digest(token), **values
            )
        )
    return token


def read_link(engine: Engine, token: str) -> Link:
    """Return what a link is for; it can still be used afterwards.

    Raises:
        LinkGone: it was used, has expired, or there is none.
    """
    tenant_id = _tenant_of(token)
    with tenant_transaction(engine, tenant_id) as connection:
        return _read(connection, tenant_id, token)


def use_link(engine: Engine, token: str, password: str | None = None) -> str:
    """Use a link, and return the token of a new session of its person.

    Args:
        engine: pool of connections.
        token: token of the link.
        password: password that the person chose; None with a link to sign in.

    Raises:
        LinkGone: it was used, has expired, there is none, or the account is disabled.
        InvalidRequest: the password is refused; the link can still be used.
    """
    tenant_id = _tenant_of(token)
    link = read_link(engine, token)
    user = link.user
    hashed = None
    if link.purpose == "password":
        check_new_password(password or "", user.email, user.name, link.tenant_slug)
        hashed = hash_password(password or "")  # before a connection is taken: 40 ms
    use = update(SignInLinkRow).where(*_is_usable(tenant_id, token))
    with tenant_transaction(engine, tenant_id, actor=actor_of(user)) as connection:
        used = connection.execute(
            use.values(used_at=datetime.now(UTC)).returning(SignInLinkRow.user_id)
        )
        if used.one_or_none() is None:
            raise LinkGone(_GONE)
        if hashed is not None:
            end_sessions_of(connection, tenant_id, user.id)
            _use_up_links(connection, user)
            connection.execute(
                update(UserRow)
                .where(UserRow.tenant_id == tenant_id, UserRow.id == user.id)
                .values(password_hash=hashed, password_set_at=datetime.now(UTC))
            )
        session = begin_session(connection, user)
        if session is None:  # disabled since the link was read; nothing of this is kept
            raise LinkGone(_GONE)
        return session


def _use_up_links(connection: Connection, user: User, *purposes: Purpose) -> None:
    """Let the links that a person has work no longer: those with the purposes, or all."""
    statement = update(SignInLinkRow).where(
        SignInLinkRow.tenant_id == user.tenant_id,
        SignInLinkRow.user_id == user.id,
        SignInLinkRow.used_at.is_(None),
    )
    if purposes:
        statement = statement.where(SignInLinkRow.purpose.in_(purposes))
    connection.execute(statement.values(used_at=datetime.now(UTC)))


def _tenant_of(token: str) -> int:
    tenant_id = token_tenant(token)
    if tenant_id is None:
        raise LinkGone(_GONE)
    return tenant_id


def _is_usable(tenant_id: int, token: str) -> tuple[ColumnElement[bool], ...]:
    return (
        SignInLinkRow.tenant_id == tenant_id,
        SignInLinkRow.digest == token_digest(token),
        SignInLinkRow.used_at.is_(None),
        SignInLinkRow.expires_at > datetime.now(UTC),
    )


def _read(connection: Connection, tenant_id: int, token: str) -> Link:
    statement = (
        select(*USER_COLUMNS, TenantRow.slug, SignInLinkRow.purpose)
        .join(SignInLinkRow, SignInLinkRow.user_id == UserRow.id)
        .join(TenantRow, TenantRow.id == UserRow.tenant_id)
        .where(*_is_usable(tenant_id, token))
        .where(UserRow.tenant_id == tenant_id, UserRow.disabled_at.is_(None))
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise LinkGone(_GONE)
    return Link(User(*row[:-2]), row[-2], row[-1])
