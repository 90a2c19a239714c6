"""The real service while it is killed, its clock is moved, and its Postgres fails in each way.

Two tenants send payments all the time: one chose the journal, the other did not.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from persistence.api_keys import issue_key
from persistence.engine import open_database
from persistence.tenants import create_tenant, set_journal
from tests.support.factories import a_body
from tests.support.moved_clock import MovedClock
from tests.support.payments import PaymentClients, stored_decisions
from tests.support.postgres.own_server import OwnServer, several
from tests.support.stack import KEY_SECRET, Service, publisher, serving

SLOW = 3.0
"""Factor for a machine that does other work."""
BACK_WITHIN_S = 2.0
"""Time without a decision after Postgres is back."""


WORKER_BACK_WITHIN_S = 4.0
"""Time without a decision after a worker was killed, where a start takes less."""


class Store(NamedTuple):
    """Two servers, of which the second streams from the first, and a service that knows both.

    Attributes:
        primary: server that stores decisions until its standby is promoted.
        standby: standby, without which the primary confirms no commit.
        service: running service.
        keys: API keys by the tenants' names.
        clock: wall clock of the service.
        started_in_s: time from the start of the service's process until it was ready.
    """

    primary: OwnServer
    standby: OwnServer
    service: Service
    keys: dict[str, str]
    clock: MovedClock
    started_in_s: float


@pytest.fixture(scope="module")
def store(
    mlflow_server: str, tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Store]:
    home = tmp_path_factory.mktemp("faults")
    with ExitStack() as stack:

        def folder() -> Path:
            return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sentinel-")))

        primary = OwnServer(folder())
        stack.callback(primary.stop)
        owner = open_database(primary.url)
        keys = {
            slug: issue_key(
                owner,
                create_tenant(owner, slug, f"fraud-{slug}").id,
                ("score", "review"),
                KEY_SECRET,
            )
            for slug in ("journals", "rejects")
        }
        set_journal(owner, "journals", True)
        owner.dispose()
        standby = OwnServer(folder(), primary)
        stack.callback(standby.stop)
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.execute("SELECT pg_reload_conf()")
        publish = publisher(mlflow_server, home)
        for slug in keys:
            publish(f"fraud-{slug}")
        began_s = time.monotonic()
        url = several(primary, standby)
        clock = MovedClock(home / "clock")
        service = stack.enter_context(
            serving(url, mlflow_server, home, free_port(), **clock.environment)
        )
        service.wait_until_ready()
        started_in_s = time.monotonic() - began_s
        service.child.wait_until(
            lambda: all(
                service.post("/score", a_body(), key).status_code == 200 for key in keys.values()
            ),
            30,
        )
        yield Store(primary, standby, service, keys, clock, started_in_s)


class Load(NamedTuple):
    """Clients of the two tenants."""

    journals: PaymentClients
    rejects: PaymentClients

    @property
    def decided(self) -> dict[str, str]:
        """Ids of the decisions by the key of their payment."""
        return self.journals.decided | self.rejects.decided


@contextmanager
def under_load(store: Store) -> Iterator[Load]:
    """Send payments of both tenants while the block runs."""
    url, keys = store.service.url, store.keys
    with (
        PaymentClients(url, keys["journals"]) as one,
        PaymentClients(url, keys["rejects"]) as other,
    ):
        one.wait_for(20, 30)
        other.wait_for(20, 30)
        yield Load(one, other)


def check_rows(store: Store, server: OwnServer, load: Load) -> None:
    """Wait until the journal is drained; what a client was answered is in exactly one row."""
    ready = store.service.client.get
    store.service.child.wait_until(
        lambda: ready("/readyz").json().get("journal", {}).get("waiting") == 0, 60
    )
    stored = stored_decisions(server.url)
    assert {key: stored.get(key) for key in load.decided} == {
        key: [prediction_id] for key, prediction_id in load.decided.items()
    }


def worker_of(service: Service) -> int | None:
    """Return the process id of the service's worker; None between two of them."""
    supervisor, _ = service.child.identity
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    for pid in map(int, children):
        if b"bentoml" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    return None


def test_a_killed_postgres_is_in_use_again_within_two_seconds_of_its_return(store: Store) -> None:
    with under_load(store) as load:
        store.primary.kill()
        time.sleep(0.5)
        store.primary.start()
        back_s = time.monotonic()
        load.rejects.wait_for(50, 30)
        assert load.rejects.longest_gap_s(back_s) < BACK_WITHIN_S * SLOW
    assert {status for status, _ in load.rejects.refusals()} == {503}
    assert not load.journals.refusals()
    check_rows(store, store.primary, load)


def test_a_server_process_that_crashes_costs_the_journal_no_decision(store: Store) -> None:
    """Postgres ends every session then, and recovers as after a power cut."""
    with under_load(store) as load:
        connection = psycopg.connect(store.primary.url)
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        killed_s = time.monotonic()
        load.rejects.wait_for(50, 30)
        assert load.rejects.longest_gap_s(killed_s) < (1.0 + BACK_WITHIN_S) * SLOW
    assert not load.journals.refusals()
    check_rows(store, store.primary, load)


def test_a_killed_worker_is_replaced_at_once(store: Store) -> None:
    worker = worker_of(store.service)
    assert worker is not None
    with under_load(store) as load:
        os.kill(worker, signal.SIGKILL)
        killed_s = time.monotonic()
        while worker_of(store.service) in (worker, None):
            assert time.monotonic() - killed_s < 1.0 * SLOW
            time.sleep(0.02)
        load.rejects.wait_for(20, 120)
        within_s = max(WORKER_BACK_WITHIN_S, store.started_in_s)
        assert load.rejects.longest_gap_s(killed_s) < within_s * SLOW
    check_rows(store, store.primary, load)


def test_a_clock_that_is_moved_refuses_and_delays_nothing(store: Store) -> None:
    with under_load(store) as load:
        for hours in (2, -2, 5, 0):
            store.clock.move(hours * 3600)
            moved_s = time.monotonic()
            load.rejects.wait_for(100, 30)
            assert load.rejects.longest_gap_s(moved_s) < 1.0 * SLOW
    assert not load.rejects.refusals()
    assert not load.journals.refusals()
    check_rows(store, store.primary, load)


def test_every_answered_payment_is_one_row_after_kills_at_random_moments(store: Store) -> None:
    chance = random.Random(17)  # noqa: S311 - moments of kills
    with under_load(store) as load:
        for victim in ("postgres", "both", "postgres"):
            time.sleep(chance.uniform(0.2, 1.2))
            store.primary.kill()
            if victim != "postgres":
                time.sleep(chance.uniform(0.0, 0.3))
                worker = worker_of(store.service)
                assert worker is not None
                os.kill(worker, signal.SIGKILL)
            time.sleep(chance.uniform(0.0, 0.5))
            store.primary.start()
            load.rejects.wait_for(20, 120)
    assert len(load.decided) > 200
    check_rows(store, store.primary, load)


def label(store: Store, load: Load) -> int:
    """Label a decided payment of the tenant without a journal; return the status."""
    named = {"external_id": next(iter(load.rejects.decided)), "label": "legitimate"}
    labels = [named | {"source": "analyst"}]
    return store.service.post("/labels", {"labels": labels}, store.keys["rejects"]).status_code


def test_a_postgres_that_only_reads_is_503_with_its_cause_and_never_500(store: Store) -> None:
    with under_load(store) as load:
        assert label(store, load) == 201
        with store.primary.read_only():
            time.sleep(2.0)
            ready = store.service.client.get("/readyz").json()
            assert "only reads" in ready["checks"]["postgres"]
            assert label(store, load) == 503
        back_s = time.monotonic()
        load.rejects.wait_for(50, 30)
        assert load.rejects.longest_gap_s(back_s) < BACK_WITHIN_S * SLOW
        assert label(store, load) == 201
    assert not load.journals.refusals()
    assert {status for status, _ in load.rejects.refusals()} == {503}
    check_rows(store, store.primary, load)


def test_after_a_failover_the_promoted_standby_is_in_use_within_two_seconds(store: Store) -> None:
    """The former primary still answers and only reads, so no connection to it breaks."""
    with under_load(store) as load, store.primary.read_only():
        assert label(store, load) == 503
        time.sleep(0.5)
        store.standby.execute("SELECT pg_promote()")
        promoted_s = time.monotonic()
        load.rejects.wait_for(50, 30)
        assert load.rejects.longest_gap_s(promoted_s) < BACK_WITHIN_S * SLOW
        assert label(store, load) == 201
    assert {status for status, _ in load.rejects.refusals()} == {503}
    assert not load.journals.refusals()
    check_rows(store, store.standby, load)
