"""The real service without Postgres: a tenant's choice, repeats, kill -9, and the way back."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from time import sleep

import psycopg
import pytest
from click.testing import CliRunner

from persistence.api_keys import issue_key
from persistence.engine import open_database
from persistence.tenants import create_tenant, set_journal
from sentinel.cli.main import main
from tests.support.factories import a_body
from tests.support.postgres.own_server import OwnServer
from tests.support.stack import KEY_SECRET, Service, publisher, serving


class Clients:
    """Clients that send payments until they are stopped, and keep what they were answered."""

    def __init__(self, service: Service, key: str) -> None:
        self._service = service
        self._key = key
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(i,)) for i in range(3)]
        self.answered: dict[str, str] = {}
        self.failed: list[int] = []
        for thread in self._threads:
            thread.start()

    def _send(self, lane: int) -> None:
        number = 0
        while not self._stopping.is_set():
            number += 1
            external_id = f"lane-{lane}-{number}"
            reply = self._service.post("/score", a_body(external_id=external_id), self._key)
            if reply.status_code == 200:
                self.answered[external_id] = reply.json()["prediction_id"]
            else:
                self.failed.append(reply.status_code)
            sleep(0.02)

    def stop(self) -> None:
        """End after the requests that are under way."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()


def test_without_postgres_a_tenant_that_chose_the_journal_is_served_and_nothing_is_lost(
    mlflow_server: str,
    tmp_path: Path,
    free_port: Callable[[], int],
    make_home: Callable[[], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = OwnServer(make_home())
    owner = open_database(server.url)
    keys = {
        slug: issue_key(
            owner, create_tenant(owner, slug, f"fraud-{slug}").id, ("score",), KEY_SECRET
        )
        for slug in ("journals", "rejects")
    }
    set_journal(owner, "journals", True)
    unused = issue_key(owner, 1, ("score",), KEY_SECRET, name="unused")
    owner.dispose()
    publish = publisher(mlflow_server, tmp_path)
    for slug in keys:
        publish(f"fraud-{slug}")
    home = tmp_path / "home"
    home.mkdir()
    with serving(server.url, mlflow_server, home, free_port()) as service:
        service.wait_until_ready()
        service.child.wait_until(
            lambda: all(
                service.post("/score", a_body(), key).status_code == 200 for key in keys.values()
            ),
            30,
        )
        clients = Clients(service, keys["journals"])
        sleep(0.5)
        server.stop()
        sleep(1.0)

        def score(slug: str, **changes: object) -> tuple[int, dict[str, object]]:
            reply = service.post("/score", a_body(**changes), keys[slug])
            return reply.status_code, reply.json()

        status, decided = score("journals", external_id="order-1")
        assert (status, decided["stored"]) == (200, "journal")
        repeated = score("journals", external_id="order-1")[1]
        assert repeated["prediction_id"] == decided["prediction_id"]
        assert score("journals", external_id="order-1", amount=5.0)[0] == 422
        rows = [a_body(external_id=f"row-{i}") for i in range(3)]
        whole = service.post("/score/batch", {"transactions": rows}, keys["journals"])
        results = whole.json()["results"]
        assert [result["stored"] for result in results] == ["journal"] * 3
        refused = service.post("/score", a_body(), keys["rejects"])
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert service.post("/score", a_body(), unused).status_code == 503

        ready = service.client.get("/readyz")
        assert ready.status_code == 200
        assert "Postgres" in ready.json()["checks"]["postgres"]
        assert ready.json()["journal"]["in_use"]
        assert service.client.get("/livez").status_code == 200
        metrics = service.client.get("/metrics").text
        assert "sentinel_store_circuit_open 1.0" in metrics
        assert "sentinel_journal_decisions 0.0" not in metrics

        monkeypatch.setenv("SENTINEL_HOME", str(home))
        shown = CliRunner().invoke(main, ["journal", "status"])
        assert "in use" in shown.output
        assert CliRunner().invoke(main, ["journal", "verify"]).exit_code == 0
        clients.stop()
        _kill(service)
    server.start()
    assert CliRunner().invoke(main, ["journal", "verify"]).exit_code == 0
    with serving(server.url, mlflow_server, home, free_port()) as service:
        service.wait_until_ready()
        service.child.wait_until(
            lambda: service.client.get("/readyz").json()["journal"]["waiting"] == 0, 30
        )
        reply = service.post("/score", a_body(external_id="order-1"), keys["journals"])
        assert reply.json()["prediction_id"] == decided["prediction_id"]
        assert "stored" not in reply.json()
    acknowledged = clients.answered | {"order-1": str(decided["prediction_id"])}
    acknowledged |= {f"row-{i}": result["prediction_id"] for i, result in enumerate(results)}
    with psycopg.connect(server.url) as connection:
        found = connection.execute(
            "SELECT t.external_id, p.id::text FROM transactions t JOIN predictions p"
            " ON (p.tenant_id, p.transaction_id) = (t.tenant_id, t.id)"
            " WHERE t.external_id IS NOT NULL"
        ).fetchall()
    server.stop()
    assert clients.failed == []
    assert len(clients.answered) > 20
    stored = dict(found)
    assert len(stored) == len(found)
    assert stored == acknowledged


def _kill(service: Service) -> None:
    """Kill the supervisor and its workers at once, as a node that loses its power does."""
    supervisor, _ = service.child.identity
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    for pid in (supervisor, *map(int, children)):
        os.kill(pid, signal.SIGKILL)
