"""API keys: issued once, stored as keyed hashes, verified in constant time.

A key is `sk_<prefix>_<secret><checksum>`: the prefix selects the row, and a mistyped key fails the
checksum without a query. Its name is the actor in the audit log; names are unique among a tenant's
keys that are not revoked.

While the secret of the hashes is rotated, two are valid: a key that is used is hashed under the
first one, so each key that is in use leaves the second one by itself.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, insert, or_, select, update
from sqlalchemy import func as sql

from persistence.actor import Actor
from persistence.engine import transaction
from persistence.key_names import check_name, find_key, free_name, unique_name
from persistence.tables.tenants import ApiKeyRow, TenantRow
from persistence.tenancy import SERVICE, tenant_transaction
from scoring.errors import FieldError, InvalidRequest

SCOPES = ("score", "review", "admin")
_ALPHABET = string.ascii_letters + string.digits
_PREFIX_LENGTH = 10
_SECRET_LENGTH = 32
"""62**32, about 190 bits."""
_FORM = re.compile(
    rf"sk_([A-Za-z0-9]{{{_PREFIX_LENGTH}}})_[A-Za-z0-9]{{{_SECRET_LENGTH}}}[0-9a-f]{{8}}\Z"
)


@dataclass(frozen=True, slots=True)
class Principal:
    """The tenant and the API key of a request.

    Attributes:
        tenant_id: id of the tenant.
        tenant_slug: slug of the tenant.
        model_name: the tenant's registered model in MLflow.
        key_prefix: public prefix of the key.
        key_name: name of the key in its tenant.
        scopes: scopes of the key, of SCOPES.
        expires_at: time at which the key expires; None where it does not.
    """

    tenant_id: int
    tenant_slug: str
    model_name: str
    key_prefix: str
    key_name: str
    scopes: frozenset[str]
    expires_at: datetime | None

    @property
    def actor(self) -> Actor:
        """The key as the audit log names it."""
        return Actor(self.key_name, f"key {self.key_prefix}")

    def expired(self, now: datetime) -> bool:
        """Return whether the key has expired at `now` (UTC)."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class KeyListing:
    """A key without its secret, as listed to an administrator.

    Attributes:
        tenant_slug: slug of its tenant.
        name: name in its tenant.
        prefix: public prefix.
        secret_id: `secret_id` of the secret that it is hashed under; None where the key was issued
            by an earlier release and has not been used since.
        scopes: scopes, of SCOPES.
        created_at, expires_at, revoked_at, last_used_at: times; None where there was none.
    """

    tenant_slug: str
    name: str
    prefix: str
    secret_id: str | None
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def in_force(self, now: datetime) -> bool:
        """Return whether the key is neither revoked nor expired at `now` (UTC)."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


def digest(key: str, secret: bytes) -> bytes:
    """Return the keyed hash under which a key is stored: HMAC-SHA256, 32 bytes."""
    return hmac.digest(secret, key.encode(), hashlib.sha256)


def secret_id(secret: bytes) -> str:
    """Return the public fingerprint of a secret of the hashes: 8 hexadecimal digits."""
    return hmac.digest(secret, b"secret id", hashlib.sha256).hex()[:8]


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"


def key_prefix(key: str) -> str | None:
    """Return the key's public prefix, or None when it is malformed or mistyped."""
    match = _FORM.match(key)
    return match.group(1) if match and _checksum(key[:-8]) == key[-8:] else None


def issue_key(
    engine: Engine,
    tenant_id: int,
    scopes: tuple[str, ...],
    secret: bytes,
    expires_at: datetime | None = None,
    *,
    name: str | None = None,
    actor: Actor = SERVICE,
) -> str:
    """Create a key, store its hash, and return the key, which cannot be read again.

    An expired key of the same name is revoked.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose key it is.
        scopes: scopes, of SCOPES; at least one.
        secret: secret of the hash.
        expires_at: time at which the key expires; None: never.
        name: name of the key, see `check_name`; None: its prefix.
        actor: person who issues the key.

    Raises:
        InvalidRequest: a scope is unknown or missing, the expiry is in the past, or the name is
            malformed or taken.
    """
    if name is not None:
        check_name(name)
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        message = f"must be one or more of {', '.join(SCOPES)}"
        raise InvalidRequest(f"The scopes {message}.", errors=(FieldError("scopes", message),))
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise InvalidRequest("The expiry of the key is in the past; choose a later one.")
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(_PREFIX_LENGTH))
    body = f"sk_{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
    key = body + _checksum(body)
    statement = insert(ApiKeyRow).values(
        tenant_id=tenant_id,
        prefix=prefix,
        name=name or prefix,
        digest=digest(key, secret),
        secret_id=secret_id(secret),
        scopes=sorted(set(scopes), key=SCOPES.index),
        expires_at=expires_at,
    )
    with (
        unique_name(name or prefix),
        tenant_transaction(engine, tenant_id, actor=actor) as connection,
    ):
        free_name(connection, tenant_id, name or prefix)
        connection.execute(statement)
    return key


class KeyIssuer:
    """Issues keys of one deployment; whoever uses it does not learn the secret of the hashes.

    Args:
        secret: secret under which new keys are hashed.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def issue(
        self,
        engine: Engine,
        tenant_id: int,
        scopes: tuple[str, ...],
        expires_at: datetime | None,
        *,
        name: str,
        actor: Actor,
    ) -> str:
        """Create a key and return it; arguments and errors as for `issue_key`."""
        return issue_key(
            engine, tenant_id, scopes, self._secret, expires_at, name=name, actor=actor
        )


def verify_key(engine: Engine, key: str, *secrets_: bytes) -> Principal | None:
    """Return the principal of a key; None where the key is unknown, revoked or expired.

    Args:
        engine: pool of connections.
        key: key as the caller sent it.
        secrets_: secrets of the hashes that are valid; a key of another one than the first is
            hashed under the first.
    """
    prefix = key_prefix(key)
    if prefix is None:
        return None
    statement = (
        select(
            ApiKeyRow.digest,
            ApiKeyRow.secret_id,
            TenantRow.id,
            TenantRow.slug,
            TenantRow.model_name,
            ApiKeyRow.name,
            ApiKeyRow.scopes,
            ApiKeyRow.expires_at,
        )
        .join(TenantRow, TenantRow.id == ApiKeyRow.tenant_id)
        .where(ApiKeyRow.prefix == prefix, ApiKeyRow.revoked_at.is_(None))
        .where(or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > sql.now()))
    )
    record_use = (
        update(ApiKeyRow)
        .where(ApiKeyRow.prefix == prefix)
        .where(
            or_(
                ApiKeyRow.last_used_at.is_(None),
                ApiKeyRow.last_used_at < sql.now() - timedelta(minutes=1),
            )
        )
        .values(last_used_at=sql.now())
    )
    with transaction(engine) as connection:
        connection.execute(select(sql.set_config("sentinel.key_prefix", prefix, True)))
        row = connection.execute(statement).one_or_none()
        valid = [hmac.compare_digest(row.digest, digest(key, s)) for s in secrets_] if row else []
        if row is None or not any(valid):
            return None
        first = secret_id(secrets_[0])
        if not valid[0] or row.secret_id != first:
            hashed = {"digest": digest(key, secrets_[0]), "secret_id": first}
            connection.execute(update(ApiKeyRow).where(ApiKeyRow.prefix == prefix).values(**hashed))
        connection.execute(record_use)
    return Principal(
        row.id, row.slug, row.model_name, prefix, row.name, frozenset(row.scopes), row.expires_at
    )


def list_keys(engine: Engine, *tenant_ids: int) -> list[KeyListing]:
    """Return the keys of tenants, by tenant, the newest first."""
    statement = (
        select(
            TenantRow.slug,
            ApiKeyRow.name,
            ApiKeyRow.prefix,
            ApiKeyRow.secret_id,
            ApiKeyRow.scopes,
            ApiKeyRow.created_at,
            ApiKeyRow.expires_at,
            ApiKeyRow.revoked_at,
            ApiKeyRow.last_used_at,
        )
        .join(TenantRow, TenantRow.id == ApiKeyRow.tenant_id)
        .where(ApiKeyRow.tenant_id.in_(tenant_ids))
        .order_by(TenantRow.slug, ApiKeyRow.id.desc())
    )
    with tenant_transaction(engine, *tenant_ids) as connection:
        rows = connection.execute(statement).all()
    return [
        KeyListing(row.slug, row.name, row.prefix, row.secret_id, tuple(row.scopes), *row[5:])
        for row in rows
    ]


def rename_key(
    engine: Engine, tenant_id: int, key: str, name: str, *, actor: Actor = SERVICE
) -> None:
    """Give a tenant's key another name; entries of the audit log keep the one before.

    Args:
        engine: pool that acts as the tables' owner.
        tenant_id: tenant whose key it is.
        key: name or public prefix of the key.
        name: name from now on, see `check_name`.
        actor: person who renames it.

    Raises:
        NotFound: the tenant has no such key that is not revoked.
        InvalidRequest: the name is malformed or taken, or `key` stands for two keys.
    """
    check_name(name)
    with unique_name(name), tenant_transaction(engine, tenant_id, actor=actor) as connection:
        found = find_key(connection, tenant_id, key)
        free_name(connection, tenant_id, name, but=found)
        connection.execute(update(ApiKeyRow).where(ApiKeyRow.id == found).values(name=name))


def revoke_key(engine: Engine, tenant_id: int, key: str, *, actor: Actor = SERVICE) -> None:
    """Revoke a tenant's key.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose key it is.
        key: name or public prefix of the key, or the key itself.
        actor: person who revokes it.

    Raises:
        NotFound: the tenant has no such key that is not revoked.
        InvalidRequest: `key` stands for two keys.
    """
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        found = find_key(connection, tenant_id, key)
        connection.execute(
            update(ApiKeyRow).where(ApiKeyRow.id == found).values(revoked_at=sql.now())
        )
