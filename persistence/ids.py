"""Identifiers that carry their time."""

from __future__ import annotations

from os import urandom
from time import time_ns
from uuid import UUID


def new_ids() -> tuple[UUID, UUID]:
    """Return a transaction's id and its prediction's: UUIDv7 (RFC 9562) of the same millisecond.

    Both fall in the same month, so that a prediction and its transaction are kept and dropped
    together.
    """
    now_ms = time_ns() // 1_000_000
    random = int.from_bytes(urandom(20))
    return _uuid7(now_ms, random >> 80), _uuid7(now_ms, random)


def first_id_at(unix_ms: int) -> UUID:
    """Return the least id of a millisecond since 1970, 0 to 2^48 - 1."""
    return UUID(int=unix_ms << 80)


def unix_ms_of(id_: UUID) -> int:
    """Return the millisecond since 1970 that an id carries."""
    return id_.int >> 80


def _uuid7(unix_ms: int, random: int) -> UUID:
    # RFC 9562, 5.7: 48 bits of time, version 7, 12 random bits, variant 0b10, 62 random bits.
    high = unix_ms << 80 | 0x7 << 76 | (random >> 62 & 0xFFF) << 64
    return UUID(int=high | 0b10 << 62 | random & (1 << 62) - 1)
