"""Ways to hold a million entries of lists."""

from __future__ import annotations

import gc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from random import Random
from time import process_time
from typing import Any

import numpy as np
import psutil
from numba import njit
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.rules.samples import digests, indexed, value
from scoring.lists.entity_list import ListEntry
from scoring.lists.index import digest_of
from sentinel.local.terminal import open_console

Find = Callable[[str], object]
Change = Callable[[int], object]
Columns = list[NDArray[Any]]
_LOOKED_UP = 20_000
_CHANGES = 20
_LIST = 1


def compare(entries: int, rounds: int) -> None:
    """Measure each way in a process of its own, and print a table of CPU times."""
    table = Table("way", "MB", "found, µs", "not found, µs", "one added, ms")
    for name in WAYS:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            table.add_row(name, *pool.submit(_measured, name, entries, rounds).result())
    open_console().print(table)


def _measured(name: str, count: int, rounds: int) -> list[str]:
    WAYS[name](digests(1000), _columns(1000))  # compiles
    joined, columns = digests(count), _columns(count)
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss
    find, change = WAYS[name](joined, columns)
    gc.collect()
    size_mb = (process.memory_info().rss - before) / 1e6
    rng = Random(1)  # noqa: S311 - a fixed sample
    known = [value(rng.randrange(count)) for _ in range(_LOOKED_UP)]
    unknown = [value(count + number) for number in range(_LOOKED_UP)]
    found_us, not_found_us = (_look_up_us(find, values, rounds) for values in (known, unknown))
    begun = process_time()
    for number in range(_CHANGES):
        change(number)
    change_ms = (process_time() - begun) / _CHANGES * 1e3
    return [f"{size_mb:.0f}", f"{found_us:.1f}", f"{not_found_us:.1f}", f"{change_ms:.3f}"]


def _look_up_us(find: Find, values: list[str], rounds: int) -> float:
    """Return the median CPU time of a look-up."""
    times = []
    for _ in range(rounds):
        begun = process_time()
        for one in values:
            find(one)
        times.append((process_time() - begun) / len(values) * 1e6)
    return float(np.median(times))


def _new(number: int) -> str:
    return f"new{number}"


def _halves(digest: bytes) -> tuple[np.uint64, np.uint64]:
    return (
        np.uint64(int.from_bytes(digest[:8], "big")),
        np.uint64(int.from_bytes(digest[8:], "big")),
    )


def _columns(count: int) -> Columns:
    """Return list, entry and expiry of each entry."""
    return [np.full(count, _LIST, np.int32), np.arange(count), np.arange(count) + 2**41]


def _dict_of_values(_joined: bytes, columns: Columns) -> tuple[Find, Change]:
    found = {value(number): (_LIST, number, number + 2**41) for number in range(len(columns[0]))}

    def change(number: int) -> None:
        found[_new(number)] = (_LIST, number, 0)

    return found.get, change


def _dict_of_digests(joined: bytes, columns: Columns) -> tuple[Find, Change]:
    found = {joined[16 * row : 16 * row + 16]: row for row in range(len(columns[0]))}
    kept = [column.copy() for column in columns]

    def find(one: str) -> object:
        row = found.get(digest_of(one))
        return row is not None and [column[row] for column in kept]

    def change(number: int) -> None:
        found[digest_of(_new(number))] = 0

    return find, change


def _sorted_arrays(joined: bytes, columns: Columns) -> tuple[Find, Change]:
    words = np.frombuffer(joined, ">u8").reshape(-1, 2).astype(np.uint64)
    order = np.argsort(words[:, 0])
    all_columns = (words[:, 0], words[:, 1], *columns)
    held: list[Columns] = [[column[order] for column in all_columns]]
    del words, order, all_columns

    def find(one: str) -> object:
        own = held[0]
        high, low = _halves(digest_of(one))
        row = int(own[0].searchsorted(high))
        if row == len(own[0]) or own[0][row] != high or own[1][row] != low:
            return None
        return [column[row] for column in own[2:]]

    def change(number: int) -> None:
        high, low = _halves(digest_of(_new(number)))
        row = int(held[0][0].searchsorted(high))
        new: tuple[Any, ...] = (high, low, _LIST, number, 0)
        pairs = zip(held[0], new, strict=True)
        held[0] = [np.insert(old, row, one) for old, one in pairs]

    return find, change


def _hash_table(joined: bytes, columns: Columns) -> tuple[Find, Change]:
    words = np.frombuffer(joined, ">u8").reshape(-1, 2).astype(np.uint64)
    table = np.zeros((1 << (len(words) * 4 // 3).bit_length(), 3), np.uint64)
    _fill(table, words)
    kept = [column.copy() for column in columns]

    def find(one: str) -> object:
        slot = _slot(table, *_halves(digest_of(one)))
        return table[slot, 0] and [column[int(table[slot, 2])] for column in kept]

    def change(number: int) -> None:
        high, low = _halves(digest_of(_new(number)))
        table[_slot(table, high, low)] = high, low, 0

    return find, change


@njit
def _slot(table: Any, high: Any, low: Any) -> Any:  # noqa: ANN401 - arrays and words
    mask = np.uint64(len(table) - 1)
    slot = high & mask
    while table[slot, 0] != 0 and (table[slot, 0] != high or table[slot, 1] != low):
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit
def _fill(table: Any, words: Any) -> None:  # noqa: ANN401 - arrays
    for row in range(len(words)):
        slot = _slot(table, words[row, 0], words[row, 1])
        table[slot, 0], table[slot, 1], table[slot, 2] = words[row, 0], words[row, 1], row


def _buckets(joined: bytes, columns: Columns) -> tuple[Find, Change]:
    held = [indexed(joined, *columns)]

    def change(number: int) -> None:
        entry = ListEntry(number, _LIST, _new(number), "a reason", "ana")
        held[0] = held[0].with_changes([entry])

    return (lambda one: held[0].find(one)), change


WAYS: dict[str, Callable[[bytes, Columns], tuple[Find, Change]]] = {
    "dict of values": _dict_of_values,
    "dict of digests": _dict_of_digests,
    "sorted arrays": _sorted_arrays,
    "hash table (Numba)": _hash_table,
    "buckets (ListIndex)": _buckets,
}
