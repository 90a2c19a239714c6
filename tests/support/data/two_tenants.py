"""Decisions of a tenant that chose the journal and of one that did not, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import psycopg

from persistence.decisions.rows import Decided
from persistence.deployments.recording import record_promotions
from persistence.engine import open_database
from persistence.tenants import create_tenant
from scoring.errors import StoreUnavailable
from scoring.prediction import ModelVersion
from tests.support.data.journalled import JournalledStore
from tests.support.factories import a_decision, a_model
from tests.support.postgres.own_server import OwnServer

SLOW = 3.0
"""Factor for a machine that does other work."""


class TwoTenants:
    """Decisions of two tenants: one chose the journal, the other did not."""

    def __init__(self, server: OwnServer, root: Path, url: str | None = None) -> None:
        """Open the store of a server; decisions reach it by another URL where one is given."""
        self.server = server
        owner = open_database(server.url)
        self.journalling, self.rejecting = (
            create_tenant(owner, slug, f"fraud-{slug}").id for slug in ("one", "other")
        )
        model = a_model(version=ModelVersion("fraud-demo", 1))
        record_promotions(owner, [self.journalling, self.rejecting], model)
        owner.dispose()
        self.store = JournalledStore(url or server.url, root, lambda id_: id_ == self.journalling)
        self.acknowledged: list[Decided] = []
        self.number = 0

    def decide(self) -> Decided:
        """Decide a payment of the tenant with the journal."""
        self.number += 1
        decided = a_decision(self.journalling, external_id=f"order-{self.number}")
        (outcome,) = self.store.log.write([decided])
        assert isinstance(outcome, Decided)
        self.acknowledged.append(outcome)
        return outcome

    def is_refused(self) -> bool:
        """Whether a payment of the other tenant is refused."""
        try:
            self.store.log.write([a_decision(self.rejecting)])
        except StoreUnavailable:
            return True
        return False

    def check(self) -> None:
        """Wait until all is drained; every acknowledged decision is one row."""
        wait_until(lambda: not self.store.log.is_diverted, 20)
        with psycopg.connect(self.server.url) as connection:
            statement = "SELECT id FROM predictions WHERE tenant_id = %s"
            ids = [row[0] for row in connection.execute(statement, [self.journalling])]
        assert sorted(ids) == sorted(d.prediction_id for d in self.acknowledged)


def wait_until(holds: Callable[[], bool], within_s: float) -> None:
    """Wait until a condition holds, and fail where it does not in time."""
    deadline = monotonic() + within_s
    while not holds():
        assert monotonic() < deadline
        sleep(0.02)


@contextmanager
def takes_at_most(seconds: float) -> Iterator[None]:
    """Fail where the block takes longer than so many seconds on a quiet machine."""
    began = monotonic()
    yield
    assert monotonic() - began < seconds * SLOW
