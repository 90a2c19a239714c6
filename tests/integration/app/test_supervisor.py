"""BentoML's supervisor: nobody else reaches its sockets, and it looks at its workers often."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from bentoml._internal.utils.circus import Arbiter, create_standalone_arbiter

from app.supervisor import close_control_ports


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Arbiter, "__init__", Arbiter.__init__)  # restored after the test
    close_control_ports()
    close_control_ports()


def test_the_sockets_are_inside_the_supervisors_own_process() -> None:
    supervisor = create_standalone_arbiter([])
    assert supervisor.endpoint == "inproc://supervisor-control"
    assert supervisor.pubsub_endpoint == "inproc://supervisor-events"
    assert supervisor.ctrl.endpoint == supervisor.endpoint


def test_a_worker_that_has_ended_is_noticed_within_a_second() -> None:
    assert create_standalone_arbiter([]).ctrl.check_delay < 1000  # milliseconds


def test_with_a_reloader_the_sockets_lie_in_a_directory_of_the_user_alone() -> None:
    reloader = {"use": "bentoml._internal.utils.circus.watchfilesplugin.ServiceReloaderPlugin"}
    supervisor = create_standalone_arbiter([], plugins=[reloader])
    with supervisor.exit_stack:
        folder = Path(supervisor.endpoint.removeprefix("ipc://")).parent
        assert supervisor.endpoint == f"ipc://{folder}/control"
        assert supervisor.pubsub_endpoint == f"ipc://{folder}/events"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()
