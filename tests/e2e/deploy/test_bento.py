"""`bentoml build` makes a Bento with the serving packages only, and the Bento serves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from persistence.api_keys import issue_key
from persistence.tenants import create_tenant
from sentinel.local.processes import Child
from tests.support.outside_world import OutsideWorld, recording
from tests.support.paths import PROJECT
from tests.support.stack import KEY_SECRET, Publish


@pytest.fixture(scope="module")
def world() -> Iterator[OutsideWorld]:
    """What the module's processes send to the outside."""
    with recording() as world:
        yield world


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, world: OutsideWorld) -> Path:
    """A BENTOML_HOME with the built Bento in it."""
    home = tmp_path_factory.mktemp("bentoml")
    subprocess.run(
        [sys.executable, "-m", "bentoml", "build", "--version", "test"],
        cwd=PROJECT,
        env=environment(home, world),
        check=True,
    )
    return home


def environment(store: Path, world: OutsideWorld) -> dict[str, str]:
    return {**world.environment(dict(os.environ)), "BENTOML_HOME": str(store)}


def test_the_bento_holds_the_serving_packages_and_their_hashed_dependencies_only(
    store: Path,
) -> None:
    bento = store / "bentos/sentinel/test"
    assert {path.name for path in (bento / "src").iterdir()} == {
        *(
            "service.py",
            "api",
            "app",
            "console",
            "observability",
            "persistence",
            "registry",
            "scoring",
        ),
        *("sentinel", "serving", "web", "deploy", "LICENSE", "bentofile.yaml"),
    }
    assert {path.name for path in (bento / "src/deploy").rglob("*.*")} == {
        *("entrypoint.sh", "health.py", "precompile.py", "sentinel.sh"),
    }
    assert list((bento / "src/persistence/migrations/versions").glob("0001*.py"))
    packages = (bento / "env/python/requirements.txt").read_text()
    assert "lightgbm==" in packages
    assert "--hash=sha256:" in packages
    assert "mlflow" not in packages


def test_the_bento_carries_the_dockerfile_of_its_image(store: Path) -> None:
    bento = store / "bentos/sentinel/test"
    assert (bento / "env/docker/Dockerfile").read_text().strip() == (
        PROJECT / "deploy/image/Dockerfile.template"
    ).read_text().strip()
    assert os.access(bento / "src/deploy/image/entrypoint.sh", os.X_OK)


def test_the_bento_serves_from_its_own_files(
    store: Path,
    world: OutsideWorld,
    tmp_path: Path,
    database: str,
    engine: Engine,
    mlflow_server: str,
    publish: Publish,
    free_port: Callable[[], int],
) -> None:
    tenant = create_tenant(engine, "demo", "fraud-bento")
    publish("fraud-bento")
    key = issue_key(engine, tenant.id, ("score",), KEY_SECRET)
    port = free_port()
    child = Child(
        "the Bento",
        [sys.executable, "-m", "bentoml", "serve", "sentinel:test", "--port", str(port)],
        log=tmp_path / "bento.log",
        environment={
            **environment(store, world),
            "DATABASE_URL": database,
            "MLFLOW_TRACKING_URI": mlflow_server,
            "SENTINEL_HOME": str(tmp_path / "home"),
            "SENTINEL_KEY_SECRET": KEY_SECRET.decode(),
        },
        directory=tmp_path,
    )
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            return httpx.get(f"{url}/readyz").is_success
        except httpx.TransportError:
            return False

    transaction = {
        "step": 1,
        "type": "TRANSFER",
        "amount": 181.0,
        "nameOrig": "C1305486145",
        "oldbalanceOrg": 181.0,
        "nameDest": "C553264065",
        "oldbalanceDest": 0.0,
    }
    try:
        child.wait_until(ready, 60)
        headers = {"Authorization": f"Bearer {key}"}
        reply = httpx.post(f"{url}/score", json=transaction, headers=headers)
    finally:
        child.stop()
    assert reply.status_code == 200, reply.text
    assert reply.json()["model"] == {"name": "fraud-bento", "version": 1}
    assert world.requests == [], "neither its build nor the service reports its use"
