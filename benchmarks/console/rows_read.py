"""The rows that Postgres read in a number of requests, from its own counts."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Engine, text

_GROWING = (
    "^(transactions|predictions|idempotency_keys|feedback|labels|audit_log|access_log|shadow_scores"
    "|entity_events|entity_segments|list_entries|cases|case_events)"
)
"""Tables whose rows grow with payments, or with what people do about them."""
_COUNTS = text(
    """
    SELECT coalesce(sum(seq_tup_read), 0)::bigint,
        (SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes)::bigint
    FROM pg_stat_user_tables WHERE relname ~ :growing
    """
)
_OTHERS = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")


class RowsRead(NamedTuple):
    """Rows that Postgres read.

    Attributes:
        by_scan: those of growing tables without an index.
        by_index: entries of indexes of all tables.
    """

    by_scan: float
    by_index: float

    def since(self, before: RowsRead, requests: int) -> RowsRead:
        """Return the rows of one request."""
        return RowsRead(
            (self.by_scan - before.by_scan) / requests, (self.by_index - before.by_index) / requests
        )


def rows_read(owner: Engine, service: Engine) -> RowsRead:
    """Return the counts so far; the pool is emptied, because a backend reports when it ends.

    Args:
        owner: pool of one connection.
        service: pool whose connections read.
    """
    service.dispose()
    # Without a transaction, in which pg_stat_activity would not change.
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while connection.execute(_OTHERS).scalar_one() > 1:
            connection.execute(text("SELECT pg_sleep(0.02)"))
        return RowsRead(*connection.execute(_COUNTS, {"growing": _GROWING}).one())
