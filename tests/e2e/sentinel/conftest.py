"""A machine, on which each test file runs the demo, and a month of PaySim's payments."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sentinel.local.postgres.embedded import EmbeddedPostgres
from tests.support.paths import PROJECT
from tests.support.sentinel.demo_machine import AWKWARD, PARTS, Machine
from training.data.simulator import simulate


@pytest.fixture(scope="module")
def machine(free_port: Callable[[], int]) -> Iterator[Machine]:
    # Not tmp_path_factory: as root, Postgres runs as another user, and each pytest session that
    # starts closes the folder above to others again.
    with tempfile.TemporaryDirectory(prefix="sentinel-") as directory:
        checkout = Path(directory) / AWKWARD
        checkout.mkdir()
        for part in PARTS:
            # With its times and __pycache__, so that nothing is compiled again.
            subprocess.run(["cp", "-a", PROJECT / part, checkout], check=True)
        (checkout / ".venv").symlink_to(sys.prefix)
        machine = Machine(checkout, free_port(), free_port())
        yield machine
        for process in machine.started:
            if process.poll() is None:
                process.kill()
                process.communicate()
        machine.run("stop")
        EmbeddedPostgres(machine.home).stop()
        assert [path.name for path in Path(directory).iterdir()] == [AWKWARD], "nothing beside it"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp(AWKWARD) / "[link]100% $x month.parquet"
    pq.write_table(simulate(60_000, seed=5), path)
    return path
