"""The journal of a process: what is in its segments, and appending to them.

Records are appended in groups: one thread writes and syncs for all that wait. A segment is never
written again once another has begun, and is removed when every record in it is in Postgres.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from persistence.journal import files
from persistence.journal.frames import (
    FRAME_BYTES,
    Damage,
    Frame,
    Kind,
    UnreadableSegment,
    encode,
    header,
    read_frame,
    scan,
)
from persistence.journal.records import (
    Entry,
    Key,
    Record,
    definition,
    keys_of,
    read_definition,
    read_record,
)
from scoring.errors import StoreUnavailable

logger = logging.getLogger("sentinel.journal")

SEGMENT_BYTES = 4 << 20
"""Size from which a new segment begins. A process that was killed while it drained looks at no more
records again than one segment has."""


class JournalFull(StoreUnavailable):
    """The journal has reached its size; the payment was not decided."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(
            "Postgres cannot be reached and the journal is full; nothing was decided.",
            reason=f"The journal is full: it may take {max_bytes} bytes"
            " (SENTINEL_JOURNAL_MAX_BYTES), and Postgres is away.",
        )


class JournalUnwritable(StoreUnavailable):
    """The disk of the journal does not take a record; the payment was not decided."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            "Postgres cannot be reached and the journal cannot be written; nothing was decided.",
            reason=f"The journal cannot be written: {error}.",
        )


class Location(NamedTuple):
    """Where a record is.

    Attributes:
        path: segment.
        start: offset of its frame.
        end: offset behind its frame.
        number: number of its frame.
        kind: what it holds.
        rows: number of decisions that it stores.
        decided_at_s: Unix time of its decisions.
        keys: keys that it claims.
    """

    path: Path
    start: int
    end: int
    number: int
    kind: Kind
    rows: int
    decided_at_s: float
    keys: tuple[Key, ...]


@dataclass(slots=True)
class Claim:
    """A key that a record of this journal claims.

    Attributes:
        digest: digest of the body.
        location: where the record is; None while it is being written.
    """

    digest: bytes
    location: Location | None = None


@dataclass(slots=True)
class _Pending:
    """Records of one caller that wait to be written."""

    entries: Sequence[Entry]
    is_done: bool = False
    error: StoreUnavailable | None = None


@dataclass(frozen=True, slots=True)
class Damaged:
    """Damage that was found when the journal was opened."""

    path: Path
    start: int
    end: int
    is_tail: bool


@dataclass(slots=True)
class _State:
    """What is in the segments; changed under the lock of the journal."""

    queue: deque[Location] = field(default_factory=deque)
    claims: dict[Key, Claim] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)
    sizes: dict[Path, int] = field(default_factory=dict)
    left: dict[Path, int] = field(default_factory=dict)
    rows: int = 0


def open_journal(root: Path, max_bytes: int) -> Journal | None:
    """Return the journal of this process; None, with a warning, where its folder cannot be used.

    Args:
        root: folder of all journals of this machine.
        max_bytes: largest size of all segments.
    """
    try:
        return Journal(root, max_bytes)
    except OSError as error:
        logger.warning("no decision can be journalled: SENTINEL_JOURNAL_DIR: %s", error)
        return None


class Journal:
    """The records of this process that are not in Postgres yet; safe to call from several threads.

    Args:
        root: folder of all journals of this machine.
        max_bytes: largest size of all segments.
        segment_bytes: size from which a new segment begins.

    Raises:
        OSError: the folder cannot be read or written.
    """

    def __init__(self, root: Path, max_bytes: int, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._folders = files.lock_all(root)
        self._own = self._folders[0].path
        self._state = _State()
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._pending: list[_Pending] = []
        self._writer: files.SegmentWriter | None = None
        self._number = 0
        self._changed: Callable[[], None] = _nothing
        self.damaged: list[Damaged] = []
        for folder in self._folders:
            for path in files.segments(folder.path):
                self._take(path)
        self._state.queue = deque(sorted(self._state.queue, key=_order))

    def connect(self, changed: Callable[[], None]) -> None:
        """Set the function that is called after records came or left, on any thread."""
        self._changed = changed

    @property
    def waiting(self) -> int:
        """Number of decisions that are not in Postgres yet."""
        return self._state.rows

    @property
    def size(self) -> int:
        """Size of all segments."""
        with self._lock:
            return sum(self._state.sizes.values())

    @property
    def max_bytes(self) -> int:
        """Largest size of all segments."""
        return self._max_bytes

    @property
    def has_room(self) -> bool:
        """Whether a usual record can be appended."""
        return self.size + self._segment_bytes // 64 < self._max_bytes

    @property
    def oldest_at_s(self) -> float | None:
        """Unix time of the oldest decision that is not in Postgres yet; None without."""
        with self._lock:
            return self._state.queue[0].decided_at_s if self._state.queue else None

    @property
    def quarantined(self) -> int:
        """Number of files that were set aside."""
        return sum(len(files.quarantined(folder.path)) for folder in self._folders)

    def claim(self, keys: Iterable[tuple[Key, bytes]]) -> dict[Key, Claim]:
        """Claim keys for records that are about to be appended.

        Returns:
            The claims of those that are taken already. The others are claimed until `append` or
            `release`.
        """
        taken: dict[Key, Claim] = {}
        with self._lock:
            for key, digest in keys:
                known = self._state.claims.get(key)
                if known is None:
                    self._state.claims[key] = Claim(digest)
                else:
                    taken[key] = known
        return taken

    def find(self, key: Key) -> Claim | None:
        """Return the claim of a key; None where no record of this journal has it."""
        return self._state.claims.get(key)

    def release(self, keys: Iterable[Key]) -> None:
        """Give up claims of records that were not appended."""
        with self._lock:
            for key in keys:
                self._state.claims.pop(key, None)

    def append(self, entries: Sequence[Entry]) -> None:
        """Write records whose keys are claimed; they are durable on return.

        Raises:
            JournalFull: there is no room; none of them is written.
            JournalUnwritable: the disk does not take them. They may be read back after a crash.
        """
        own = _Pending(entries)
        with self._lock:
            self._pending.append(own)
        with self._writing:
            if not own.is_done:
                with self._lock:
                    group, self._pending = self._pending, []
                self._write(group)
        if not own.is_done:  # the thread that wrote for this one has failed
            own.error = JournalUnwritable(OSError("writing failed; the log has the reason"))
        if own.error is not None:
            self.release(key for entry in entries for key in entry.keys)
            raise own.error
        self._changed()

    def read(self, location: Location) -> Record:
        """Return the record at a place.

        Raises:
            ValueError: it cannot be read any more.
            FileNotFoundError: its segment has been removed: it is in Postgres.
        """
        with location.path.open("rb") as file:
            file.seek(location.start)
            content = file.read(location.end - location.start)
        frame = read_frame(content, 0)
        if frame is None or frame.number != location.number:
            raise ValueError(f"{location.path.name} is damaged at byte {location.start}")
        return read_record(frame.number, frame.kind, frame.payload, self._state.definitions)

    def oldest(self, max_rows: int) -> list[Location]:
        """Return the places of the oldest records: some decisions, or one batch."""
        with self._lock:
            part: list[Location] = []
            for location in self._state.queue:
                if location.kind is Kind.BATCH:
                    return part or [location]
                part.append(location)
                if len(part) == max_rows:
                    break
            return part

    def remove(self, count: int) -> None:
        """Remove the oldest records, which are in Postgres or set aside."""
        finished = []
        with self._lock:
            state = self._state
            for _ in range(count):
                location = state.queue.popleft()
                state.rows -= location.rows
                for key in location.keys:
                    claim = state.claims.get(key)
                    if claim is not None and claim.location == location:
                        del state.claims[key]
                state.left[location.path] -= 1
                if state.left[location.path] == 0:
                    finished.append(location.path)
        for path in finished:
            self._remove_segment(path)
        self._changed()

    def set_aside(self, location: Location, name: str, reason: str) -> Path:
        """Write a record to the quarantine with the reason why Postgres does not have it.

        Args:
            location: where the record is.
            name: name of the file.
            reason: sentence.
        """
        with location.path.open("rb") as file:
            file.seek(location.start + FRAME_BYTES)
            payload = file.read(location.end - location.start - FRAME_BYTES)
        record: dict[str, Any] = orjson.loads(payload)
        text = payload.decode()
        used = {d: t for d, t in self._state.definitions.items() if d in text}
        document = {
            "reason": reason,
            "number": location.number,
            "kind": location.kind.name.lower(),
            "record": record,
            "definitions": used,
        }
        content = orjson.dumps(document, option=orjson.OPT_INDENT_2)
        return files.set_aside(location.path.parent, name, content)

    def close(self) -> None:
        """Close the files and give the folders to another process."""
        with self._writing:
            if self._writer is not None:
                self._end_segment(self._writer)
            for folder in self._folders:
                folder.unlock()
            self._folders = []

    def _write(self, group: Sequence[_Pending]) -> None:
        """Write the records of callers, sync once, and enter them."""
        try:
            writer = self._writer or self._begin_segment()
        except OSError as error:
            _fail(group, JournalUnwritable(error))
            return
        content = bytearray()
        placed: list[tuple[Entry, int, int, int]] = []
        defined: dict[str, str] = {}
        written: list[_Pending] = []
        room = self._max_bytes - self.size
        for pending in group:
            frames = bytearray()
            own: list[tuple[Entry, int, int, int]] = []
            new: dict[str, str] = {}
            for entry in pending.entries:
                for digest, text in entry.definitions.items():
                    if digest not in writer.definitions and digest not in defined | new:
                        new[digest] = text
                        frames += self._frame(Kind.DEFINITION, definition(digest, text))[1]
                number, frame = self._frame(entry.kind, entry.payload)
                start = writer.size + len(content) + len(frames)
                own.append((entry, number, start, start + len(frame)))
                frames += frame
            if len(content) + len(frames) > room:
                _fail([pending], JournalFull(self._max_bytes))
                continue
            content += frames
            placed += own
            defined |= new
            written.append(pending)
        try:
            if content:
                writer.append(bytes(content))
        except OSError as error:
            logger.exception("the journal cannot be written")
            self._end_segment(writer)
            _fail(written, JournalUnwritable(error))
            return
        writer.definitions |= defined.keys()
        self._enter(writer, placed, defined)
        for pending in written:
            pending.is_done = True
        if writer.size >= self._segment_bytes:
            self._end_segment(writer)

    def _frame(self, kind: Kind, payload: bytes) -> tuple[int, bytes]:
        self._number += 1
        return self._number, encode(self._number, kind, payload)

    def _enter(
        self,
        writer: files.SegmentWriter,
        placed: Sequence[tuple[Entry, int, int, int]],
        defined: dict[str, str],
    ) -> None:
        with self._lock:
            state = self._state
            state.definitions |= defined
            state.sizes[writer.path] = writer.size
            for entry, number, start, end in placed:
                location = Location(
                    writer.path,
                    start,
                    end,
                    number,
                    entry.kind,
                    entry.rows,
                    entry.decided_at.timestamp(),
                    tuple(entry.keys),
                )
                self._queue(location, entry.keys)

    def _queue(self, location: Location, digests: Mapping[Key, bytes]) -> None:
        state = self._state
        state.queue.append(location)
        state.rows += location.rows
        state.left[location.path] = state.left.get(location.path, 0) + 1
        for key, digest in digests.items():
            # Of two records with a key the first answers, which is also the one that is stored.
            known = state.claims.get(key)
            if known is None or known.location is None:
                state.claims[key] = Claim(digest, location)

    def _begin_segment(self) -> files.SegmentWriter:
        path = files.segment_path(self._own, self._number + 1)
        self._writer = files.SegmentWriter(path, header())
        with self._lock:
            self._state.sizes[path] = self._writer.size
            self._state.left[path] = 0
        return self._writer

    def _end_segment(self, writer: files.SegmentWriter) -> None:
        writer.close()
        self._writer = None
        with self._lock:
            is_empty = self._state.left.get(writer.path) == 0
        if is_empty:
            self._forget(writer.path)

    def _remove_segment(self, path: Path) -> None:
        """Remove a segment without records; one that is written to goes on until it is full."""
        with self._writing:
            writer = self._writer
            if writer is not None and writer.path == path:
                with self._lock:
                    if self._state.left[path]:
                        return  # something was appended meanwhile
                writer.close()
                self._writer = None
        self._forget(path)

    def _forget(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        files.sync_folder(path.parent)
        with self._lock:
            self._state.sizes.pop(path, None)
            self._state.left.pop(path, None)
            if not self._state.queue and not self._state.sizes:
                self._state.definitions.clear()

    def _take(self, path: Path) -> None:
        """Enter the records of a segment that an earlier process wrote."""
        content = path.read_bytes()
        try:
            found = list(scan(content))
        except UnreadableSegment:
            # Of a later release, or damaged at the first bytes: kept as it is, and named.
            logger.exception("the segment %s cannot be read", path)
            files.set_aside(path.parent, f"{path.name}.unreadable", content)
            path.unlink()
            self.damaged.append(Damaged(path, 0, len(content), is_tail=False))
            return
        self._state.left[path] = 0
        frames = [one for one in found if isinstance(one, Frame)]
        for damage in (one for one in found if isinstance(one, Damage)):
            self._set_damage_aside(path, content, damage)
        self._state.sizes[path] = path.stat().st_size
        for frame in frames:
            if frame.kind is Kind.DEFINITION:
                digest, text = read_definition(frame.payload)
                self._state.definitions[digest] = text
        for frame in frames:
            self._number = max(self._number, frame.number)
            if frame.kind is not Kind.DEFINITION:
                self._take_record(path, frame)
        if not self._state.left[path]:
            self._forget(path)

    def _take_record(self, path: Path, frame: Frame) -> None:
        try:
            record = read_record(frame.number, frame.kind, frame.payload, self._state.definitions)
        except (KeyError, ValueError, TypeError):
            logger.exception("record %d of %s cannot be read", frame.number, path)
            files.set_aside(path.parent, f"{frame.number:020d}.unreadable", frame.payload)
            self.damaged.append(Damaged(path, frame.start, frame.end, is_tail=False))
            return
        keys = keys_of(record.decisions)
        if record.request is not None:
            keys[Key(record.tenant_id, record.request.key, is_batch=True)] = record.request.digest
        decided_at = [d.decided_at.timestamp() for d in record.decisions if d.decided_at]
        location = Location(
            path,
            frame.start,
            frame.end,
            frame.number,
            frame.kind,
            len(record.decisions),
            min(decided_at, default=path.stat().st_mtime),
            tuple(keys),
        )
        self._queue(location, keys)

    def _set_damage_aside(self, path: Path, content: bytes, damage: Damage) -> None:
        """Keep bytes that are no record, and cut them off where nothing follows."""
        self.damaged.append(Damaged(path, damage.start, damage.end, damage.is_tail))
        what = "torn" if damage.is_tail else "damaged"
        logger.warning(
            "%s bytes %d to %d of %s are set aside", what, damage.start, damage.end, path
        )
        name = f"{path.stem}-{damage.start}.{what}"
        files.set_aside(path.parent, name, content[damage.start : damage.end])
        if damage.is_tail:
            with path.open("r+b") as file:
                file.truncate(damage.start)
                os.fsync(file.fileno())


def _order(location: Location) -> tuple[float, int]:
    return location.decided_at_s, location.number


def _fail(group: Iterable[_Pending], error: StoreUnavailable) -> None:
    for pending in group:
        pending.error = error
        pending.is_done = True


def _nothing() -> None: ...
