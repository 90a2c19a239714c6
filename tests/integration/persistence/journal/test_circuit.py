"""The circuit with a Postgres that is stopped, frozen, cut and read-only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import psycopg
import pytest

from persistence.decisions.rows import Decided
from persistence.deployments.recording import record_promotions
from persistence.engine import open_database
from persistence.tenants import create_tenant
from scoring.errors import StoreUnavailable
from scoring.prediction import ModelVersion
from tests.support.data.journalled import JournalledStore
from tests.support.factories import a_decision, a_model
from tests.support.postgres.own_server import OwnServer

WITHIN_S = 1.0
"""Time within which the circuit opens."""
SLOW = 3.0
"""Factor for a machine that does other work."""


@pytest.fixture
def server(make_home: Callable[[], Path]) -> Iterator[OwnServer]:
    server = OwnServer(make_home())
    yield server
    server.stop()


class Desk:
    """Decisions of two tenants: one chose the journal, the other did not."""

    def __init__(self, server: OwnServer, root: Path) -> None:
        self.server = server
        owner = open_database(server.url)
        self.journalling, self.rejecting = (
            create_tenant(owner, slug, f"fraud-{slug}").id for slug in ("one", "other")
        )
        model = a_model(version=ModelVersion("fraud-demo", 1))
        record_promotions(owner, [self.journalling, self.rejecting], model)
        owner.dispose()
        self.store = JournalledStore(server.url, root, lambda id_: id_ == self.journalling)
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


@pytest.fixture
def desk(server: OwnServer, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(server, tmp_path)
    desk.store.watcher.start()
    assert not desk.decide().is_journalled
    yield desk
    desk.store.close()


def wait_until(holds: Callable[[], bool], within_s: float) -> None:
    deadline = monotonic() + within_s
    while not holds():
        assert monotonic() < deadline
        sleep(0.02)


@contextmanager
def takes_at_most(seconds: float) -> Iterator[None]:
    began = monotonic()
    yield
    assert monotonic() - began < seconds * SLOW


def test_a_stopped_postgres_is_noticed_at_once_and_its_return_within_two_seconds(
    desk: Desk,
) -> None:
    desk.server.stop()
    with takes_at_most(WITHIN_S):
        assert desk.decide().is_journalled
        assert desk.is_refused()
    with takes_at_most(0.5):
        assert all(desk.decide().is_journalled for _ in range(100))
        assert desk.is_refused()
    desk.server.start()
    with takes_at_most(2.0):
        wait_until(lambda: not desk.store.circuit.is_open, 10)
    assert not desk.is_refused()
    desk.check()
    assert desk.store.drainer.outcomes["stored"] == 101


def test_a_frozen_postgres_is_noticed_within_a_second(desk: Desk) -> None:
    with desk.server.frozen():
        with takes_at_most(WITHIN_S):
            assert desk.decide().is_journalled
        assert desk.store.circuit.is_open
        with takes_at_most(0.2):
            assert desk.decide().is_journalled
            assert desk.is_refused()
    # What Postgres had received before it froze is stored under the same ids, by one of the two.
    desk.check()


def test_a_slow_statement_does_not_open_the_circuit(desk: Desk) -> None:
    """The row is locked for longer than a frozen Postgres would be waited for."""
    with psycopg.connect(desk.server.url) as other:
        other.execute("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
        writer = threading.Thread(target=desk.decide)
        writer.start()
        sleep(1.5)
        assert not desk.store.circuit.is_open
    writer.join(10)
    assert not desk.acknowledged[-1].is_journalled
    desk.check()


def test_connections_that_are_cut_cost_no_decision(desk: Desk) -> None:
    for _ in range(5):
        desk.server.cut()
        desk.decide()
        wait_until(lambda: not desk.store.circuit.is_open, 5)
    assert not desk.decide().is_journalled or desk.store.log.is_diverted
    desk.check()


def test_a_read_only_postgres_is_away_until_it_can_store(desk: Desk) -> None:
    with desk.server.read_only():
        wait_until(lambda: desk.decide().is_journalled, 5)
        assert desk.is_refused()
        sleep(0.6)
        assert desk.store.circuit.is_open
        assert "only reads" in (desk.store.circuit.reason or "")
    desk.check()


def test_a_postgres_that_stops_under_traffic_loses_and_repeats_nothing(desk: Desk) -> None:
    stopping = threading.Event()

    def send(own: list[Decided], lane: int) -> None:
        number = 0
        while not stopping.is_set():
            number += 1
            decided = a_decision(desk.journalling, external_id=f"lane-{lane}-{number}")
            (outcome,) = desk.store.log.write([decided])
            assert isinstance(outcome, Decided)
            own.append(outcome)
            sleep(0.002)

    lanes: list[list[Decided]] = [[], [], []]
    threads = [threading.Thread(target=send, args=(own, i)) for i, own in enumerate(lanes)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        sleep(0.4)
        desk.server.stop()
        sleep(0.4)
        desk.server.start()
        sleep(1.0)
    stopping.set()
    for thread in threads:
        thread.join()
    desk.acknowledged += [decided for own in lanes for decided in own]
    assert any(decided.is_journalled for decided in desk.acknowledged)
    desk.check()
