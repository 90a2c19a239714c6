"""The transactions that an id stands for."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, select

from persistence.review.search import claimed_transaction
from persistence.tables.decisions import PredictionRow, TransactionRow


def ids_of(connection: Connection, tenant_id: int, typed: str) -> list[UUID]:
    """Return the transactions that an id stands for: its own, its prediction's or the caller's."""
    found = set(ids_of_external(connection, tenant_id, typed))
    uuid = as_uuid(typed)
    if uuid is not None:
        own = select(TransactionRow.id).where(
            TransactionRow.tenant_id == tenant_id, TransactionRow.id == uuid
        )
        predicted = select(PredictionRow.transaction_id).where(
            PredictionRow.tenant_id == tenant_id, PredictionRow.id == uuid
        )
        found.update(connection.execute(own).scalars())
        found.update(connection.execute(predicted).scalars())
    return sorted(found)


def ids_of_external(connection: Connection, tenant_id: int, external_id: str) -> list[UUID]:
    """Return the transaction that an external id stands for, if any."""
    found = connection.execute(select(claimed_transaction(tenant_id, external_id))).scalars()
    return [one for one in found if one is not None]


def as_uuid(typed: str) -> UUID | None:
    """Return what was typed as a UUID; None where it is none."""
    try:
        return UUID(typed)
    except ValueError:
        return None
