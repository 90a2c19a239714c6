"""Monthly partitions of the large tables, created ahead and dropped by age.

The tables are partitioned by a UUIDv7, whose first 48 bits are Unix milliseconds (RFC 9562): a
month is a range of ids, so a look-up by id reads one partition and needs no date. A row whose month
has no partition goes to the default partition. A prediction and its transaction have the same
millisecond and so the same month; a shadow score has its prediction's id.
`persistence/maintenance/maintenance.py` creates and drops months.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, text

DECISIONS = {"shadow_scores": "prediction_id", "predictions": "id", "transactions": "id"}
"""Partitioned tables of decisions with their partition column, in the order in which they may be
dropped: predictions refer to transactions."""
ACCESSES = {"access_log": "id"}
"""Partitioned table of readings, which has a retention of its own."""
PARTITIONED = ACCESSES | DECISIONS

OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""
"""Condition of the row-level security policy on every tenant table and every partition, see
migration 0002."""


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month, UTC."""

    year: int
    month: int

    @classmethod
    def of(cls, moment: datetime) -> Month:
        """Return the month (UTC) of an aware datetime."""
        utc = moment.astimezone(UTC)
        return cls(utc.year, utc.month)

    def plus(self, months: int) -> Month:
        """Return the month that is `months` later, or earlier where negative."""
        index = self.year * 12 + self.month - 1 + months
        return Month(index // 12, index % 12 + 1)

    @property
    def start(self) -> datetime:
        """The first moment of the month, UTC."""
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def first_id(self) -> UUID:
        """The least UUIDv7 of the month, without version and variant bits."""
        return UUID(int=int(self.start.timestamp() * 1000) << 80)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    def partition_of(self, table: str) -> str:
        """Return the name of the month's partition."""
        return f"{table}_{self.year:04d}_{self.month:02d}"


def make_months(connection: Connection, months: Iterable[Month]) -> None:
    """Create the missing partitions of months that have no rows in the default partition."""
    for table, made in _partitions(connection).items():
        for month in sorted(set(months) - made):
            name = month.partition_of(table)
            connection.execute(
                text(
                    f"CREATE TABLE {name} PARTITION OF {table}"
                    f" FOR VALUES FROM ('{month.first_id}') TO ('{month.plus(1).first_id}');"
                    f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;"
                    f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY;"
                    f"CREATE POLICY of_tenant ON {name} USING ({OF_THIS_TRANSACTION})"
                )
            )


def months_made(connection: Connection) -> set[Month]:
    """Return the months that have a partition of every table."""
    return set.intersection(*_partitions(connection).values())


def months_kept(connection: Connection, tables: Iterable[str]) -> set[Month]:
    """Return the months that have a partition of any of the tables."""
    made = _partitions(connection)
    return set.union(*(made[table] for table in tables))


def months_of_table(connection: Connection, table: str) -> set[Month]:
    """Return the months that have a partition of one table."""
    return _partitions(connection)[table]


def _partitions(connection: Connection) -> dict[str, set[Month]]:
    # An earlier release with fewer tables may have created the latest months, or dropped the
    # oldest ones.
    statement = text(
        "SELECT inhparent::regclass::text, inhrelid::regclass::text FROM pg_inherits"
        " WHERE inhparent = ANY (CAST(:tables AS regclass[]))"
    )
    made: dict[str, set[Month]] = {table: set() for table in PARTITIONED}
    for table, name in connection.execute(statement, {"tables": list(PARTITIONED)}):
        if not name.endswith("_default"):
            year, month = name.rsplit("_", 2)[1:]
            made[table].add(Month(int(year), int(month)))
    return made
