"""Migrated databases, an MLflow server, registered models, and the running service."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from sqlalchemy import Connection, Engine, text

from persistence import api_keys
from persistence.deployments.recording import record_promotions
from persistence.engine import open_database
from persistence.maintenance import migrate
from persistence.tenancy import SERVICE_ROLE
from persistence.tenants import Tenant, create_tenant
from registry.names import MLMODEL, MODEL_PATH, PRODUCTION, model_name
from registry.publish.registration import registering
from registry.publish.tracking import Tracking
from scoring.features import PAYSIM_FEATURES
from scoring.model.fraud_model import FraudModel
from scoring.prediction import ModelVersion
from sentinel.local.mlflow_server import MlflowServer
from sentinel.local.processes import Child
from tests.support.factories import a_model, feature_rows
from tests.support.fixture_types import MakeTenant, Rows
from tests.support.own_models import golden_rows
from tests.support.paths import PROJECT
from tests.support.registry.logged_models import digest_of, register_again, remember

KEY_SECRET = b"a secret of the tests"
LOGIN_VARIABLES = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


@pytest.fixture(scope="session")
def migrated_template(make_database: Callable[..., str]) -> str:
    """The URL of a database that the migrations built; copied, never written."""
    url = make_database()
    migrate.upgrade(url)
    return url


@pytest.fixture
def database(
    make_database: Callable[..., str],
    migrated_template: str,
    drop_database: Callable[[str], None],
) -> Iterator[str]:
    """The URL of a fresh, migrated database."""
    url = make_database(template=migrated_template)
    yield url
    drop_database(url)


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """A pool on the test's own database."""
    engine = open_database(database)
    yield engine
    engine.dispose()


@pytest.fixture
def service_engine(database: str) -> Iterator[Engine]:
    """A pool with the service's role, which owns nothing."""
    engine = open_database(database, role=SERVICE_ROLE)
    yield engine
    engine.dispose()


@pytest.fixture
def rows(engine: Engine) -> Rows:
    """`rows(statement, **values)` returns what a SELECT finds."""

    def select(statement: str, **values: Any) -> list[dict[str, Any]]:
        connection: Connection
        with engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(statement), values).mappings()]

    return select


@pytest.fixture
def make_tenant(engine: Engine) -> MakeTenant:
    """A factory of tenants that model version 1 serves."""

    def make(slug: str = "demo") -> Tenant:
        tenant = create_tenant(engine, slug, model_name(slug))
        version = ModelVersion("fraud-demo", 1)
        record_promotions(engine, [tenant.id], a_model(version=version))
        return tenant

    return make


@pytest.fixture(scope="session")
def running_mlflow(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[MlflowServer]:
    """A real MLflow server, whose login is in the environment while it runs."""
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"), free_port())
    server.wait_until_ready()
    with logged_in(server):
        yield server
    server.stop()


@pytest.fixture
def mlflow_with_login(running_mlflow: MlflowServer) -> str:
    """The URL of the MLflow server with its login, for a program that gets no other."""
    return running_mlflow.url_with_login


@pytest.fixture(scope="session")
def mlflow_server(running_mlflow: MlflowServer) -> str:
    """The URL of the MLflow server."""
    return running_mlflow.url


@contextmanager
def logged_in(server: MlflowServer) -> Iterator[None]:
    """Set the server's login for MLflow's clients of this process, and of those that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.login.environment.items():
            patch.setenv(name, value)
        yield


def mlflow_login() -> dict[str, str]:
    """The login of `logged_in`, for a process that gets none of the other MLFLOW_ variables."""
    return {name: os.environ[name] for name in LOGIN_VARIABLES if name in os.environ}


class Publish(Protocol):
    """Registers a model and returns its version's number.

    Before the alias is moved (None: it is not), `spoil` may change the folder of the version's
    model files where MLflow keeps it, and `spoil_mlmodel` the MLmodel file.
    """

    def __call__(
        self,
        name: str,
        model: FraudModel | None = None,
        *,
        alias: str | None = PRODUCTION,
        spoil: Callable[[Path], object] = ...,
        spoil_mlmodel: Callable[[Path], object] = ...,
    ) -> int: ...


def untouched(_path: Path) -> None:
    """Leave the files as they are."""


def publisher(tracking_uri: str, scratch: Path) -> Publish:
    """A function that registers models as training does."""
    client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
    numbers = itertools.count(1)

    def log_and_register(
        folder: Path,
        name: str,
        spoil: Callable[[Path], object],
        spoil_mlmodel: Callable[[Path], object],
    ) -> int:
        # Made for each version: it also sets the server in MLflow's module-wide state.
        tracking = Tracking(tracking_uri, scratch / "artifacts")
        with (
            tracking.run("tests", name, {}) as run,
            registering(run, folder, name, tags={}, metrics={}) as version,
        ):
            number = str(version.version)
            stored = Path(download_artifacts(client.get_model_version_download_uri(name, number)))
            spoil(stored / MODEL_PATH)
            spoil_mlmodel(stored / MLMODEL)
        return version.version

    def publish(
        name: str,
        model: FraudModel | None = None,
        *,
        alias: str | None = PRODUCTION,
        spoil: Callable[[Path], object] = untouched,
        spoil_mlmodel: Callable[[Path], object] = untouched,
    ) -> int:
        folder = scratch / f"published-{next(numbers)}" / "model"
        folder.mkdir(parents=True)
        published = model or a_model()
        of_paysim = published.features is PAYSIM_FEATURES
        rows = feature_rows(8) if of_paysim else golden_rows(published.features)
        published.save(folder, rows)
        digest = digest_of(folder)
        spoils = spoil is not untouched or spoil_mlmodel is not untouched
        again = None if spoils else register_again(client, digest, name)
        number = again or log_and_register(folder, name, spoil, spoil_mlmodel)
        if not spoils and not again:
            remember(client, digest, name, number)
        if alias:
            client.set_registered_model_alias(name, alias, str(number))
        return number

    return publish


@pytest.fixture
def publish(mlflow_server: str, tmp_path: Path) -> Publish:
    """A factory of registered versions on the session's MLflow server."""
    return publisher(mlflow_server, tmp_path)


class Service:
    """A running service and how to talk to it."""

    def __init__(self, url: str, child: Child, stack: ExitStack) -> None:
        self.url = url
        self.child = child
        self._stack = stack
        self._of_thread = threading.local()

    @property
    def client(self) -> httpx.Client:
        """This thread's client: one shared by 64 threads read from sockets it had closed."""
        if not hasattr(self._of_thread, "client"):
            client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
            self._of_thread.client = self._stack.enter_context(client)
        of_this_thread: httpx.Client = self._of_thread.client
        return of_this_thread

    def post(self, path: str, json: Any, key: str | None = None, **more: Any) -> httpx.Response:
        """POST a JSON body with a key."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return self.client.post(path, json=json, headers=headers | more.pop("headers", {}), **more)

    def wait_until_ready(self, seconds: float = 30) -> None:
        """Wait until a payment can be decided."""
        self.child.wait_until(lambda: self.client.get("/readyz").is_success, seconds)


@contextmanager
def serving(
    database: str,
    tracking_uri: str,
    home: Path,
    port: int,
    *,
    directory: Path = PROJECT,
    start_s: float = 60,
    **environment: str,
) -> Iterator[Service]:
    """Run `bentoml serve` until the block ends; it accepts requests after `start_s` at most."""
    child = Child(
        "the service",
        [sys.executable, "-m", "bentoml", "serve", "service:Sentinel", "--port", str(port)],
        log=home / "service.log",
        environment={
            **os.environ,
            "DATABASE_URL": database,
            "MLFLOW_TRACKING_URI": tracking_uri,
            "SENTINEL_HOME": str(home),
            "SENTINEL_KEY_SECRET": KEY_SECRET.decode(),
            "BENTOML_HOME": str(home / "bentoml"),
            **environment,
        },
        directory=directory,
    )
    with ExitStack() as stack:
        stack.callback(child.stop)
        service = Service(f"http://127.0.0.1:{port}", child, stack)

        def alive() -> bool:
            try:
                return service.client.get("/livez").is_success
            except httpx.TransportError:
                return False

        child.wait_until(alive, start_s)
        yield service


@pytest.fixture
def issue(engine: Engine) -> Callable[..., str]:
    """A factory of API keys."""

    def make(tenant: Tenant, *scopes: str) -> str:
        return api_keys.issue_key(engine, tenant.id, scopes or ("score", "review"), KEY_SECRET)

    return make
