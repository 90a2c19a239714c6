"""BentoML's supervisor: nobody else reaches its sockets, and it looks at its workers often."""

from __future__ import annotations

import asyncio
import stat
import time
from pathlib import Path

import pytest
import yaml
from bentoml._internal.utils.circus import Arbiter, create_standalone_arbiter
from bentoml.serving import create_watcher
from circus.util import AsyncPeriodicCallback
from tornado.ioloop import IOLoop

from app.connections.draining import DRAIN_S, LAST_REQUEST_S
from app.supervisor import KILL_AFTER_S, prepare_supervisor
from tests.support.paths import PROJECT


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Arbiter, "__init__", Arbiter.__init__)  # restored after the test
    monkeypatch.setattr(IOLoop, "time", IOLoop.time)
    prepare_supervisor()
    prepare_supervisor()


def test_the_sockets_are_inside_the_supervisors_own_process() -> None:
    supervisor = create_standalone_arbiter([])
    assert supervisor.endpoint == "inproc://supervisor-control"
    assert supervisor.pubsub_endpoint == "inproc://supervisor-events"
    assert supervisor.ctrl.endpoint == supervisor.endpoint


def test_a_worker_that_has_ended_is_noticed_within_a_second() -> None:
    assert create_standalone_arbiter([]).ctrl.check_delay < 1000  # milliseconds


def test_a_worker_that_does_not_end_is_killed_after_it_could_answer_and_before_its_pod_is() -> None:
    watcher = create_watcher("worker", ["-c", ""])
    create_standalone_arbiter([watcher])
    answers_s, stores_s = 10, 5
    assert watcher.graceful_timeout == KILL_AFTER_S
    assert DRAIN_S + LAST_REQUEST_S + answers_s + stores_s < KILL_AFTER_S
    manifest = yaml.safe_load((PROJECT / "deploy/kubernetes/base/deployment.yaml").read_text())
    pod = manifest["spec"]["template"]["spec"]
    pause_s = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pause_s + KILL_AFTER_S < pod["terminationGracePeriodSeconds"]


def test_a_clock_that_is_set_back_delays_no_look_at_the_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[float] = []

    def look() -> None:
        looks.append(time.monotonic())

    async def supervise() -> None:
        caller = AsyncPeriodicCallback(look, 10)
        caller.start()
        while not looks:
            await asyncio.sleep(0.01)
        set_back = time.time() - 900
        monkeypatch.setattr(time, "time", lambda: set_back)
        while len(looks) < 5:
            await asyncio.sleep(0.01)
        caller.stop()

    asyncio.run(asyncio.wait_for(supervise(), 10))


def test_with_a_reloader_the_sockets_lie_in_a_directory_of_the_user_alone() -> None:
    reloader = {"use": "bentoml._internal.utils.circus.watchfilesplugin.ServiceReloaderPlugin"}
    supervisor = create_standalone_arbiter([], plugins=[reloader])
    with supervisor.exit_stack:
        folder = Path(supervisor.endpoint.removeprefix("ipc://")).parent
        assert supervisor.endpoint == f"ipc://{folder}/control"
        assert supervisor.pubsub_endpoint == f"ipc://{folder}/events"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()
