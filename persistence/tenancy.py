"""Transactions that see the rows of given tenants and of no others.

Row-level security (migration 0002) compares each row's tenant with a setting of the transaction,
made here with SET LOCAL; a transaction that sets nothing sees nothing.
https://www.postgresql.org/docs/current/ddl-rowsecurity.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

from persistence.engine import transaction

SERVICE_ROLE = "sentinel_service"
"""Owns nothing and cannot bypass row-level security; the service acts as it."""
OPERATOR = "sentinel db"
"""Actor of what maintenance deletes, in the audit log."""

_SET = text(
    "SELECT set_config('sentinel.tenant_ids', :tenants, true),"
    " set_config('sentinel.actor', :actor, true)"
)
_SET_ALL = text(
    "SELECT set_config('sentinel.actor', :actor, true), set_config('sentinel.tenant_ids',"
    " (SELECT coalesce(string_agg(id::text, ','), '') FROM tenants), true)"
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


@contextmanager
def every_tenants_transaction(connection: Connection) -> Iterator[None]:
    """Begin a transaction of the owner's that sees every tenant; commit when it ends well."""
    with connection.begin():
        see_all_tenants(connection)
        yield


def see_all_tenants(connection: Connection) -> None:
    """See every tenant's rows until the transaction ends: row-level security binds owners too."""
    connection.execute(_SET_ALL, {"actor": OPERATOR})
