"""Read the journals of a machine without taking them from the processes that write them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from persistence.journal import files
from persistence.journal.frames import Damage, Frame, Kind, UnreadableSegment, scan
from persistence.journal.records import Record, read_definition, read_record


@dataclass(frozen=True, slots=True)
class FolderState:
    """What one process has journalled.

    Attributes:
        path: folder.
        is_in_use: whether a process holds it, which drains it too.
        segments: number of segments.
        bytes: size of the segments.
        decisions: number of decisions that wait for Postgres.
        oldest_at: time of the oldest decision; None without.
        quarantined: number of files that were set aside.
    """

    path: Path
    is_in_use: bool
    segments: int
    bytes: int
    decisions: int
    oldest_at: datetime | None
    quarantined: int


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of a segment that is not a record.

    Attributes:
        path: segment.
        start: offset of the first byte.
        end: offset behind the last byte.
        reason: what is wrong with it.
        is_loss: whether a record that was acknowledged may be lost.
    """

    path: Path
    start: int
    end: int
    reason: str
    is_loss: bool


def folder_states(root: Path) -> list[FolderState]:
    """Return what each process of this machine has journalled."""
    states = []
    for path in files.folders(root):
        paths = files.segments(path)
        records = [one for one in _contents(paths, in_use=False) if isinstance(one, Record)]
        times = [d.decided_at for one in records for d in one.decisions if d.decided_at]
        states.append(
            FolderState(
                path,
                files.is_locked(path),
                len(paths),
                files.total_bytes(paths),
                sum(len(one.decisions) for one in records),
                min(times, default=None),
                len(files.quarantined(path)),
            )
        )
    return states


def verify(root: Path) -> tuple[int, list[Problem]]:
    """Read every record; return how many decisions are whole, and what is damaged."""
    decisions, problems = 0, []
    for path in files.folders(root):
        in_use = files.is_locked(path)
        for one in _contents(files.segments(path), in_use=in_use):
            if isinstance(one, Record):
                decisions += len(one.decisions)
            else:
                problems.append(one)
    return decisions, problems


def _contents(paths: list[Path], *, in_use: bool) -> Iterator[Record | Problem]:
    definitions: dict[str, str] = {}
    for path in paths:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue  # drained meanwhile
        is_newest = path == paths[-1]
        try:
            for one in scan(content):
                if isinstance(one, Damage):
                    if not (in_use and is_newest and one.is_tail):  # else it is being written
                        yield _damage(path, one)
                    continue
                found = _record(path, one, definitions)
                if found is not None:
                    yield found
        except UnreadableSegment as error:
            if not (in_use and is_newest):
                yield Problem(path, 0, len(content), str(error), is_loss=True)


def _record(path: Path, frame: Frame, definitions: dict[str, str]) -> Record | Problem | None:
    try:
        if frame.kind is Kind.DEFINITION:
            digest, text = read_definition(frame.payload)
            definitions[digest] = text
            return None
        return read_record(frame.number, frame.kind, frame.payload, definitions)
    except (KeyError, ValueError, TypeError) as error:
        reason = f"record {frame.number} cannot be read: {error!r}"
        return Problem(path, frame.start, frame.end, reason, is_loss=True)


def _damage(path: Path, damage: Damage) -> Problem:
    if damage.is_tail:
        reason = "the last write did not end, or its record is damaged"
    else:
        reason = "a record is damaged; those behind it are whole"
    return Problem(path, damage.start, damage.end, reason, is_loss=not damage.is_tail)
