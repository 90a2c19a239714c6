"""The blocks of commands that a newcomer copies work in a fresh clone, as they are printed."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from sentinel.local.demo.state import write_environment
from sentinel.local.postgres.embedded import EmbeddedPostgres
from sentinel.local.processes import Child
from tests.support.docs_runner import README, Clone
from tests.support.outside_world import OutsideWorld
from tests.support.paths import PROJECT

TRANSACTION = {
    "step": 312,
    "type": "TRANSFER",
    "amount": 461730.10,
    "nameOrig": "C1305486145",
    "oldbalanceOrg": 461730.10,
    "nameDest": "C553264065",
    "oldbalanceDest": 0.0,
}


@pytest.fixture
def port(free_port: Callable[[], int]) -> int:
    return free_port()


@pytest.fixture
def clone(port: int, outside_world: OutsideWorld) -> Iterator[Clone]:
    # Not tmp_path: as root, Postgres runs as another user, which cannot enter pytest's folders.
    with tempfile.TemporaryDirectory(prefix="sentinel-") as directory:
        folder = Path(directory) / "clone"
        folder.mkdir()
        # BentoML's own setting: port 3000 may be taken where the tests run.
        yield Clone(folder, {**outside_world.environment({}), "BENTOML_PORT": str(port)})
        EmbeddedPostgres(folder / ".sentinel").stop()


def test_the_steps_without_the_demo_train_promote_and_serve_and_report_nothing(
    clone: Clone, port: int, outside_world: OutsideWorld, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{port}"
    child = Child(
        "the README's steps",
        clone.command(README, "steps"),
        log=tmp_path / "steps.log",
        environment=clone.environment,
        directory=clone.folder,
    )

    def ready() -> bool:
        try:
            return httpx.get(f"{url}/readyz", trust_env=False).is_success
        except httpx.TransportError:
            return False

    try:
        child.wait_until(ready, 240)
        printed = child.log.read_text()
        key = re.search(r"^sk_\S+$", printed, re.M)
        assert key is not None, printed
        headers = {"Authorization": f"Bearer {key[0]}"}
        reply = httpx.post(f"{url}/score", json=TRANSACTION, headers=headers, trust_env=False)
    finally:
        child.stop()
    assert reply.json()["model"] == {"name": "fraud-acme", "version": 1}, reply.text
    assert "No --data: this trains on simulated payments." in printed
    # A user's own environment, without an opt-out: BentoML and MLflow would report.
    assert outside_world.requests == []


@pytest.mark.parametrize("page", ["README.md", "docs/lifecycle.md"])
def test_a_terminal_beside_the_demo_gets_its_settings_and_commands(page: str, clone: Clone) -> None:
    (clone.folder / ".sentinel").mkdir()
    write_environment(clone.folder / ".sentinel/demo.env", {"SENTINEL_URL": "http://there"})
    printed = clone.run(
        PROJECT / page, "beside-the-demo", then="printenv SENTINEL_URL; sentinel -h"
    )
    assert "http://there" in printed
    assert "Usage: sentinel" in printed


def test_contributings_set_up_puts_the_programs_of_the_environment_on_the_path(
    clone: Clone,
) -> None:
    printed = clone.run(PROJECT / "CONTRIBUTING.md", "set-up", then="command -v pytest sentinel")
    assert len(printed.splitlines()) == 2
