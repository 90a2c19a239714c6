"""Transactions that a person chose, with who works on them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Engine

from persistence.review.assignments import assignments_of
from persistence.review.cases import read_cases
from persistence.review.queue import QueueEntry
from persistence.tenancy import tenant_transaction


def read_chosen(
    engine: Engine, tenant_id: int, transaction_ids: Sequence[UUID]
) -> list[QueueEntry]:
    """Return transactions with their decisions and who works on them, each once.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose transactions they are.
        transaction_ids: ids of the transactions; those that are not there are left out.
    """
    ids = list(dict.fromkeys(transaction_ids))
    with tenant_transaction(engine, tenant_id) as connection:
        cases = read_cases(connection, tenant_id, ids)
        assignments = assignments_of(connection, tenant_id, ids)
    return [QueueEntry(case, assignments.get(case.decided.transaction_id)) for case in cases]
