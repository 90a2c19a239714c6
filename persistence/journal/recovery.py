"""Read the segments that an earlier process left; set aside what is damaged."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from persistence.journal import files
from persistence.journal.frames import Damage, Frame, Kind, UnreadableSegment, scan
from persistence.journal.places import Location
from persistence.journal.records import Key, read_definition, read_outline

logger = logging.getLogger("sentinel.journal")


@dataclass(frozen=True, slots=True)
class Damaged:
    """Bytes of a segment that were set aside.

    Attributes:
        path: segment.
        start: offset of the first byte.
        end: offset behind the last byte.
        is_tail: whether nothing follows: they are cut off, since no reply waited for them.
    """

    path: Path
    start: int
    end: int
    is_tail: bool


@dataclass(slots=True)
class Recovered:
    """What is in a segment.

    Attributes:
        size: size of the segment; 0 where it is gone, as it had no record.
        last_number: number of the last frame; 0 without one.
        records: where its records are, in order, with the digests of the keys that they claim.
        definitions: texts by digest.
        damaged: bytes that were set aside.
    """

    size: int = 0
    last_number: int = 0
    records: list[tuple[Location, Mapping[Key, bytes]]] = field(default_factory=list)
    definitions: dict[str, str] = field(default_factory=dict)
    damaged: list[Damaged] = field(default_factory=list)


def recover(path: Path) -> Recovered:
    """Return what is in a segment, which is cut behind its last frame.

    Args:
        path: segment, of which no process writes any more.
    """
    recovered = Recovered()
    content = path.read_bytes()
    try:
        found = list(scan(content))
    except UnreadableSegment:
        # Of a later release, or damaged at the first bytes: kept as it is, and named.
        logger.exception("the segment %s cannot be read", path)
        files.set_aside(path.parent, f"{path.name}.unreadable", content)
        path.unlink()
        recovered.damaged.append(Damaged(path, 0, len(content), is_tail=False))
        return recovered
    for one in found:
        if isinstance(one, Damage):
            recovered.damaged.append(_set_aside(path, content, one))
            continue
        recovered.last_number = one.number
        if one.kind is Kind.DEFINITION:
            digest, text = read_definition(one.payload)
            recovered.definitions[digest] = text
        else:
            _take(recovered, path, one)
    if recovered.records:
        recovered.size = path.stat().st_size
    else:
        path.unlink()
    return recovered


def _take(recovered: Recovered, path: Path, frame: Frame) -> None:
    try:
        outline = read_outline(frame.kind, frame.payload)
    except (KeyError, ValueError, TypeError):
        logger.exception("record %d of %s cannot be read", frame.number, path)
        files.set_aside(path.parent, f"{frame.number:020d}.unreadable", frame.payload)
        recovered.damaged.append(Damaged(path, frame.start, frame.end, is_tail=False))
        return
    location = Location(
        path,
        frame.start,
        frame.end,
        frame.number,
        frame.kind,
        outline.rows,
        outline.decided_at_s,
        tuple(outline.keys),
    )
    recovered.records.append((location, outline.keys))


def _set_aside(path: Path, content: bytes, damage: Damage) -> Damaged:
    """Keep bytes that are no record, and cut them off where nothing follows."""
    what = "torn" if damage.is_tail else "damaged"
    logger.warning("%s bytes %d to %d of %s are set aside", what, damage.start, damage.end, path)
    name = f"{path.stem}-{damage.start}.{what}"
    files.set_aside(path.parent, name, content[damage.start : damage.end])
    if damage.is_tail:
        with path.open("r+b") as file:
            file.truncate(damage.start)
            os.fsync(file.fileno())
    return Damaged(path, damage.start, damage.end, damage.is_tail)
