"""The journal of a process: what is in its segments, and appending to them.

Records are appended in groups: one thread writes and syncs for all that wait. A segment is never
written again once another has begun, and is removed when every record in it is in Postgres.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from persistence.journal import files
from persistence.journal.contents import Contents
from persistence.journal.errors import JournalFull, JournalUnwritable
from persistence.journal.frames import FRAME_BYTES, Kind, encode, header, read_frame
from persistence.journal.places import Claim, Location
from persistence.journal.records import Entry, Key, Record, definition, read_record
from persistence.journal.recovery import Damaged, Recovered, recover
from scoring.errors import StoreUnavailable

logger = logging.getLogger("sentinel.journal")

SEGMENT_BYTES = 4 << 20
"""Size from which a new segment begins. A process that was killed while it drained looks at no more
records again than one segment has."""


@dataclass(slots=True)
class _Pending:
    """Records of one caller that wait to be written."""

    entries: Sequence[Entry]
    is_done: bool = False
    error: StoreUnavailable | None = None


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
        quarantine_bytes: largest size of what is set aside.

    Raises:
        OSError: the folder cannot be read or written.
    """

    def __init__(
        self,
        root: Path,
        max_bytes: int,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        quarantine_bytes: int = files.QUARANTINE_BYTES,
    ) -> None:
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._folders = files.lock_all(root)
        self._own = self._folders[0].path
        self._contents = Contents()
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._pending: list[_Pending] = []
        self._writer: files.SegmentWriter | None = None
        self._number = 0
        self._changed: Callable[[], None] = _nothing
        self.damaged: list[Damaged] = []
        for folder in self._folders:
            for path in files.segments(folder.path):
                self._take(path, recover(path))
        self._contents.sort()
        self._quarantine = files.Quarantine(root, quarantine_bytes)

    def connect(self, changed: Callable[[], None]) -> None:
        """Set the function that is called after records came or left, on any thread."""
        self._changed = changed

    @property
    def waiting(self) -> int:
        """Number of decisions that are not in Postgres yet."""
        return self._contents.rows

    @property
    def size(self) -> int:
        """Size of all segments."""
        return self._contents.size

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
        return self._contents.oldest_at_s

    @property
    def kept(self) -> int:
        """Number of decisions that neither Postgres nor the quarantine has taken."""
        return self._contents.kept_rows

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
        return self._contents.claim(keys)

    def find(self, key: Key) -> Claim | None:
        """Return the claim of a key; None where no record of this journal has it."""
        return self._contents.find(key)

    def release(self, keys: Iterable[Key]) -> None:
        """Give up claims of records that were not appended."""
        self._contents.release(keys)

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
        return read_record(frame.number, frame.kind, frame.payload, self._contents.definitions)

    def oldest(self, max_rows: int) -> list[Location]:
        """Return the places of the oldest records: some decisions, or one batch."""
        return self._contents.oldest(max_rows)

    def remove(self, count: int, kept: Collection[Location] = ()) -> None:
        """Remove the oldest records, which are in Postgres or set aside.

        Args:
            count: number of records.
            kept: those among them that are neither, and stay until `remove_kept`.
        """
        for path in self._contents.remove(count, kept):
            self._remove_segment(path)
        self._changed()

    def remove_kept(self, location: Location) -> None:
        """Remove a record that `remove` has kept and that is set aside now."""
        for path in self._contents.remove_kept(location):
            self._remove_segment(path)
        self._changed()

    def requeue(self, location: Location) -> None:
        """Put a record that `remove` has kept in front of the others."""
        self._contents.requeue(location)

    def set_bytes_aside(self, location: Location) -> Path:
        """Write the bytes of a record that cannot be read to the quarantine.

        Raises:
            OSError: the quarantine is full, or the disk does not take them.
        """
        with location.path.open("rb") as file:
            file.seek(location.start)
            content = file.read(location.end - location.start)
        name = f"{location.number:020d}.damaged"
        return self._quarantine.write(location.path.parent, name, content)

    def set_aside(self, location: Location, prediction_ids: Sequence[UUID], reason: str) -> Path:
        """Write a record to the quarantine, as one file, with the reason.

        Args:
            location: where the record is.
            prediction_ids: decisions of the record that Postgres does not have.
            reason: sentence.

        Raises:
            OSError: the quarantine is full, or the disk does not take it.
            ValueError: the record cannot be read any more.
        """
        with location.path.open("rb") as file:
            file.seek(location.start + FRAME_BYTES)
            payload = file.read(location.end - location.start - FRAME_BYTES)
        record: dict[str, Any] = orjson.loads(payload)
        text = payload.decode()
        used = {d: t for d, t in self._contents.definitions.items() if d in text}
        document = {
            "reason": reason,
            "prediction_ids": prediction_ids,
            "number": location.number,
            "kind": location.kind.name.lower(),
            "record": record,
            "definitions": used,
        }
        content = orjson.dumps(document, option=orjson.OPT_INDENT_2)
        name = f"{location.number:020d}-{prediction_ids[0]}.{document['kind']}.json"
        return self._quarantine.write(location.path.parent, name, content)

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
        records = [
            (
                Location(
                    writer.path,
                    start,
                    end,
                    number,
                    entry.kind,
                    entry.rows,
                    entry.decided_at.timestamp(),
                    tuple(entry.keys),
                ),
                entry.keys,
            )
            for entry, number, start, end in placed
        ]
        self._contents.add(writer.path, writer.size, defined, records)

    def _begin_segment(self) -> files.SegmentWriter:
        path = files.segment_path(self._own, self._number + 1)
        self._writer = files.SegmentWriter(path, header())
        self._contents.begin(path, self._writer.size)
        return self._writer

    def _end_segment(self, writer: files.SegmentWriter) -> None:
        writer.close()
        self._writer = None
        if self._contents.is_empty(writer.path):
            self._forget(writer.path)

    def _remove_segment(self, path: Path) -> None:
        """Remove a segment in which no record was left, unless one was appended meanwhile."""
        with self._writing:
            if not self._contents.is_empty(path):
                return
            if self._writer is not None and self._writer.path == path:
                self._writer.close()
                self._writer = None
            self._forget(path)

    def _forget(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        files.sync_folder(path.parent)
        self._contents.forget(path)

    def _take(self, path: Path, recovered: Recovered) -> None:
        """Enter the records of a segment that an earlier process wrote."""
        self.damaged += recovered.damaged
        self._number = max(self._number, recovered.last_number)
        if recovered.records:
            self._contents.add(path, recovered.size, recovered.definitions, recovered.records)


def _fail(group: Iterable[_Pending], error: StoreUnavailable) -> None:
    for pending in group:
        pending.error = error
        pending.is_done = True


def _nothing() -> None: ...
