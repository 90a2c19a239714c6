"""Model stores on the session's MLflow server, and registered models of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from mlflow import MlflowClient

from registry.client.base import RegisteredVersion, RegistryReader
from registry.client.factory import open_registry
from registry.store.model_store import ModelStore
from tests.support.registry.followed_store import Follow, Following
from tests.support.stack import Publish, publisher


@pytest.fixture
def name() -> str:
    """A registered model of the test's own."""
    return f"fraud-{uuid4().hex[:8]}"


@pytest.fixture(params=["http", "sqlite"])
def tracking_uri(
    request: pytest.FixtureRequest,
) -> str:
    """Each of the two places where a registry may be."""
    if request.param == "http":
        return str(request.getfixturevalue("mlflow_server"))
    return str(request.getfixturevalue("sqlite_registry"))


@pytest.fixture(scope="session")
def sqlite_registry(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URI of a registry without a server."""
    return f"sqlite:///{tmp_path_factory.mktemp('registry') / 'mlflow.db'}"


@pytest.fixture
def registry(tracking_uri: str) -> RegistryReader:
    """A reader of each kind."""
    return open_registry(tracking_uri)


@pytest.fixture
def publish_there(tracking_uri: str, tmp_path: Path) -> Publish:
    """A factory of registered versions in the registry that `registry` reads."""
    return publisher(tracking_uri, tmp_path)


@pytest.fixture
def client(mlflow_server: str) -> MlflowClient:
    """What a data scientist does in the MLflow UI."""
    return MlflowClient(mlflow_server)


@pytest.fixture
def follow(mlflow_server: str, tmp_path: Path) -> Follow:
    """A factory of model stores."""

    def make(
        uri: str | None = None, *, root: Path | None = None, max_models: int = 64
    ) -> Following:
        refusals: list[tuple[RegisteredVersion, str]] = []
        evictions: list[int] = []
        root = root or tmp_path / f"model_store-{uuid4().hex[:8]}"
        model_store = ModelStore(
            open_registry(uri or mlflow_server),
            root,
            max_models=max_models,
            on_refusal=lambda version, reason: refusals.append((version, reason)),
            on_eviction=lambda: evictions.append(1),
        )
        return Following(model_store, root, refusals, evictions)

    return make


@pytest.fixture
def away(free_port: Callable[[], int]) -> str:
    """The address of an MLflow that does not answer."""
    return f"http://127.0.0.1:{free_port()}"
