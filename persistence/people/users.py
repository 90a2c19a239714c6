"""Accounts of people: create, list, disable and look up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy import func as sql
from sqlalchemy.exc import IntegrityError

from persistence.actor import Actor
from persistence.key_names import check_name
from persistence.tables.people import UserRow, UserSessionRow
from persistence.tenancy import tenant_transaction
from scoring.errors import FieldError, InvalidRequest, NotFound

Role = Literal["analyst", "senior", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
SCOPES_OF_ROLE: dict[Role, frozenset[str]] = {
    "analyst": frozenset({"review"}),
    "senior": frozenset({"review", "score"}),
    "admin": frozenset({"review", "score", "admin"}),
}
"""Scopes of API keys that each role has. No page needs a senior analyst's right to score so far."""

_ADMIN: Role = "admin"
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,190}")


@dataclass(frozen=True, slots=True)
class User:
    """A person's account.

    Attributes:
        tenant_id: tenant whose people include this one.
        id: number of the account.
        email: address in lower case, unique in the tenant.
        name: name, unique in the tenant: the actor in the audit log.
        role: one of ROLES.
        has_password: whether the person has chosen a password.
        locked_until: time before which no password is accepted; None where that is past.
        created_at: time at which the account was made.
        disabled_at: time at which it was disabled; None: it is in use.
    """

    tenant_id: int
    id: int
    email: str
    name: str
    role: Role
    has_password: bool
    locked_until: datetime | None
    created_at: datetime
    disabled_at: datetime | None

    @property
    def scopes(self) -> frozenset[str]:
        """What the person may do, as scopes of API keys."""
        return SCOPES_OF_ROLE[self.role]


USER_COLUMNS = (
    *(UserRow.tenant_id, UserRow.id, UserRow.email, UserRow.name, UserRow.role),
    UserRow.password_hash.is_not(None).label("has_password"),
    *(UserRow.locked_until, UserRow.created_at, UserRow.disabled_at),
)
"""Columns of a User, in its order."""


def clean_email(email: str) -> str:
    """Return an e-mail address as it is stored.

    Raises:
        InvalidRequest: it is none.
    """
    cleaned = email.strip().lower()
    if not _EMAIL.fullmatch(cleaned):
        message = "must be an e-mail address such as ana@bank.example"
        raise InvalidRequest(f"The e-mail {message}.", errors=(FieldError("email", message),))
    return cleaned


def create_user(
    engine: Engine, tenant_id: int, *, email: str, name: str, role: str, actor: Actor
) -> User:
    """Add a person to a tenant; the account has no password yet.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose people the person joins.
        email: e-mail address.
        name: name of 1 to 64 characters.
        role: one of ROLES.
        actor: who adds the person.

    Raises:
        InvalidRequest: a value is not valid, or the tenant has the e-mail or the name already.
    """
    check_name(name)
    values = {"tenant_id": tenant_id, "email": clean_email(email), "name": name}
    statement = insert(UserRow).values(**values, role=_role(role)).returning(*USER_COLUMNS)
    try:
        with tenant_transaction(engine, tenant_id, actor=actor) as connection:
            return User(*connection.execute(statement).one())
    except IntegrityError as error:
        field = "email" if "email" in str(error.orig) else "name"
        message = "belongs to another account of this tenant"
        raise InvalidRequest(f"The {field} {message}.", errors=(FieldError(field, message),)) from (
            error
        )


def list_users(engine: Engine, tenant_id: int) -> list[User]:
    """Return a tenant's people by name; those whose accounts are disabled come last."""
    statement = select(*USER_COLUMNS).order_by(UserRow.disabled_at.is_not(None), UserRow.name)
    with tenant_transaction(engine, tenant_id) as connection:
        return [User(*row) for row in connection.execute(statement)]


def find_user(engine: Engine, tenant_id: int, email: str) -> User:
    """Return a tenant's person by e-mail.

    Raises:
        NotFound: there is none.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        return _found(connection, tenant_id, email)


def change_role(engine: Engine, tenant_id: int, email: str, role: str, *, actor: Actor) -> User:
    """Give a person another role, which counts from the next request on.

    Raises:
        InvalidRequest: there is no such role, or the tenant would have no administrator left.
        NotFound: there is no such person.
    """
    values = {"role": _role(role)}
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        found = _found(connection, tenant_id, email)
        if role != _ADMIN:
            _keep_an_administrator(connection, tenant_id, found, "role")
        return _update(connection, tenant_id, email, **values)


def disable_user(engine: Engine, tenant_id: int, email: str, *, actor: Actor) -> User:
    """Disable an account and end its sessions; entries of the audit log keep its name.

    Raises:
        InvalidRequest: the tenant would have no administrator left.
        NotFound: there is no such person.
    """
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        found = _found(connection, tenant_id, email)
        _keep_an_administrator(connection, tenant_id, found, "email")
        disabled = _update(connection, tenant_id, email, disabled_at=sql.now())
        # With the row locked: no session begins any more that would be left.
        end_sessions_of(connection, tenant_id, found.id)
        return disabled


def enable_user(engine: Engine, tenant_id: int, email: str, *, actor: Actor) -> User:
    """Put a disabled account into use again.

    Raises:
        NotFound: there is no such person.
    """
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        _found(connection, tenant_id, email)
        return _update(connection, tenant_id, email, disabled_at=None)


def end_sessions_of(connection: Connection, tenant_id: int, user_id: int) -> None:
    """Sign a person out of every browser."""
    connection.execute(
        delete(UserSessionRow).where(
            UserSessionRow.tenant_id == tenant_id, UserSessionRow.user_id == user_id
        )
    )


def _keep_an_administrator(
    connection: Connection, tenant_id: int, leaving: User, field: str
) -> None:
    """Refuse that the last administrator in use becomes none.

    The rows stay locked, so that of two administrators who remove each other one is refused.
    """
    statement = (
        select(UserRow.id)
        .where(
            UserRow.tenant_id == tenant_id,
            UserRow.role == _ADMIN,
            UserRow.disabled_at.is_(None),
        )
        .order_by(UserRow.id)
        .with_for_update()
    )
    if list(connection.execute(statement).scalars()) == [leaving.id]:
        message = f"belongs to the last administrator, {leaving.name}; make another one first"
        raise InvalidRequest(f"The {field} {message}.", errors=(FieldError(field, message),))


def _update(connection: Connection, tenant_id: int, email: str, **values: object) -> User:
    statement = (
        update(UserRow)
        .where(UserRow.tenant_id == tenant_id, UserRow.email == email.strip().lower())
        .values(**values)
        .returning(*USER_COLUMNS)
    )
    return User(*connection.execute(statement).one())


def _found(connection: Connection, tenant_id: int, email: str) -> User:
    statement = select(*USER_COLUMNS).where(
        UserRow.tenant_id == tenant_id, UserRow.email == email.strip().lower()
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise NotFound(f"There is no person with the e-mail {email.strip().lower()}.")
    return User(*row)


def _role(role: str) -> str:
    if role not in ROLES:
        message = f"must be one of {', '.join(ROLES)}"
        raise InvalidRequest(f"The role {message}.", errors=(FieldError("role", message),))
    return role
