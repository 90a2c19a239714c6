"""Sessions of people in the console: sign in, look up, sign out.

A session is a random token in a cookie; the database has its SHA-256 only. It ends after IDLE
without a request, at the latest after LONGEST, and when the person signs out, is disabled or gets
another password (https://cheatsheetseries.owasp.org/cheatsheets/Session_Management_Cheat_Sheet.html).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, case, delete, insert, or_, select, text, update
from sqlalchemy import func as sql

from persistence.actor import Actor
from persistence.people.passwords import is_password
from persistence.people.users import USER_COLUMNS, User, end_sessions_of
from persistence.tables.people import UserRow, UserSessionRow
from persistence.tables.tenants import TenantRow
from persistence.tenancy import tenant_transaction
from scoring.errors import Unauthenticated

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
MAX_FAILURES = 5
"""Failed sign-ins after which no password is accepted for LOCKED."""
LOCKED = timedelta(minutes=15)

NOBODY = 0
"""No tenant and no person has this id."""

_NO_WAIT = text("SET LOCAL synchronous_commit = off")
_SEEN_EVERY = timedelta(minutes=1)
_TOKEN_BYTES = 32
REFUSED = (
    "The organisation, e-mail or password is not right, or there were too many attempts: after "
    f"{MAX_FAILURES} that failed, none is accepted for {LOCKED // timedelta(minutes=1)} minutes."
)
"""The same for every failure, so that nobody learns which accounts exist."""


class SignInRefused(Unauthenticated):
    """Organisation, e-mail or password is wrong, or the account is locked or disabled."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person who is signed in.

    Attributes:
        user: the person's account.
        tenant_slug: slug of the tenant.
        model_name: the tenant's registered model in MLflow.
        currency: ISO 4217 code of the tenant's amounts; None where it is not known.
        time_zone: IANA name of the zone in which times are shown.
    """

    user: User
    tenant_slug: str
    model_name: str
    currency: str | None
    time_zone: str

    @property
    def tenant_id(self) -> int:
        """Tenant whose rows the person sees."""
        return self.user.tenant_id

    @property
    def actor(self) -> Actor:
        """The person as the audit log names them."""
        return actor_of(self.user)


def actor_of(user: User) -> Actor:
    """Return a person as the audit log names them."""
    return Actor(user.name, f"user {user.email}")


def new_token(tenant_id: int) -> str:
    """Return a random token, which begins with its tenant."""
    return f"{tenant_id}.{secrets.token_urlsafe(_TOKEN_BYTES)}"


def token_digest(token: str) -> bytes:
    """Return the SHA-256 under which a token is stored; it has 256 random bits, so no salt."""
    return hashlib.sha256(token.encode()).digest()


def token_tenant(token: str) -> int | None:
    """Return the tenant of a token; None where it is malformed."""
    tenant, dot, rest = token.partition(".")
    is_number = tenant.isascii() and tenant.isdigit() and len(tenant) <= len(str(2**63)) - 1
    return int(tenant) if dot and rest and is_number else None


def sign_in(engine: Engine, tenant_slug: str, email: str, password: str) -> str:
    """Return the token of a new session of the person with a password.

    Args:
        engine: pool of connections.
        tenant_slug: slug of the tenant, as it was typed.
        email: e-mail address, as it was typed.
        password: password, as it was typed.

    Raises:
        SignInRefused: no session; the message is the same whatever the reason.
    """
    # Every failure runs the same statements and hashes once, so that each takes the same time.
    tenant_id = _tenant_id(engine, tenant_slug)
    found = _find(engine, NOBODY if tenant_id is None else tenant_id, email)
    user = found[0] if found else None
    is_right = is_password(found[1] if found else None, password)
    if user is None or not is_right or user.disabled_at is not None or _is_locked(user):
        _record_failure(engine, user)
        raise SignInRefused(REFUSED)
    with tenant_transaction(engine, user.tenant_id, actor=actor_of(user)) as connection:
        token = begin_session(connection, user)
    if token is None:
        raise SignInRefused(REFUSED)
    return token


def sign_in_as(engine: Engine, tenant_slug: str, email: str) -> str:
    """Return the token of a new session of a person whom somebody else vouches for.

    Args:
        engine: pool of connections.
        tenant_slug: slug of the tenant, as it was typed.
        email: verified e-mail address.

    Raises:
        SignInRefused: the tenant has no such person, or the account is disabled.
    """
    tenant_id = _tenant_id(engine, tenant_slug)
    found = _find(engine, NOBODY if tenant_id is None else tenant_id, email)
    token = None
    if found is not None:
        user = found[0]
        with tenant_transaction(engine, user.tenant_id, actor=actor_of(user)) as connection:
            token = begin_session(connection, user)
    if token is None:
        raise SignInRefused(f"The organisation has no account in use with the e-mail {email}.")
    return token


def begin_session(connection: Connection, user: User) -> str | None:
    """Begin a session of a person, and return its token; sessions that are over are removed.

    Returns:
        None where the account is disabled. Whoever disables it during the transaction waits for
        its end, and ends the session.
    """
    now = datetime.now(UTC)
    token = new_token(user.tenant_id)
    in_use = connection.execute(
        update(UserRow)
        .where(UserRow.tenant_id == user.tenant_id, UserRow.id == user.id)
        .where(UserRow.disabled_at.is_(None))
        .values(failures=0, locked_until=None)
    )
    if not in_use.rowcount:
        return None
    connection.execute(
        delete(UserSessionRow).where(
            UserSessionRow.tenant_id == user.tenant_id, UserSessionRow.expires_at <= now
        )
    )
    connection.execute(
        insert(UserSessionRow).values(
            tenant_id=user.tenant_id,
            digest=token_digest(token),
            user_id=user.id,
            expires_at=now + LONGEST,
        )
    )
    return token


def find_session(engine: Engine, token: str, *, is_active: bool = True) -> SignedIn | None:
    """Return who is signed in with a token; None where nobody is, or no longer.

    Args:
        engine: pool of connections.
        token: token of the cookie.
        is_active: whether the person did something; a page that refreshes itself keeps no session
            alive.
    """
    tenant_id = token_tenant(token)
    if tenant_id is None:
        return None
    now = datetime.now(UTC)
    is_this = (
        UserSessionRow.tenant_id == tenant_id,
        UserSessionRow.digest == token_digest(token),
    )
    statement = (
        select(
            *USER_COLUMNS,
            *(TenantRow.slug, TenantRow.model_name, TenantRow.currency, TenantRow.time_zone),
            UserSessionRow.last_seen_at,
        )
        .join(UserSessionRow, UserSessionRow.user_id == UserRow.id)
        .join(TenantRow, TenantRow.id == UserRow.tenant_id)
        .where(*is_this, UserRow.tenant_id == tenant_id, UserRow.disabled_at.is_(None))
        .where(UserSessionRow.expires_at > now, UserSessionRow.last_seen_at > now - IDLE)
    )
    seen = update(UserSessionRow).where(*is_this).values(last_seen_at=now)
    with tenant_transaction(engine, tenant_id) as connection:
        row = connection.execute(statement).one_or_none()
        if row is None:
            return None
        if is_active and row.last_seen_at < now - _SEEN_EVERY:
            connection.execute(seen)
    columns = len(USER_COLUMNS)
    return SignedIn(User(*row[:columns]), *row[columns:-1])


def sign_out(engine: Engine, token: str, signed_in: SignedIn, *, everywhere: bool = False) -> None:
    """End a session, or every session of its person.

    Args:
        engine: pool of connections.
        token: token of the cookie.
        signed_in: who is signed in with it.
        everywhere: whether the person's other sessions end too.
    """
    tenant_id = signed_in.tenant_id
    with tenant_transaction(engine, tenant_id, actor=signed_in.actor) as connection:
        if everywhere:
            end_sessions_of(connection, tenant_id, signed_in.user.id)
            return
        connection.execute(
            delete(UserSessionRow).where(
                UserSessionRow.tenant_id == tenant_id,
                UserSessionRow.digest == token_digest(token),
            )
        )


def _tenant_id(engine: Engine, slug: str) -> int | None:
    with tenant_transaction(engine) as connection:
        return connection.execute(
            select(TenantRow.id).where(TenantRow.slug == slug.strip().lower())
        ).scalar_one_or_none()


def _find(engine: Engine, tenant_id: int, email: str) -> tuple[User, str | None] | None:
    statement = select(*USER_COLUMNS, UserRow.password_hash).where(
        UserRow.tenant_id == tenant_id, UserRow.email == email.strip().lower()
    )
    with tenant_transaction(engine, tenant_id) as connection:
        row = connection.execute(statement).one_or_none()
    return (User(*row[:-1]), row[-1]) if row else None


def _is_locked(user: User) -> bool:
    return user.locked_until is not None and user.locked_until > datetime.now(UTC)


def _record_failure(engine: Engine, user: User | None) -> None:
    """Count a failed sign-in; the last one of MAX_FAILURES locks the account.

    For nobody, and for an account that is locked or disabled, the same statement finds no row.

    Args:
        engine: pool of connections.
        user: account with the e-mail; None: there is none.
    """
    tenant_id, user_id = (user.tenant_id, user.id) if user else (NOBODY, NOBODY)
    now = datetime.now(UTC)
    is_last = UserRow.failures + 1 >= MAX_FAILURES
    statement = (
        update(UserRow)
        .where(UserRow.tenant_id == tenant_id, UserRow.id == user_id)
        .where(UserRow.disabled_at.is_(None))
        .where(or_(UserRow.locked_until.is_(None), UserRow.locked_until <= now))
        .values(
            failures=sql.mod(UserRow.failures + 1, MAX_FAILURES),
            locked_until=case((is_last, now + LOCKED)),
        )
    )
    # Not the person: whoever guesses may be somebody else.
    with tenant_transaction(engine, tenant_id) as connection:
        # Waiting for the disk would show that a row was written. A crash loses one count at most.
        connection.execute(_NO_WAIT)
        connection.execute(statement)
