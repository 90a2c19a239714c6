"""The statements of what retention deletes, as `persistence/maintenance/sealed.py` makes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, text

from persistence.maintenance.partitions import Month
from persistence.uuid7 import unix_ms_of


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


def expiries(connection: Connection, tenant_id: int) -> list[Expiry]:
    """Return a tenant's statements, oldest first."""
    rows = connection.execute(
        text(
            "SELECT id, month, retain_months, at FROM seal_expiries WHERE tenant_id = :tenant_id"
            " ORDER BY id"
        ),
        {"tenant_id": tenant_id},
    )
    return [
        Expiry(str(id_), Month(*map(int, month.split("-"))), retain_months, at)
        for id_, month, retain_months, at in rows
    ]


def month_of_key(key: str) -> Month:
    """Return the month of a row that expires, which the UUID at the begin of its key contains."""
    milliseconds = unix_ms_of(UUID(key[:36]))
    return Month.of(datetime.fromtimestamp(milliseconds / 1000, UTC))
