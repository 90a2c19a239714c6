"""Transactions that see the rows of given tenants and of no others.

Row-level security (migration 0002) compares each row's tenant with a setting of the transaction,
made here with SET LOCAL; a transaction that sets nothing sees nothing.
https://www.postgresql.org/docs/current/ddl-rowsecurity.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

from persistence.database import transaction

SERVICE_ROLE = "sentinel_service"
"""Owns nothing and cannot bypass row-level security; the service acts as it."""

_SET = text(
    "SELECT set_config('sentinel.tenant_ids', :tenants, true),"
    " set_config('sentinel.actor', :actor, true)"
)


@contextmanager
def tenant_transaction(
    engine: Engine, *tenant_ids: int, actor: str = "sentinel"
) -> Iterator[Connection]:
    """Commit when the block ends well; only rows of `tenant_ids` can be read or written in it.

    Args:
        engine: the pool.
        tenant_ids: whose rows.
        actor: who acts, for the audit log.

    Raises:
        StoreUnavailable: Postgres could not be reached, broke off, or lacks the schema.
    """
    with transaction(engine) as connection:
        connection.execute(_SET, {"tenants": joined(tenant_ids), "actor": actor})
        yield connection


def joined(tenant_ids: Iterable[int]) -> str:
    """Return tenants in the form the policies read."""
    return ",".join(str(int(tenant_id)) for tenant_id in tenant_ids)
