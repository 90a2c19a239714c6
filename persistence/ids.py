"""Identifiers that carry their time."""

from __future__ import annotations

from uuid import UUID

from uuid_utils import compat


def new_id() -> UUID:
    """Return a UUIDv7 (RFC 9562): milliseconds, then random bits; rising within the process."""
    return compat.uuid7()
