"""Why the journal does not take a decision."""

from __future__ import annotations

from scoring.errors import StoreUnavailable


class JournalFull(StoreUnavailable):
    """The journal has reached its size; the payment was not decided."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(
            "Postgres cannot be reached and the journal is full; nothing was decided.",
            reason=f"The journal is full: it may take {max_bytes} bytes"
            " (SENTINEL_JOURNAL_MAX_BYTES), and Postgres is away.",
        )


class QuarantineFull(OSError):
    """The quarantine has reached its size; the record stays in the journal."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(
            f"it is full, as it may have {max_bytes} bytes; run `sentinel journal drain"
            " --quarantined`, or move its files to another place"
        )


class JournalUnwritable(StoreUnavailable):
    """The disk of the journal does not take a record; the payment was not decided."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            "Postgres cannot be reached and the journal cannot be written; nothing was decided.",
            reason=f"The journal cannot be written: {error}.",
        )
