"""The circuit with a Postgres that is stopped, frozen, cut and read-only."""

from __future__ import annotations

import threading
from time import sleep

import psycopg

from persistence.decisions.rows import Decided
from tests.support.data.two_tenants import TwoTenants, takes_at_most, wait_until
from tests.support.factories import a_decision

WITHIN_S = 1.0
"""Time within which the circuit opens."""


def test_a_stopped_postgres_is_noticed_at_once_and_its_return_within_two_seconds(
    tenants: TwoTenants,
) -> None:
    tenants.server.stop()
    with takes_at_most(WITHIN_S):
        assert tenants.decide().is_journalled
        assert tenants.is_refused()
    with takes_at_most(0.5):
        assert all(tenants.decide().is_journalled for _ in range(100))
        assert tenants.is_refused()
    tenants.server.start()
    with takes_at_most(2.0):
        wait_until(lambda: not tenants.store.circuit.is_open, 10)
    assert not tenants.is_refused()
    tenants.check()
    assert tenants.store.drainer.outcomes["stored"] == 101


def test_a_frozen_postgres_is_noticed_within_a_second(tenants: TwoTenants) -> None:
    with tenants.server.frozen():
        with takes_at_most(WITHIN_S):
            assert tenants.decide().is_journalled
        assert tenants.store.circuit.is_open
        with takes_at_most(0.2):
            assert tenants.decide().is_journalled
            assert tenants.is_refused()
    # What Postgres had received before it froze is stored under the same ids, by one of the two.
    tenants.check()


def test_a_slow_statement_does_not_open_the_circuit(tenants: TwoTenants) -> None:
    """The row is locked for longer than a frozen Postgres would be waited for."""
    with psycopg.connect(tenants.server.url) as other:
        other.execute("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
        writer = threading.Thread(target=tenants.decide)
        writer.start()
        sleep(1.5)
        assert not tenants.store.circuit.is_open
    writer.join(10)
    assert not tenants.acknowledged[-1].is_journalled
    tenants.check()


def test_connections_that_are_cut_cost_no_decision(tenants: TwoTenants) -> None:
    for _ in range(5):
        tenants.server.cut()
        tenants.decide()
        wait_until(lambda: not tenants.store.circuit.is_open, 5)
    assert not tenants.decide().is_journalled or tenants.store.log.is_diverted
    tenants.check()


def test_a_read_only_postgres_is_away_until_it_can_store(tenants: TwoTenants) -> None:
    with tenants.server.read_only():
        wait_until(lambda: tenants.decide().is_journalled, 5)
        assert tenants.is_refused()
        sleep(0.6)
        assert tenants.store.circuit.is_open
        assert "only reads" in (tenants.store.circuit.reason or "")
    tenants.check()


def test_a_postgres_that_stops_under_traffic_loses_and_repeats_nothing(tenants: TwoTenants) -> None:
    stopping = threading.Event()

    def send(own: list[Decided], lane: int) -> None:
        number = 0
        while not stopping.is_set():
            number += 1
            decided = a_decision(tenants.journalling, external_id=f"lane-{lane}-{number}")
            (outcome,) = tenants.store.log.write([decided])
            assert isinstance(outcome, Decided)
            own.append(outcome)
            sleep(0.002)

    lanes: list[list[Decided]] = [[], [], []]
    threads = [threading.Thread(target=send, args=(own, i)) for i, own in enumerate(lanes)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        sleep(0.4)
        tenants.server.stop()
        sleep(0.4)
        tenants.server.start()
        sleep(1.0)
    stopping.set()
    for thread in threads:
        thread.join()
    tenants.acknowledged += [decided for own in lanes for decided in own]
    assert any(decided.is_journalled for decided in tenants.acknowledged)
    tenants.check()
