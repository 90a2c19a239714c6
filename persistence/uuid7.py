"""Identifiers that carry their time."""

from __future__ import annotations

from os import urandom
from time import time_ns
from uuid import UUID, SafeUUID


def new_ids(count: int) -> list[tuple[UUID, UUID]]:
    """Return ids of so many transactions and of their predictions: UUIDv7 (RFC 9562) of now.

    All are of the same millisecond and so of the same month: a prediction and its transaction are
    kept and dropped together.
    """
    now_ms = time_ns() // 1_000_000
    random = urandom(20 * count)
    return [
        (
            _uuid7(now_ms, int.from_bytes(random[at : at + 10])),
            _uuid7(now_ms, int.from_bytes(random[at + 10 : at + 20])),
        )
        for at in range(0, len(random), 20)
    ]


def first_id_at(unix_ms: int) -> UUID:
    """Return the least id of a millisecond since 1970, 0 to 2^48 - 1."""
    return UUID(int=unix_ms << 80)


def unix_ms_of(id_: UUID) -> int:
    """Return the millisecond since 1970 that an id carries."""
    return id_.int >> 80


def _uuid7(unix_ms: int, random: int) -> UUID:
    # RFC 9562, 5.7: 48 bits of time, version 7, 12 random bits, variant 0b10, 62 random bits.
    high = unix_ms << 80 | 0x7 << 76 | (random >> 62 & 0xFFF) << 64
    return _uuid(high | 0b10 << 62 | random & (1 << 62) - 1)


def _uuid(number: int) -> UUID:
    """Do as `UUID(int=number)`, which checks what holds here, in 0.2 us instead of 0.5."""
    made = UUID.__new__(UUID)
    object.__setattr__(made, "int", number)
    object.__setattr__(made, "is_safe", SafeUUID.unknown)
    return made
