"""The format of a segment: a header, then frames, each with its length and checksum.

    header  magic "SNTLJRNL" (8), version (u16), 0 (u16), CRC-32 of these 12 bytes (u32)
    frame   mark (4), length of the payload (u32), CRC-32 (u32), number (u64), kind (u8), payload

Integers are little-endian. A frame's CRC-32 covers length, number, kind and payload, so a damaged
length is found too. Behind damage the next frame is found by its mark: what is left is read.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

_MAGIC = b"SNTLJRNL"
VERSION = 1
_HEAD = Struct("<8sHH")
_CRC = Struct("<I")
HEADER_BYTES = _HEAD.size + _CRC.size
_MARK = b"\xf5SJ\xfa"
"""0xf5 and 0xfa are in no UTF-8 text, so the mark is in no payload."""
_FRAME = Struct("<4sIIQB")
_CHECKED = Struct("<IQB")
FRAME_BYTES = _FRAME.size
MAX_PAYLOAD_BYTES = 64 << 20


class Kind(IntEnum):
    """What a frame holds.

    Attributes:
        DEFINITION: a text that decisions of the segment refer to.
        DECISION: one decision.
        BATCH: the decisions of one /score/batch, stored together.
    """

    DEFINITION = 1
    DECISION = 2
    BATCH = 3


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a segment.

    Attributes:
        start: offset of its first byte.
        end: offset behind its last byte.
        number: number of the frame, which grows within a journal.
        kind: what it holds.
        payload: JSON.
    """

    start: int
    end: int
    number: int
    kind: Kind
    payload: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of a segment that are no frame.

    Attributes:
        start: offset of the first byte.
        end: offset behind the last byte.
        is_tail: whether no frame follows: a write that did not end, if nothing else.
    """

    start: int
    end: int
    is_tail: bool


class UnreadableSegment(ValueError):
    """The file does not begin with the header of a version that this release reads."""


def header() -> bytes:
    """Return the header of a segment."""
    head = _HEAD.pack(_MAGIC, VERSION, 0)
    return head + _CRC.pack(zlib.crc32(head))


def check_header(content: bytes) -> None:
    """Check the first bytes of a segment.

    Raises:
        UnreadableSegment: they are not those of a segment of this release.
    """
    if len(content) < HEADER_BYTES:
        raise UnreadableSegment("its header is not complete")
    magic, version, _ = _HEAD.unpack_from(content)
    (checksum,) = _CRC.unpack_from(content, _HEAD.size)
    if magic != _MAGIC or checksum != zlib.crc32(content[: _HEAD.size]):
        raise UnreadableSegment("its header is damaged")
    if version != VERSION:
        raise UnreadableSegment(f"it has version {version}; this release reads {VERSION}")


def encode(number: int, kind: Kind, payload: bytes) -> bytes:
    """Return a frame.

    Args:
        number: number of the frame, larger than those before.
        kind: what it holds.
        payload: UTF-8 text.
    """
    checksum = _checksum(len(payload), number, kind, payload)
    return _FRAME.pack(_MARK, len(payload), checksum, number, kind) + payload


def read_frame(content: bytes, start: int) -> Frame | None:
    """Return the frame at an offset; None where there is none, or a damaged one."""
    if len(content) - start < FRAME_BYTES:
        return None
    mark, length, checksum, number, kind = _FRAME.unpack_from(content, start)
    end = start + FRAME_BYTES + length
    if mark != _MARK or length > MAX_PAYLOAD_BYTES or end > len(content):
        return None
    payload = content[start + FRAME_BYTES : end]
    if checksum != _checksum(length, number, kind, payload) or kind not in tuple(Kind):
        return None
    return Frame(start, end, number, Kind(kind), payload)


def scan(content: bytes) -> Iterator[Frame | Damage]:
    """Yield the frames of a segment in order, and the bytes between them that are none.

    Args:
        content: whole segment.

    Raises:
        UnreadableSegment: the header is not that of a segment of this release.
    """
    check_header(content)
    at = HEADER_BYTES
    while at < len(content):
        frame = read_frame(content, at)
        if frame is not None:
            yield frame
            at = frame.end
            continue
        following = _next_frame(content, at + 1)
        yield Damage(at, len(content) if following is None else following, following is None)
        if following is None:
            return
        at = following


def _next_frame(content: bytes, at: int) -> int | None:
    while (at := content.find(_MARK, at)) >= 0:
        if read_frame(content, at) is not None:
            return at
        at += 1
    return None


def _checksum(length: int, number: int, kind: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(_CHECKED.pack(length, number, kind)))
