"""Index: which lists an entity is in, for a million entries in 40 MB.

An entry is a record of 36 bytes: the 16-byte BLAKE2b digest of its value and three numbers. The
records are in 65,536 buckets by the first two bytes of the digest, each a `bytes` of about 15
records that is searched for the digest. The values themselves stay in the database: two values with
one digest among 10^6 entries and 10^12 look-ups have a probability of 3 * 10^-21.

An index is immutable: a change copies the buckets that it touches, so those who read the one before
need no lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scoring.columns import FloatArray
from scoring.lists.entity_list import ListEntry

DIGEST_BYTES = 16
NEVER_MS = 2**63 - 1
"""Expiry of an entry that stays."""

_RECORD = Struct("<16siqq")
_RECORD_TYPE = np.dtype(
    [("digest", "V16"), ("list_id", "<i4"), ("entry_id", "<i8"), ("expires_ms", "<i8")]
)
Key = tuple[bytes, int]
"""Digest of a value and the list that it is in."""
Buckets = tuple[tuple[bytes, ...], ...]
"""Records by the first and the second byte of their digest."""

_NO_BUCKETS: tuple[bytes, ...] = (b"",) * 256


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


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether each value of a column is in one list.

    Attributes:
        until_ms: expiry by code, float64 (values + 1,); -inf where the value is not in the list,
            +inf where it stays, and NaN at the end, which the code -1 of a missing value reaches.
        entry_ids: entry by code, int64 (values + 1,); 0 where there is none.
    """

    until_ms: FloatArray
    entry_ids: NDArray[np.int64]


class ListIndex:
    """The entries of a tenant's lists, by value.

    Args:
        buckets: records.
        count: number of the records.
    """

    __slots__ = ("_buckets", "_count")

    def __init__(self, buckets: Buckets = (_NO_BUCKETS,) * 256, count: int = 0) -> None:
        self._buckets = buckets
        self._count = count

    def __len__(self) -> int:
        return self._count

    def with_changes(
        self, added: Sequence[ListEntry] = (), removed: Iterable[tuple[int, str]] = ()
    ) -> ListIndex:
        """Return the index after a change.

        Args:
            added: new entries; one takes the place of an entry with its list and value.
            removed: list and value of each entry that is removed, before any is added; one that
                there is not is ignored.
        """
        changes: dict[int, dict[int, dict[Key, bytes]]] = defaultdict(lambda: defaultdict(dict))
        for list_id, value in removed:
            digest = digest_of(value)
            changes[digest[0]][digest[1]][digest, list_id] = b""
        for entry in added:
            digest = digest_of(entry.value)
            expires_ms = NEVER_MS if entry.expires_ms is None else entry.expires_ms
            record = _RECORD.pack(digest, entry.list_id, entry.id, expires_ms)
            changes[digest[0]][digest[1]][digest, entry.list_id] = record
        outer = list(self._buckets)
        size = self._count * _RECORD.size
        for first, of_first in changes.items():
            inner = list(outer[first])
            for second, records in of_first.items():
                size -= len(inner[second])
                inner[second] = _changed(inner[second], records)
                size += len(inner[second])
            outer[first] = tuple(inner)
        return ListIndex(tuple(outer), size // _RECORD.size)

    def with_records(
        self,
        digests: bytes,
        list_ids: NDArray[np.integer],
        entry_ids: NDArray[np.integer],
        expires_ms: NDArray[np.integer],
    ) -> ListIndex:
        """Return the index with n more entries, none of which has the list and value of another.

        Digests in ascending order leave the least memory behind.

        Args:
            digests: digests one after another.
            list_ids, entry_ids: (n,) each.
            expires_ms: (n,), NEVER_MS for entries that stay.
        """
        count = len(list_ids)
        heads = np.frombuffer(digests, ">u2")[:: DIGEST_BYTES // 2].astype(np.uint16)
        order = np.argsort(heads, kind="stable")
        records = np.empty(count, _RECORD_TYPE)
        records["digest"] = np.frombuffer(digests, "V16")[order]
        records["list_id"] = np.asarray(list_ids)[order]
        records["entry_id"] = np.asarray(entry_ids)[order]
        records["expires_ms"] = np.asarray(expires_ms)[order]
        data = records.tobytes()
        touched, starts = np.unique(heads[order], return_index=True)
        ends = [*(starts[1:] * _RECORD.size).tolist(), len(data)]
        buckets = [list(inner) for inner in self._buckets]
        begin = 0
        for head, end in zip(touched.tolist(), ends, strict=True):
            buckets[head >> 8][head & 255] += data[begin:end]
            begin = end
        return ListIndex(tuple(map(tuple, buckets)), self._count + count)

    def find(self, value: str) -> list[Match]:
        """Return the entries of a value, expired or not."""
        digest = digest_of(value)
        bucket = self._buckets[digest[0]][digest[1]]
        found: list[Match] = []
        at = bucket.find(digest)
        while at >= 0:
            if at % _RECORD.size == 0:
                found.append(Match._make(_RECORD.unpack_from(bucket, at)[1:]))
            at = bucket.find(digest, at + 1)
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
    """Return that none of `count` values is in a list."""
    until_ms = np.full(count + 1, -np.inf)
    until_ms[-1] = np.nan
    return Membership(until_ms, np.zeros(count + 1, np.int64))


def _changed(bucket: bytes, records: Mapping[Key, bytes]) -> bytes:
    stays = [
        _RECORD.pack(*record) for record in _RECORD.iter_unpack(bucket) if record[:2] not in records
    ]
    return b"".join([*stays, *records.values()])
