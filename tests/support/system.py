"""A running service for the tests of a module, with a tenant, its model and its keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Engine, text

from persistence.api_keys import issue_key
from persistence.deployments.recording import record_promotions
from persistence.engine import open_database
from persistence.tenants import create_tenant
from scoring.prediction import ModelVersion
from tests.support.factories import a_model
from tests.support.review_client import Analyst
from tests.support.stack import KEY_SECRET, Publish, Service, publisher, serving


@dataclass(frozen=True)
class System:
    """A running service with one tenant, `demo`, whose model is in production.

    Attributes:
        model: name of the tenant's registered model, the module's own.
        key: API key with the scope `score`.
        review_key: API key with the scope `review`.
    """

    service: Service
    engine: Engine
    database: str
    publish: Publish
    model: str
    key: str
    review_key: str

    def score(self, body: Any, **more: Any) -> httpx.Response:
        """POST /score with the demo tenant's key."""
        return self.service.post("/score", body, self.key, **more)

    def rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        """Return what a SELECT finds, by column."""
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(statement), values).mappings()]

    def count(self, table: str) -> int:
        """Count a table's rows."""
        return int(self.rows(f"SELECT count(*) FROM {table}")[0]["count"])  # noqa: S608


MakeSystem = Callable[..., AbstractContextManager[System]]


@pytest.fixture(scope="session")
def make_system(
    make_database: Callable[..., str],
    migrated_template: str,
    drop_database: Callable[[str], None],
    mlflow_server: str,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
) -> MakeSystem:
    """A factory of running services, each with a database of its own.

    `make_system(model, NAME=value, ...)` makes one by its registered model's name, with more
    settings.
    """

    @contextmanager
    def make(model: str, **environment: str) -> Iterator[System]:
        home: Path = tmp_path_factory.mktemp("service")
        database = make_database(template=migrated_template)
        engine = open_database(database)
        publish = publisher(mlflow_server, home)
        tenant = create_tenant(engine, "demo", model)
        publish(model, a_model())
        key = issue_key(engine, tenant.id, ("score",), KEY_SECRET)
        review_key = issue_key(engine, tenant.id, ("review",), KEY_SECRET)
        with serving(database, mlflow_server, home, free_port(), **environment) as service:
            service.wait_until_ready()
            yield System(service, engine, database, publish, model, key, review_key)
        engine.dispose()
        drop_database(database)

    return make


@pytest.fixture(scope="session")
def shared_system(make_system: MakeSystem) -> Iterator[System]:
    """A service for modules whose tests leave the tenant `demo` and its model as they are.

    Such a module overrides `system` by it: a start takes 5 s of CPU. It lives as long as the
    session, and each poll takes MLflow 10 ms.
    """
    with make_system("fraud-shared", SENTINEL_ALIAS_POLL_SECONDS="2") as system:
        yield system


@pytest.fixture(scope="module")
def system(make_system: MakeSystem, request: pytest.FixtureRequest) -> Iterator[System]:
    """A service with a database of its own, shared by the module's tests."""
    # Modules share the MLflow server, so each has a registered model of its own.
    with make_system(f"fraud-{request.module.__name__.rpartition('.')[2]}") as system:
        yield system


ServeBeside = Callable[..., AbstractContextManager[Service]]


@pytest.fixture(scope="module")
def serve_beside(
    system: System,
    mlflow_server: str,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
) -> ServeBeside:
    """A factory of further service processes on the system's database, ready to decide.

    `serve_beside(NAME=value, ...)` starts one with more settings until its block ends.
    """

    @contextmanager
    def serve(**environment: str) -> Iterator[Service]:
        home: Path = tmp_path_factory.mktemp("beside")
        with serving(system.database, mlflow_server, home, free_port(), **environment) as service:
            service.wait_until_ready()
            yield service

    return serve


@pytest.fixture
def hire(system: System) -> Callable[..., Analyst]:
    """A factory of analysts of new tenants."""

    def make(*scopes: str) -> Analyst:
        slug = f"bank-{uuid4().hex[:8]}"
        tenant = create_tenant(system.engine, slug, f"fraud-{slug}")
        version = ModelVersion(tenant.model_name, 1)
        record_promotions(system.engine, [tenant.id], a_model(version=version))
        return Analyst(system, tenant, *scopes)

    return make


@pytest.fixture
def analyst(hire: Callable[..., Analyst]) -> Analyst:
    """An analyst of a tenant of the test's own."""
    return hire("review", "admin")
