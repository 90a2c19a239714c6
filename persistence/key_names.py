"""Names of API keys: their form, their uniqueness, and the look-up of a key by its name.

A name is unique among a tenant's keys that are not revoked; an expired key gives its name up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, or_, select, update
from sqlalchemy import func as sql
from sqlalchemy.exc import IntegrityError

from persistence.tables.tenants import ApiKeyRow
from scoring.errors import FieldError, InvalidRequest, NotFound

MAX_NAME_LENGTH = 64
KEY_START = "sk_"
"""Beginning of every key, and of no name."""


def find_key(connection: Connection, tenant_id: int, key: str) -> int:
    """Return the id of the key that is not revoked and has the name or prefix; lock its row.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose key it is.
        key: name or public prefix of the key, or the key itself.

    Raises:
        NotFound: the tenant has no such key that is not revoked.
        InvalidRequest: `key` stands for two keys.
    """
    is_key = key.startswith(KEY_START)
    shown = shown_key(key)
    is_found = ApiKeyRow.prefix == shown
    statement = (
        select(ApiKeyRow.id)
        .where(ApiKeyRow.tenant_id == tenant_id, ApiKeyRow.revoked_at.is_(None))
        .where(is_found if is_key else or_(is_found, ApiKeyRow.name == shown))
        .with_for_update()
    )
    # Postgres stores no text that is not UTF-8, which an argument of a command may be.
    found = connection.execute(statement).scalars().all() if shown.isprintable() else []
    if not found:
        raise NotFound(f"The tenant has no valid key with the name or prefix {shown!r}.")
    if len(found) > 1:
        raise InvalidRequest(
            f"{shown!r} is the name of one key and the prefix of another; `{KEY_START}{shown}`"
            " is the one with the prefix."
        )
    return found[0]


def shown_key(key: str) -> str:
    """Return a key's name or public prefix as messages show it: of a whole key, its prefix.

    Args:
        key: name or public prefix of the key, or the key itself.
    """
    return key.removeprefix(KEY_START).split("_")[0] if key.startswith(KEY_START) else key


def check_name(name: str) -> None:
    """Check a name.

    Raises:
        InvalidRequest: the name is malformed; the message says what it must be.
    """
    is_valid = 0 < len(name) <= MAX_NAME_LENGTH and name.isprintable() and name == name.strip()
    if not is_valid or name.startswith(KEY_START):
        message = (
            f"must be 1 to {MAX_NAME_LENGTH} printable characters without spaces at its ends, and"
            f" must not begin with {KEY_START}"
        )
        raise InvalidRequest(f"The name {message}.", errors=(FieldError("name", message),))


def free_name(connection: Connection, tenant_id: int, name: str, but: int | None = None) -> None:
    """Revoke the expired key that has the name, unless its id is `but`."""
    connection.execute(
        update(ApiKeyRow)
        .where(ApiKeyRow.tenant_id == tenant_id, ApiKeyRow.name == name)
        .where(ApiKeyRow.revoked_at.is_(None), ApiKeyRow.expires_at <= sql.now())
        .where(ApiKeyRow.id.is_distinct_from(but))
        .values(revoked_at=sql.now())
    )


@contextmanager
def unique_name(name: str) -> Iterator[None]:
    """Translate the violation of the names' uniqueness inside the block.

    Raises:
        InvalidRequest: another key of the tenant, which is not revoked, has the name.
    """
    try:
        yield
    except IntegrityError as error:
        if "uq_api_keys_active_name" not in str(error.orig):
            raise
        message = f"is taken: the tenant has a key {name!r}; revoke or rename it first"
        raise InvalidRequest(
            f"The name {message}.", errors=(FieldError("name", message),)
        ) from error
