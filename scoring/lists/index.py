"""Index: which lists an entity is in, for a million entries in 36 MB.

An entry is the 16-byte BLAKE2b digest of its value and four numbers in arrays that are sorted by
the first half of the digest, in one of 256 parts by its first byte. Two values with one digest
among 10^6 entries and 10^12 look-ups have a probability of 3 * 10^-21, and nobody can search for
them with less than 2^64 digests. The values themselves stay in the database.

An index is immutable: a change copies the parts that it touches, so those who read the one before
need no lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scoring.columns import FloatArray
from scoring.lists.entity_list import ListEntry

DIGEST_BYTES = 16
NEVER_MS = 2**63 - 1
"""Expiry of an entry that stays."""
PARTS = 256

IntArray = NDArray[np.int64]
WordArray = NDArray[np.uint64]


def digest_of(value: str) -> bytes:
    """Return the digest by which an entity is found, DIGEST_BYTES long."""
    return blake2b(value.encode(), digest_size=DIGEST_BYTES).digest()


class Match(NamedTuple):
    """An entry of a value.

    Attributes:
        list_id: list that the value is in.
        entry_id: its entry.
        expires_ms: milliseconds since 1970 UTC from which on it does not count.
    """

    list_id: int
    entry_id: int
    expires_ms: int


class Entries(NamedTuple):
    """n entries as columns.

    Attributes:
        high: first 8 bytes of the digests as big-endian numbers, uint64 (n,).
        low: last 8 bytes, uint64 (n,).
        list_ids: int32 (n,).
        entry_ids: int64 (n,).
        expires_ms: int64 (n,), NEVER_MS for those that stay.
    """

    high: WordArray
    low: WordArray
    list_ids: NDArray[np.int32]
    entry_ids: IntArray
    expires_ms: IntArray

    @classmethod
    def of(
        cls,
        digests: bytes,
        list_ids: NDArray[np.integer],
        entry_ids: NDArray[np.integer],
        expires_ms: NDArray[np.integer],
    ) -> Entries:
        """Return n entries.

        Args:
            digests: digests one after another.
            list_ids, entry_ids, expires_ms: (n,) each.
        """
        words = np.frombuffer(digests, ">u8").reshape(-1, 2).astype(np.uint64)
        return cls(
            words[:, 0],
            words[:, 1],
            np.asarray(list_ids, np.int32),
            np.asarray(entry_ids, np.int64),
            np.asarray(expires_ms, np.int64),
        )

    def rows(self, which: NDArray[np.bool_] | IntArray | slice) -> Entries:
        """Return copies of some rows."""
        return Entries._make(np.array(column[which]) for column in self)

    def joined_with(self, others: Entries) -> Entries:
        """Return these entries and others."""
        return Entries(
            np.concatenate([self.high, others.high]),
            np.concatenate([self.low, others.low]),
            np.concatenate([self.list_ids, others.list_ids]),
            np.concatenate([self.entry_ids, others.entry_ids]),
            np.concatenate([self.expires_ms, others.expires_ms]),
        )


_EMPTY = Entries.of(b"", *(np.zeros(0, np.int64) for _ in range(3)))


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether each value of a column is in one list.

    Attributes:
        until_ms: expiry by code, float64 (values + 1,); -inf where the value is not in the list,
            +inf where it stays, and NaN at the end, which the code -1 of a missing value reaches.
        entry_ids: entry by code, int64 (values + 1,); 0 where there is none.
    """

    until_ms: FloatArray
    entry_ids: IntArray


class ListIndex:
    """The entries of a tenant's lists, by value.

    Args:
        parts: entries by the first byte of their digest, each sorted by `high`.
    """

    __slots__ = ("_count", "_parts")

    def __init__(self, parts: tuple[Entries, ...] = (_EMPTY,) * PARTS) -> None:
        self._parts = parts
        self._count = sum(len(part.high) for part in parts)

    @classmethod
    def of(cls, entries: Entries) -> ListIndex:
        """Return the index of n entries, none of which has the list and the value of another."""
        order = np.argsort(entries.high)
        first_bytes = (entries.high[order] >> np.uint64(56)).astype(np.int64)
        ends = np.searchsorted(first_bytes, np.arange(PARTS + 1))
        return cls(
            tuple(
                entries.rows(order[start:end]) if start < end else _EMPTY
                for start, end in zip(ends.tolist(), ends[1:].tolist(), strict=False)
            )
        )

    def __len__(self) -> int:
        return self._count

    @property
    def size_bytes(self) -> int:
        """Bytes of the arrays."""
        return sum(column.nbytes for part in self._parts for column in part)

    def with_changes(
        self, added: Sequence[ListEntry] = (), removed: Iterable[tuple[int, str]] = ()
    ) -> ListIndex:
        """Return the index after a change.

        Args:
            added: new entries; one takes the place of an entry with its list and value.
            removed: list and value of each entry that is removed; one that there is not is ignored.
        """
        new = [(digest_of(entry.value), entry) for entry in added]
        gone: dict[int, set[tuple[bytes, int]]] = defaultdict(set)
        for list_id, value in removed:
            digest = digest_of(value)
            gone[digest[0]].add((digest, list_id))
        arriving: dict[int, dict[tuple[bytes, int], ListEntry]] = defaultdict(dict)
        for digest, entry in new:
            gone[digest[0]].add((digest, entry.list_id))
            arriving[digest[0]][digest, entry.list_id] = entry
        parts = list(self._parts)
        for place, keys in gone.items():
            parts[place] = _changed(parts[place], keys, arriving.get(place, {}))
        return ListIndex(tuple(parts))

    def find(self, value: str) -> list[Match]:
        """Return the entries of a value, expired or not."""
        digest = digest_of(value)
        part = self._parts[digest[0]]
        high = np.uint64(int.from_bytes(digest[:8], "big"))
        row = int(part.high.searchsorted(high))
        found: list[Match] = []
        if row == len(part.high) or part.high[row] != high:
            return found
        low = int.from_bytes(digest[8:], "big")
        while row < len(part.high) and part.high[row] == high:
            if part.low[row] == low:
                found.append(
                    Match(
                        int(part.list_ids[row]), int(part.entry_ids[row]), int(part.expires_ms[row])
                    )
                )
            row += 1
        return found

    def memberships(self, values: Sequence[str]) -> Mapping[int, Membership]:
        """Return, for the values of a column, the lists that one of them is in, by id."""
        found: dict[int, Membership] = {}
        for code, value in enumerate(values):
            for match in self.find(value):
                one = found.get(match.list_id)
                if one is None:
                    one = found[match.list_id] = not_in_list(len(values))
                stays = match.expires_ms == NEVER_MS
                one.until_ms[code] = np.inf if stays else match.expires_ms
                one.entry_ids[code] = match.entry_id
        return found


def not_in_list(count: int) -> Membership:
    """Return that of `count` values none is in a list."""
    until_ms = np.full(count + 1, -np.inf)
    until_ms[-1] = np.nan
    return Membership(until_ms, np.zeros(count + 1, np.int64))


def _changed(
    part: Entries,
    gone: set[tuple[bytes, int]],
    arriving: Mapping[tuple[bytes, int], ListEntry],
) -> Entries:
    stays = np.ones(len(part.high), np.bool_)
    for digest, list_id in gone:
        same = part.high == np.uint64(int.from_bytes(digest[:8], "big"))
        if same.any():
            same &= part.low == np.uint64(int.from_bytes(digest[8:], "big"))
            stays &= ~(same & (part.list_ids == list_id))
    entries = list(arriving.values())
    new = Entries.of(
        b"".join(digest for digest, _ in arriving),
        np.array([entry.list_id for entry in entries], np.int64),
        np.array([entry.id for entry in entries], np.int64),
        np.array([_expiry(entry) for entry in entries], np.int64),
    )
    joined = part.rows(stays).joined_with(new)
    return joined.rows(np.argsort(joined.high))


def _expiry(entry: ListEntry) -> int:
    return NEVER_MS if entry.expires_ms is None else entry.expires_ms
