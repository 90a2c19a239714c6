"""Keep every process from adding to a tenant's figures while decisions of the past are stored.

`fold_hours` takes what is older than GRACE as complete, which holds for a service: it decides now.
Whoever decides at earlier times holds the lock of the tenant's mark meanwhile, as a process does
that adds to the figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Engine, select, update
from sqlalchemy.dialects.postgresql import insert

from persistence.actor import Actor
from persistence.tables.decisions import PredictionRow
from persistence.tables.hourly import HourCountingRow
from persistence.tenancy import tenant_transaction


@contextmanager
def figures_held(engine: Engine, tenant_id: int, since: datetime, actor: Actor) -> Iterator[None]:
    """Keep a tenant's figures as they are until the block ends; they begin at `since` then.

    Args:
        engine: pool of connections whose transactions have no time limit.
        tenant_id: tenant whose figures they are; it has no decision yet.
        since: earliest time at which the block decides, to the millisecond.
        actor: actor of the change.

    Raises:
        ValueError: the tenant has decisions, which figures may have counted already.
        StoreUnavailable: Postgres is unreachable or the connection broke.
    """
    mine = HourCountingRow.tenant_id == tenant_id
    begin = insert(HourCountingRow).values(tenant_id=tenant_id, decided_until=since)
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        connection.execute(begin.on_conflict_do_nothing())
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        connection.execute(select(HourCountingRow.tenant_id).where(mine).with_for_update())
        any_decision = select(PredictionRow.id).where(PredictionRow.tenant_id == tenant_id).limit(1)
        if connection.execute(any_decision).first() is not None:
            raise ValueError("the tenant has decisions, so its past is what it is")
        yield
        # Last: a process that looks for the mark would wait for one that is being changed.
        connection.execute(update(HourCountingRow).where(mine).values(decided_until=since))
