"""API keys: issued once, stored as keyed hashes, verified in constant time.

A key is `sk_<prefix>_<secret><checksum>`: the prefix selects the row, and a mistyped key fails the
checksum without a query.
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

from persistence.engine import transaction
from persistence.tables.tenants import ApiKeyRow, TenantRow
from persistence.tenancy import tenant_transaction
from scoring.errors import FieldError, InvalidRequest, NotFound

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
        key_prefix: public prefix of the key, its name in logs and in the audit log.
        scopes: scopes of the key, of SCOPES.
        expires_at: time at which the key expires; None where it does not.
    """

    tenant_id: int
    tenant_slug: str
    model_name: str
    key_prefix: str
    scopes: frozenset[str]
    expires_at: datetime | None

    def expired(self, now: datetime) -> bool:
        """Return whether the key has expired at `now` (UTC)."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class KeyListing:
    """A key without its secret, as listed to an administrator."""

    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


def digest(key: str, secret: bytes) -> bytes:
    """Return the keyed hash under which a key is stored: HMAC-SHA256, 32 bytes."""
    return hmac.digest(secret, key.encode(), hashlib.sha256)


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
) -> str:
    """Create a key, store its hash, and return the key, which cannot be read again.

    Raises:
        InvalidRequest: a scope is unknown or missing, or the expiry is in the past.
    """
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
        digest=digest(key, secret),
        scopes=sorted(set(scopes), key=SCOPES.index),
        expires_at=expires_at,
    )
    with tenant_transaction(engine, tenant_id) as connection:
        connection.execute(statement)
    return key


def verify_key(engine: Engine, key: str, secret: bytes) -> Principal | None:
    """Return the principal of a key; None where the key is unknown, revoked or expired."""
    prefix = key_prefix(key)
    if prefix is None:
        return None
    statement = (
        select(
            ApiKeyRow.digest,
            TenantRow.id,
            TenantRow.slug,
            TenantRow.model_name,
            ApiKeyRow.prefix,
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
        if row is None or not hmac.compare_digest(row.digest, digest(key, secret)):
            return None
        connection.execute(record_use)
    return Principal(
        row.id, row.slug, row.model_name, prefix, frozenset(row.scopes), row.expires_at
    )


def list_keys(engine: Engine, tenant_id: int) -> list[KeyListing]:
    """Return a tenant's keys, the newest first."""
    statement = (
        select(
            ApiKeyRow.prefix,
            ApiKeyRow.scopes,
            ApiKeyRow.created_at,
            ApiKeyRow.expires_at,
            ApiKeyRow.revoked_at,
            ApiKeyRow.last_used_at,
        )
        .where(ApiKeyRow.tenant_id == tenant_id)
        .order_by(ApiKeyRow.id.desc())
    )
    with tenant_transaction(engine, tenant_id) as connection:
        rows = connection.execute(statement).all()
    return [KeyListing(r.prefix, tuple(r.scopes), *r[2:]) for r in rows]


def revoke_key(engine: Engine, tenant_id: int, prefix: str) -> None:
    """Revoke a tenant's key by its public prefix.

    Raises:
        NotFound: the tenant has no valid key with that prefix.
    """
    statement = (
        update(ApiKeyRow)
        .where(ApiKeyRow.tenant_id == tenant_id, ApiKeyRow.prefix == prefix)
        .where(ApiKeyRow.revoked_at.is_(None))
        .values(revoked_at=sql.now())
        .returning(ApiKeyRow.id)
    )
    with tenant_transaction(engine, tenant_id) as connection:
        revoked = connection.execute(statement).one_or_none()
    if revoked is None:
        raise NotFound(f"The tenant has no valid key with the prefix {prefix!r}.")
