"""The access log: who read which case or account, and who searched for what.

An entry is stored in the transaction that reads, so no case is read without one. The entry's id has
its time. The service's role may add entries and change none.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, insert

from persistence.actor import Actor
from persistence.tables.review import AccessRow

TRANSACTION_READ = "transaction.read"
CASE_READ = "case.read"
CASE_EXPORTED = "case.exported"
UPLOAD_READ = "upload.read"
UPLOAD_EXPORTED = "upload.exported"
SearchAction = Literal["transactions.searched", "transactions.exported"]


def transaction_object(transaction_id: UUID) -> str:
    """Return a transaction as the object of an entry."""
    return f"transactions/{transaction_id}"


def account_object(account: str) -> str:
    """Return an account as the object of an entry."""
    return f"accounts/{account}"


def case_object(number: int) -> str:
    """Return a case as the object of an entry."""
    return f"cases/{number}"


def upload_object(number: int) -> str:
    """Return an upload as the object of an entry."""
    return f"uploads/{number}"


def log_access(
    connection: Connection,
    tenant_id: int,
    reader: Actor,
    action: str,
    object_: str | None,
    details: dict[str, Any] | None = None,
) -> None:
    """Store an entry of the access log.

    Args:
        connection: connection inside the `tenant_transaction` that reads.
        tenant_id: tenant whose rows are read.
        reader: person or caller that reads.
        action: kind of the reading.
        object_: what is read, such as `accounts/C1`; None for a search of no single case or
            account.
        details: filter of a search and number of rows; none for a single case.
    """
    connection.execute(
        insert(AccessRow)
        .values(
            tenant_id=tenant_id,
            actor=reader.name,
            via=reader.via,
            action=action,
            object=object_,
            details=details or {},
        )
        .inline()
    )
