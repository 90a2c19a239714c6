"""Transactions that read and write only the rows of given tenants.

Row-level security (migration 0002) compares each row's tenant with a setting of the transaction,
which this module sets with SET LOCAL. A transaction without the setting finds no rows.
https://www.postgresql.org/docs/current/ddl-rowsecurity.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

from persistence.actor import Actor
from persistence.connection.settings import SERVICE_ROLE as SERVICE_ROLE
from persistence.engine import transaction

SERVICE = Actor("sentinel")
"""Actor of what the service does by itself."""
OPERATOR = Actor("sentinel db")
"""Actor of what an operator does without a name; entries of earlier releases have it too."""

_ACTOR = "set_config('sentinel.actor', :actor, true), set_config('sentinel.via', :via, true)"
_SET_ACTOR = text(f"SELECT {_ACTOR}")
_SET = text(f"SELECT set_config('sentinel.tenant_ids', :tenants, true), {_ACTOR}")
_SET_AND_REUSE_PLANS = text(
    f"SELECT set_config('sentinel.tenant_ids', :tenants, true), {_ACTOR},"
    " set_config('plan_cache_mode', 'force_generic_plan', true)"
)
_ALL_TENANTS = (
    "set_config('sentinel.tenant_ids',"
    " (SELECT coalesce(string_agg(id::text, ','), '') FROM tenants), true)"
)
_SET_ALL = text(f"SELECT {_ALL_TENANTS}, {_ACTOR}")


@contextmanager
def tenant_transaction(
    engine: Engine, *tenant_ids: int, actor: Actor = SERVICE, reuses_plans: bool = False
) -> Iterator[Connection]:
    """Yield a transaction on the rows of `tenant_ids`; commit unless the block raises.

    Args:
        engine: pool that the connection is taken from.
        tenant_ids: tenants whose rows can be read and written.
        actor: actor of the changes in the audit log.
        reuses_plans: whether a prepared statement keeps one plan for all values. For statements
            whose look-ups are the same whatever their values: to plan one for every month of
            decisions takes up to ten times as long as to run it
            (docs/decisions/0020-console.md).

    Raises:
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    with transaction(engine) as connection:
        settings = _SET_AND_REUSE_PLANS if reuses_plans else _SET
        connection.execute(settings, {"tenants": joined(tenant_ids), **_parameters(actor)})
        yield connection


def joined(tenant_ids: Iterable[int]) -> str:
    """Return tenant ids in the form of the setting `sentinel.tenant_ids`."""
    return ",".join(str(int(tenant_id)) for tenant_id in tenant_ids)


def act_as(connection: Connection, actor: Actor) -> None:
    """Name the actor of the changes that the running transaction makes from now on."""
    connection.execute(_SET_ACTOR, _parameters(actor))


@contextmanager
def every_tenants_transaction(connection: Connection, actor: Actor = OPERATOR) -> Iterator[None]:
    """Begin the owner's transaction on the rows of all tenants; commit unless the block raises."""
    with connection.begin():
        see_all_tenants(connection, actor)
        yield


def see_all_tenants(connection: Connection, actor: Actor = OPERATOR) -> None:
    """Open the rows of all tenants to the running transaction; owners need it too."""
    connection.execute(_SET_ALL, _parameters(actor))


def _parameters(actor: Actor) -> dict[str, str]:
    return {"actor": actor.name, "via": actor.via or ""}
