"""`bentoml serve` opens its own port and nothing else to other users of the machine."""

from __future__ import annotations

import os

import pytest

from tests.support.sentinel.other_user import commands, family, listening
from tests.support.system import System


@pytest.fixture
def system(shared_system: System) -> System:
    return shared_system


def port_of(system: System) -> int:
    return int(system.service.url.rsplit(":", 1)[1])


def test_the_supervisor_and_its_worker_listen_on_the_services_port_only(system: System) -> None:
    processes = family(system.service.child.identity[0])
    assert len(processes) > 1
    addresses, unix_sockets = listening(processes)
    assert {port for _, port in addresses} == {port_of(system)}
    assert unix_sockets == set()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_no_port_of_the_service_takes_another_users_commands(system: System) -> None:
    addresses, _ = listening(family(system.service.child.identity[0]))
    for _, port in addresses:
        assert commands(f"tcp://127.0.0.1:{port}") == "no reply"
