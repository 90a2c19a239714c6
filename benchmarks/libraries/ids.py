"""Compare makers of UUIDv7: uuid-utils, its other functions, and our code that it replaced."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from os import urandom
from time import time_ns
from uuid import UUID, SafeUUID

import orjson
import uuid_utils
from uuid_utils.compat import uuid7

from benchmarks.libraries.timing import in_turn, show
from persistence.uuid7 import new_ids


def compare(calls: int, rounds: int) -> None:
    """Print the types and order of the ids, and the time of pairs of ids."""
    for function, value in (("compat.uuid7", uuid7()), ("uuid7", uuid_utils.uuid7())):
        try:
            written = orjson.dumps(value).decode()
        except TypeError as error:
            written = f"refused, {error}"
        print(f"uuid_utils.{function}: {type(value).__module__}.UUID; by orjson: {written}")
    live = [uuid7() for _ in range(100_000)]
    one_moment = [uuid7(nanoseconds=1_700_000_000_123_456_789) for _ in range(1000)]
    print(f"ascending pairs of live ids: {_ascending(live):.2f}")
    print(f"ascending pairs of ids of one moment: {_ascending(one_moment):.2f}")
    for count in (1, 1000):
        show(f"{count} pairs", in_turn(_ways(count), max(20, calls // 10 // count), rounds), "ns")


def _ascending(ids: list[UUID]) -> float:
    return sum(a < b for a, b in pairwise(ids)) / (len(ids) - 1)


def _ways(count: int) -> dict[str, Callable[[], object]]:
    return {
        "our own, before": lambda: _own_ids(count),
        "new_ids: compat.uuid7, one moment": lambda: new_ids(count),
        "compat.uuid7, each its own moment": lambda: [(uuid7(), uuid7()) for _ in range(count)],
        "uuid_utils.uuid7, a type of its own": lambda: [
            (uuid_utils.uuid7(), uuid_utils.uuid7()) for _ in range(count)
        ],
    }


def _own_ids(count: int) -> list[tuple[UUID, UUID]]:
    """Return ids made by our former code."""
    now_ms = time_ns() // 1_000_000
    random = urandom(20 * count)
    return [
        (
            _own_uuid7(now_ms, int.from_bytes(random[at : at + 10])),
            _own_uuid7(now_ms, int.from_bytes(random[at + 10 : at + 20])),
        )
        for at in range(0, len(random), 20)
    ]


def _own_uuid7(unix_ms: int, random: int) -> UUID:
    # RFC 9562, 5.7: 48 bits of time, version 7, 12 random bits, variant 0b10, 62 random bits.
    high = unix_ms << 80 | 0x7 << 76 | (random >> 62 & 0xFFF) << 64
    made = UUID.__new__(UUID)
    object.__setattr__(made, "int", high | 0b10 << 62 | random & (1 << 62) - 1)
    object.__setattr__(made, "is_safe", SafeUUID.unknown)
    return made
