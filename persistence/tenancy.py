"""Transactions that read and write only the rows of given tenants.

Row-level security (migration 0002) compares each row's tenant with a setting of the transaction,
which this module sets with SET LOCAL. A transaction without the setting finds no rows.
https://www.postgresql.org/docs/current/ddl-rowsecurity.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

from persistence.connection.settings import SERVICE_ROLE as SERVICE_ROLE
from persistence.engine import transaction

OPERATOR = "sentinel db"
"""Actor in the audit log of deletions by maintenance."""

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
    """Yield a transaction on the rows of `tenant_ids`; commit unless the block raises.

    Args:
        engine: pool that the connection is taken from.
        tenant_ids: tenants whose rows can be read and written.
        actor: actor of the changes in the audit log.

    Raises:
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    with transaction(engine) as connection:
        connection.execute(_SET, {"tenants": joined(tenant_ids), "actor": actor})
        yield connection


def joined(tenant_ids: Iterable[int]) -> str:
    """Return tenant ids in the form of the setting `sentinel.tenant_ids`."""
    return ",".join(str(int(tenant_id)) for tenant_id in tenant_ids)


@contextmanager
def every_tenants_transaction(connection: Connection) -> Iterator[None]:
    """Begin the owner's transaction on the rows of all tenants; commit unless the block raises."""
    with connection.begin():
        see_all_tenants(connection)
        yield


def see_all_tenants(connection: Connection) -> None:
    """Open the rows of all tenants to the running transaction; owners need it too."""
    connection.execute(_SET_ALL, {"actor": OPERATOR})
