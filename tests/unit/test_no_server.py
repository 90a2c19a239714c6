"""The rule of `make test-unit`: no server, no network."""

from __future__ import annotations

import socket
import subprocess
import urllib.request

import pytest


def test_a_unit_test_cannot_listen_or_reach_a_machine() -> None:
    with socket.socket() as probe, pytest.raises(AssertionError, match="belongs to integration"):
        probe.bind(("127.0.0.1", 0))
    with pytest.raises(AssertionError, match="belongs to integration"):
        urllib.request.urlopen("http://localhost/")


@pytest.mark.parametrize(
    "command",
    [
        ["/usr/lib/postgres", "-D", "x"],
        ["python", "-m", "mlflow"],
        ["python", "-m", "sentinel.local.mlflow_program"],
    ],
)
def test_a_unit_test_cannot_start_a_server(command: list[str]) -> None:
    with pytest.raises(AssertionError, match="belongs to integration"):
        subprocess.run(command, check=False)
