"""The statements of what retention deletes, as `persistence/maintenance/sealed.py` makes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, text

from persistence.maintenance.partitions import Month
from persistence.uuid7 import unix_ms_of

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_LAST_MS = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp() * 1000)
"""Last millisecond of a UUID whose month is computed; later ones count as of the same month."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """A statement that a month was dropped.

    Attributes:
        key: key of its leaf.
        month: month whose decisions are gone, with their feedback and labels and earlier ones'.
        retain_months: whole months that were kept before that of the run.
        at: time of the run.
    """

    key: str
    month: Month
    retain_months: int
    at: datetime

    @property
    def was_due(self) -> bool:
        """Whether the month was older than the months that were kept."""
        return self.month < Month.of(self.at).plus(-self.retain_months)


def expiries(connection: Connection, tenant_id: int) -> tuple[list[Expiry], list[str]]:
    """Return a tenant's statements, oldest first, and the keys of those that state no month."""
    rows = connection.execute(
        text(
            "SELECT id::text, month, retain_months,"
            " CASE WHEN at >= '1970-01-01' AND at < '9999-01-01' THEN at END"
            " FROM seal_expiries WHERE tenant_id = :tenant_id ORDER BY id"
        ),
        {"tenant_id": tenant_id},
    )
    found = []
    unreadable = []
    for key, month, retain_months, at in rows:
        if at is None or not _MONTH.fullmatch(month):
            unreadable.append(key)
        else:
            found.append(Expiry(key, Month(*map(int, month.split("-"))), retain_months, at))
    return found, unreadable


def month_of_key(key: str) -> Month:
    """Return the month of a row that expires, which the UUID at the begin of its key contains."""
    milliseconds = min(unix_ms_of(UUID(key[:36])), _LAST_MS)
    return Month.of(datetime.fromtimestamp(milliseconds / 1000, UTC))
