"""A rolling update under load, with the timings of the production manifest, loses no request."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil
from sqlalchemy import Engine, text

from persistence.api_keys import issue_key
from persistence.tenants import create_tenant
from tests.support.deploy.kustomize import Document, render, the
from tests.support.deploy.load_balancer import Balancer
from tests.support.fixture_types import Rows
from tests.support.load import Load
from tests.support.stack import KEY_SECRET, Publish, Service, serving

NEWS_S = 3.0
"""How long a proxy goes on sending to a pod that was asked to end, not having heard of it."""


class Pods:
    """Starts and ends service processes as Kubernetes does pods, behind a balancer."""

    def __init__(self, spec: Document, balancer: Balancer, start: Callable[[], Service]) -> None:
        (container,) = spec["containers"]
        self.pause_s: float = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        self.grace_s: float = spec["terminationGracePeriodSeconds"]
        self._balancer = balancer
        self._start = start

    def add(self) -> Service:
        """Start one, and return when requests are sent to it."""
        pod = self._start()
        self._balancer.add(port_of(pod))
        pod.child.wait_until(lambda: self._balancer.ready(port_of(pod)), 60)
        return pod

    def end(self, pod: Service) -> int:
        """End one as the manifest says; the proxies hear of it late. Returns its exit status."""
        process = psutil.Process(pod.child.identity[0])
        time.sleep(NEWS_S)
        self._balancer.remove(port_of(pod))
        time.sleep(self.pause_s - NEWS_S)
        process.terminate()
        return int(process.wait(self.grace_s - self.pause_s))


def port_of(pod: Service) -> int:
    return int(pod.url.rpartition(":")[2])


def test_no_request_fails_and_each_is_stored_once_while_every_pod_is_replaced(
    database: str,
    engine: Engine,
    publish: Publish,
    mlflow_server: str,
    free_port: Callable[[], int],
    tmp_path: Path,
    rows: Rows,
) -> None:
    tenant = create_tenant(engine, "demo", "fraud-rolling-update")
    publish(tenant.model_name)
    key = issue_key(engine, tenant.id, ("score",), KEY_SECRET)
    spec = the(render("overlays/production"), "Deployment")["spec"]["template"]["spec"]
    probe = spec["containers"][0]["readinessProbe"]
    with ExitStack() as stack:

        def start() -> Service:
            port = free_port()
            home = tmp_path / f"pod-{port}"
            home.mkdir()
            return stack.enter_context(serving(database, mlflow_server, home, port))

        balancer = stack.enter_context(Balancer(probe))
        pods = Pods(spec, balancer, start)
        before = [pods.add(), pods.add()]
        with Load(key, [balancer.url]) as load:
            # The next release's migration has ended: the old pods are to stay ready beside it.
            with engine.begin() as connection:
                connection.execute(text("UPDATE alembic_version SET version_num = 'next'"))
            after = []
            for pod in before:
                after.append(pods.add())
                assert pods.end(pod) == 0
            asked_of_the_old = sum(balancer.answered[port_of(pod)] for pod in before)
            time.sleep(1)
        assert balancer.failed == []
        assert {reply.status for reply in load.replies} == {200}
        assert balancer.fewest == len(before)
        assert asked_of_the_old > 0
        assert all(balancer.answered[port_of(pod)] for pod in after)
    prediction_ids = [reply.json()["prediction_id"] for reply in load.replies]
    assert len(set(prediction_ids)) == len(prediction_ids)
    stored = {str(row["id"]) for row in rows("SELECT id FROM predictions")}
    assert stored == set(prediction_ids)
