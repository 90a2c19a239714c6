"""Where the records of a journal are, and which keys they claim."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from persistence.journal.frames import Kind
from persistence.journal.records import Key


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
