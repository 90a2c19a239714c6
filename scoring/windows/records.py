"""Read the records of past events as columns (`scoring.event_type.records` writes them).

Each record stands after the 16 bytes of its event's id. Reading 200,000 of them as Python objects
takes 4 s; here they take about as long as Postgres takes to send them (docs/decisions/0014).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.columns import FloatArray, TextColumn
from scoring.windows.events import Codes, IntArray

ByteArray = NDArray[np.uint8]
ID_BYTES = 16
NO_ID = bytes(ID_BYTES)

_NO_RECORD = "the bytes are no records of events"
_NUMBER, _TEXT, _TIME = 0, 1, 2
_HASH, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
"""FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/"""


@dataclass(frozen=True, slots=True)
class EntityPast:
    """Past events of an entity: all in some span of time, and perhaps others.

    Attributes:
        events: number of events.
        records: id of each event, 16 bytes, and its record, in no order.
        frauds: of each of its events that is known as a fraud the id, 16 bytes, and the time at
            which it became known, microseconds since 1970 in 8 bytes of network order.
        recent: number of those events that are stored singly.
    """

    events: int
    records: bytes
    frauds: bytes = b""
    recent: int = 0


@dataclass(frozen=True, slots=True)
class ReadRecords:
    """Columns of m records in their order.

    Attributes:
        group: place of the group that each record belongs to, (m,).
        ids: halves of each event's id, int64 (m, 2).
        time_us: time in microseconds since 1970, (m,).
        numbers: numbers and timestamps by field, NaN where missing, float64 (m,).
        codes: texts by field.
    """

    group: IntArray
    ids: IntArray
    time_us: IntArray
    numbers: dict[str, FloatArray]
    codes: dict[str, Codes]
    _buffer: bytes
    _places: dict[str, tuple[IntArray, IntArray]]

    def text(self, name: str) -> TextColumn:
        """Return a text field with its values."""
        return TextColumn(
            self.codes[name].codes, tuple(value.decode() for value in self.values(name))
        )

    def values(self, name: str) -> list[bytes]:
        """Return the distinct values of a text field by their code, in UTF-8."""
        at, size = self._places[name]
        return [self._buffer[a : a + n] for a, n in zip(at.tolist(), size.tolist(), strict=True)]

    def in_time(self, count: int) -> ReadRecords:
        """Return the same with the first `count` records by group and time."""
        if _is_in_time(self.group[:count], self.time_us[:count]):
            return self
        order = np.arange(self.time_us.size)
        order[:count] = np.lexsort((self.time_us[:count], self.group[:count]))
        return replace(
            self,
            group=self.group[order],
            ids=self.ids[order],
            time_us=self.time_us[order],
            numbers={name: column[order] for name, column in self.numbers.items()},
            codes={name: Codes(one.codes[order], one.count) for name, one in self.codes.items()},
        )


class RecordReader:
    """Reads some fields of records; made once for a feature set.

    Args:
        time: timestamp whose microseconds are read, and which every record has; None for none.
        numbers: numbers, integers and booleans.
        timestamps: timestamps that are read as seconds.
        texts: categories, entities and texts.
    """

    def __init__(
        self,
        time: str | None = None,
        numbers: Sequence[str] = (),
        timestamps: Sequence[str] = (),
        texts: Sequence[str] = (),
    ) -> None:
        self._numbers = (*numbers, *timestamps)
        self._in_seconds = len(numbers)
        self._texts = tuple(texts)
        fields = [
            *([(time, _TIME, 0)] if time is not None else []),
            *((name, _NUMBER, row) for row, name in enumerate(self._numbers)),
            *((name, _TEXT, row) for row, name in enumerate(self._texts)),
        ]
        names = [name.encode() for name, _, _ in fields]
        self._layout = (
            np.frombuffer(b"".join(names), np.uint8),
            np.cumsum([0, *map(len, names)]),
            np.array([kind for _, kind, _ in fields], np.int64),
            np.array([row for _, _, row in fields], np.int64),
            time is not None,
            len(self._numbers),
            len(self._texts),
        )

    def read(self, groups: Sequence[bytes], counts: Sequence[int]) -> ReadRecords:
        """Return the fields of records.

        Args:
            groups: concatenated records of each group.
            counts: number of records of each group.

        Raises:
            ValueError: the bytes are no records, or not as many.
        """
        buffer = b"".join(groups)
        ids, time_us, numbers, codes, begins, sizes, distinct = _read(
            np.frombuffer(buffer, np.uint8), sum(counts), *self._layout
        )
        numbers[self._in_seconds :] /= 1e6
        texts = list(zip(self._texts, distinct.tolist(), strict=True))
        return ReadRecords(
            np.repeat(np.arange(len(counts)), counts),
            ids,
            time_us,
            dict(zip(self._numbers, numbers, strict=True)),
            {name: Codes(codes[row], count) for row, (name, count) in enumerate(texts)},
            buffer,
            {
                name: (begins[row, :count], sizes[row, :count])
                for row, (name, count) in enumerate(texts)
            },
        )


def event_ids(records: bytes, count: int) -> frozenset[bytes]:
    """Return the ids of the events of records, 16 bytes each."""
    ids = RecordReader().read([records], [count]).ids
    return frozenset(ids.astype(">i8").view("V16").reshape(-1).tolist())


@njit(nogil=True, cache=True, inline="always")
def _unsigned(buffer: ByteArray, at: np.int64, size: int) -> np.int64:
    """Return an integer in network byte order; of 8 bytes the bits of a signed one."""
    value = np.int64(0)
    for i in range(size):
        value = (value << 8) | np.int64(buffer[at + i])
    return value


@njit(nogil=True, cache=True)
def _text_at(buffer: ByteArray, at: np.int64) -> tuple[np.int64, np.int64]:
    """Return where a string begins and its size; -1 where there is none."""
    head = buffer[at] if at < buffer.size else 0
    begin, size = np.int64(-1), np.int64(0)
    if head & 0xE0 == 0xA0:
        begin, size = at + 1, np.int64(head & 0x1F)
    elif head == 0xD9 and at + 2 <= buffer.size:
        begin, size = at + 2, np.int64(buffer[at + 1])
    elif head == 0xDA and at + 3 <= buffer.size:
        begin, size = at + 3, _unsigned(buffer, at + 1, 2)
    if begin + size > buffer.size:
        begin = np.int64(-1)
    return begin, size


@njit(nogil=True, cache=True)
def _equal(
    one: ByteArray, at: np.int64, other: ByteArray, other_at: np.int64, size: np.int64
) -> bool:
    i = 0
    while i < size and one[at + i] == other[other_at + i]:
        i += 1
    return i == size


@njit(nogil=True, cache=True)
def _hash(buffer: ByteArray, at: np.int64, size: np.int64) -> np.int64:
    value = _HASH
    for i in range(size):
        value = (value ^ np.uint64(buffer[at + i])) * _PRIME
    return np.int64(value ^ (value >> np.uint64(32)))


@njit(nogil=True, cache=True)
def _read(
    buffer: ByteArray,
    count: int,
    names: ByteArray,
    name_start: IntArray,
    kinds: IntArray,
    rows: IntArray,
    needs_time: bool,
    number_count: int,
    text_count: int,
) -> tuple[IntArray, IntArray, FloatArray, IntArray, IntArray, IntArray, IntArray]:
    ids = np.empty((count, 2), np.int64)
    time_us = np.empty(count, np.int64)
    numbers = np.full((number_count, count), np.nan)
    codes = np.full((text_count, count), -1)
    # The distinct texts of a field: where each begins in the buffer, its size, and their number.
    begins = np.empty((text_count, count), np.int64)
    sizes = np.empty((text_count, count), np.int64)
    distinct = np.zeros(text_count, np.int64)
    slots = 1
    while slots < 2 * count:
        slots *= 2
    table = np.full((text_count, slots), -1)
    word = np.empty(1, np.int64)
    float_of_word = word.view(np.float64)
    at = np.int64(0)
    for record in range(count):
        if at + ID_BYTES + 1 > buffer.size:
            raise ValueError(_NO_RECORD)
        ids[record, 0] = _unsigned(buffer, at, 8)
        ids[record, 1] = _unsigned(buffer, at + 8, 8)
        at += ID_BYTES
        head = buffer[at]
        members = np.int64(-1)
        if head & 0xF0 == 0x80:
            members = np.int64(head & 0x0F)
            at += 1
        elif head == 0xDE and at + 3 <= buffer.size:
            members = _unsigned(buffer, at + 1, 2)
            at += 3
        has_time = not needs_time
        for _ in range(members):
            key, key_size = _text_at(buffer, at)
            at = np.int64(key + key_size)
            if key < 0 or at >= buffer.size:
                raise ValueError(_NO_RECORD)
            head = buffer[at]
            begin, size = at, np.int64(0)
            if head == 0xCB or head == 0xD3:
                size = np.int64(9)
                if at + size > buffer.size:
                    raise ValueError(_NO_RECORD)
                word[0] = _unsigned(buffer, at + 1, 8)
            elif head == 0xC2 or head == 0xC3:
                size = np.int64(1)
            else:
                begin, size = _text_at(buffer, at)
                if begin < 0:
                    raise ValueError(_NO_RECORD)
            at = np.int64(begin + size)
            for field in range(kinds.size):
                name = name_start[field]
                if name_start[field + 1] - name != key_size:
                    continue
                if not _equal(buffer, key, names, name, key_size):
                    continue
                row = rows[field]
                if kinds[field] == _TIME:
                    time_us[record] = word[0]
                    has_time = True
                elif kinds[field] == _NUMBER:
                    if head == 0xCB:
                        numbers[row, record] = float_of_word[0]
                    elif head == 0xD3:
                        numbers[row, record] = word[0]
                    else:
                        numbers[row, record] = head == 0xC3
                else:
                    slot = _hash(buffer, begin, size) & (slots - 1)
                    while True:
                        code = table[row, slot]
                        if code < 0:
                            code = distinct[row]
                            table[row, slot] = code
                            begins[row, code], sizes[row, code] = begin, size
                            distinct[row] += 1
                            break
                        if sizes[row, code] == size and _equal(
                            buffer, begins[row, code], buffer, begin, size
                        ):
                            break
                        slot = (slot + 1) & (slots - 1)
                    codes[row, record] = code
        if not has_time:
            raise ValueError(_NO_RECORD)
    if at != buffer.size:
        raise ValueError(_NO_RECORD)
    return ids, time_us, numbers, codes, begins, sizes, distinct


@njit(nogil=True, cache=True)
def _is_in_time(group: IntArray, time_us: IntArray) -> bool:
    for row in range(1, group.size):
        if group[row] == group[row - 1] and time_us[row] < time_us[row - 1]:
            return False
    return True
