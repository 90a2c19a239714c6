"""The ids of decisions: UUIDv7 of one millisecond, and nothing in them that repeats."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from time import time_ns
from uuid import RFC_4122, UUID

import pytest

from persistence import uuid7
from persistence.uuid7 import first_id_at, new_ids, unix_ms_of

RANDOM_BITS = (0xFFF << 64) | ((1 << 62) - 1)
"""The 74 bits of an id that are neither its time nor its version and variant."""


def flat(pairs: list[tuple[UUID, UUID]]) -> list[UUID]:
    return [id_ for pair in pairs for id_ in pair]


def test_ids_are_of_the_standard_type_version_and_variant() -> None:
    for id_ in flat(new_ids(10)):
        # Exactly: orjson refuses a subclass or a look-alike.
        assert type(id_) is UUID
        assert (id_.version, id_.variant) == (7, RFC_4122)


def test_ids_carry_the_millisecond_of_the_call() -> None:
    before_ms = time_ns() // 1_000_000
    ids = flat(new_ids(1))
    after_ms = time_ns() // 1_000_000
    assert all(before_ms <= unix_ms_of(id_) <= after_ms for id_ in ids)


def test_all_ids_of_a_call_carry_one_millisecond_however_long_the_call_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moment_ms = 1_893_455_999_999  # the last of a month: one later would be in the next partition
    monkeypatch.setattr(uuid7, "time_ns", lambda: moment_ms * 1_000_000 + 999_999)
    ids = flat(new_ids(5000))
    assert {unix_ms_of(id_) for id_ in ids} == {moment_ms}
    assert len(set(ids)) == len(ids)


def test_a_call_leaves_the_time_of_the_next_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(uuid7, "time_ns", lambda: 2_000_000_000_000_000_000)
        new_ids(1)
    assert unix_ms_of(new_ids(1)[0][0]) < 2_000_000_000_000


def test_every_bit_that_is_not_time_or_version_is_random(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uuid7, "time_ns", lambda: 1_700_000_000_123_456_789)
    ids = flat(new_ids(1000))
    for bit in range(128):
        ones = sum(id_.int >> bit & 1 for id_ in ids)
        if RANDOM_BITS >> bit & 1:
            # Nine standard deviations of 2000 fair throws: one run in 10^17 fails by chance.
            assert abs(ones - 1000) < 200, bit
        else:
            assert ones in {0, 2000}, bit


def test_threads_and_forked_processes_make_ids_of_their_own() -> None:
    with ThreadPoolExecutor(8) as threads:
        pairs = [pair for made in threads.map(new_ids, [500] * 8) for pair in made]
    ids = flat(pairs)
    assert len(set(ids)) == len(ids)

    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writes, new_ids(1)[0][0].bytes)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    theirs = UUID(bytes=os.read(reads, 16))
    os.close(reads)
    os.close(writes)
    assert theirs.int & RANDOM_BITS != new_ids(1)[0][0].int & RANDOM_BITS


@pytest.mark.parametrize("unix_ms", [0, 1, 1_700_000_000_123, (1 << 48) - 1])
def test_the_first_id_of_a_millisecond_is_below_every_other_and_carries_it(unix_ms: int) -> None:
    first = first_id_at(unix_ms)
    assert unix_ms_of(first) == unix_ms
    if 0 < unix_ms < (1 << 48) - 1:
        assert first < UUID(int=unix_ms << 80 | 7 << 76 | 0b10 << 62) < first_id_at(unix_ms + 1)
