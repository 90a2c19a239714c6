"""Identifiers that contain their time: UUIDv7 (RFC 9562)."""

from __future__ import annotations

from time import time_ns
from uuid import UUID

from uuid_utils.compat import uuid7


def new_ids(count: int, now_ns: int | None = None) -> list[tuple[UUID, UUID]]:
    """Return pairs of ids, transaction and prediction: UUIDv7 of one moment, in random order.

    All have the same millisecond and so the same month: a prediction and its transaction are kept
    and dropped together.

    Args:
        count: number of pairs.
        now_ns: their moment, nanoseconds since 1970; None is now.
    """
    at_ns = time_ns() if now_ns is None else now_ns
    return [(uuid7(nanoseconds=at_ns), uuid7(nanoseconds=at_ns)) for _ in range(count)]


def first_id_at(unix_ms: int) -> UUID:
    """Return the least id of a millisecond since 1970, 0 to 2^48 - 1."""
    return UUID(int=unix_ms << 80)


def unix_ms_of(id_: UUID) -> int:
    """Return the millisecond since 1970 that an id contains."""
    return id_.int >> 80
