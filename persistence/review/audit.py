"""The audit log: triggers write it (migration 0002), and this module reads it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select

from persistence.review.cases import Page, cut
from persistence.tables.review import AuditRow
from persistence.tenancy import tenant_transaction


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change.

    Attributes:
        id: number that grows from one to the next.
        at: time of the change.
        actor: public prefix of an API key, `mlflow` for a promotion, or a database user.
        action: kind of the row and of the change, such as `key.created`.
        before, after: columns of the changed row by name; None where there was no row.
    """

    id: int
    at: datetime
    actor: str
    action: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def read_audit(
    engine: Engine,
    tenant_id: int,
    *,
    action: str | None,
    limit: int,
    before_id: int | None = None,
) -> Page[AuditEntry, int]:
    """Return a page of a tenant's changes, newest first.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose changes are read.
        action: action of the changes; None means all.
        limit: most changes of the page.
        before_id: id of the last entry of the page before.
    """
    statement = (
        select(
            AuditRow.id,
            AuditRow.at,
            AuditRow.actor,
            AuditRow.action,
            AuditRow.before,
            AuditRow.after,
        )
        .where(AuditRow.tenant_id == tenant_id)
        .order_by(AuditRow.id.desc())
        .limit(limit + 1)
    )
    if action is not None:
        statement = statement.where(AuditRow.action == action)
    if before_id is not None:
        statement = statement.where(AuditRow.id < before_id)
    with tenant_transaction(engine, tenant_id) as connection:
        entries = [AuditEntry(*row) for row in connection.execute(statement)]
    _, next_id = cut([entry.id for entry in entries], limit)
    return Page(entries[:limit], next_id)
