"""Without Postgres, MLflow or a setting the service is not ready and stores no half decision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy import Engine, text

from persistence.api_keys import issue_key
from persistence.engine import open_database
from persistence.maintenance import migrate
from persistence.tenants import create_tenant
from sentinel.local.mlflow_server import MlflowServer
from sentinel.local.postgres.embedded import EmbeddedPostgres
from tests.support.factories import a_body
from tests.support.postgres.pgbouncer import pooled
from tests.support.stack import KEY_SECRET, logged_in, publisher, serving


def prepare(database: str) -> str:
    """Migrate, add the tenant `demo` and return a key of its."""
    migrate.upgrade(database)
    engine = open_database(database)
    tenant = create_tenant(engine, "demo", "fraud-demo")
    key = issue_key(engine, tenant.id, ("score",), KEY_SECRET)
    engine.dispose()
    return key


def test_without_postgres_readyz_and_score_are_503_until_it_is_back(
    mlflow_server: str,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
    make_home: Callable[[], Path],
) -> None:
    scratch = tmp_path_factory.mktemp("away")
    postgres = EmbeddedPostgres(make_home())
    database = postgres.start()
    key = prepare(database)
    publisher(mlflow_server, scratch)("fraud-demo")
    with serving(database, mlflow_server, scratch, free_port()) as service:
        service.wait_until_ready()
        assert service.post("/score", a_body(), key).status_code == 200
        postgres.stop()
        ready = service.client.get("/readyz")
        assert ready.status_code == 503
        assert "Postgres" in ready.json()["detail"]
        assert service.client.get("/livez").status_code == 200
        refused = service.post("/score", a_body(), key)
        assert refused.status_code == 503
        assert refused.headers["content-type"] == "application/problem+json"
        assert postgres.start() == database
        service.wait_until_ready()
        service.child.wait_until(
            lambda: service.post("/score", a_body(), key).status_code == 200, 10
        )
    postgres.stop()


def test_without_mlflow_the_last_good_version_serves_also_after_a_restart(
    make_database: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
) -> None:
    scratch = tmp_path_factory.mktemp("mlflow-away")
    database = make_database()
    key = prepare(database)
    mlflow = MlflowServer(scratch / "mlflow", free_port())
    mlflow.wait_until_ready()
    with logged_in(mlflow):
        version = publisher(mlflow.url, scratch)("fraud-demo")
        with serving(database, mlflow.url, scratch, free_port()) as service:
            service.wait_until_ready()
            mlflow.stop()
            assert service.post("/score", a_body(), key).status_code == 200
    with serving(database, mlflow.url, scratch, free_port()) as service:
        service.wait_until_ready()
        reply = service.post("/score", a_body(), key)
        assert reply.status_code == 200
        assert reply.json()["model"]["version"] == version


def test_without_the_schema_readyz_is_503_and_names_the_command(
    make_database: Callable[..., str],
    mlflow_server: str,
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    with serving(make_database(), mlflow_server, tmp_path, free_port()) as service:
        reply = service.client.get("/readyz")
        assert reply.status_code == 503
        assert "sentinel db upgrade" in reply.json()["detail"]
        assert service.client.get("/livez").status_code == 200


def test_a_service_behind_a_pooler_decides_after_another_one_has_prepared_its_statements(
    database: str,
    engine: Engine,
    mlflow_server: str,
    tmp_path: Path,
    make_home: Callable[[], Path],
    free_port: Callable[[], int],
) -> None:
    tenant = create_tenant(engine, "demo", "fraud-pooled")
    publisher(mlflow_server, tmp_path)("fraud-pooled")
    key = issue_key(engine, tenant.id, ("score",), KEY_SECRET)
    with (
        pooled(database, make_home(), free_port(), ignore_startup_parameters="options") as pooler,
        psycopg.connect(pooler.url, autocommit=True) as other,
    ):
        other.execute("PREPARE insert AS SELECT 1")
        other.execute("SET statement_timeout = 1")
        with serving(pooler.url, mlflow_server, tmp_path, free_port()) as service:
            service.wait_until_ready()
            assert service.post("/score", a_body(), key).status_code == 200
            assert service.post("/score", a_body(), key).status_code == 200
    assert "Traceback" not in (tmp_path / "service.log").read_text()


def test_a_pod_stays_ready_on_the_schema_of_a_later_release(
    database: str, engine: Engine, mlflow_server: str, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    tenant = create_tenant(engine, "demo", "fraud-later")
    publisher(mlflow_server, tmp_path)("fraud-later")
    key = issue_key(engine, tenant.id, ("score",), KEY_SECRET)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with serving(database, mlflow_server, tmp_path, free_port()) as service:
        service.wait_until_ready()
        assert service.post("/score", a_body(), key).status_code == 200


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("SENTINEL_KEY_SECRET", "", "SENTINEL_KEY_SECRET is not set"),
        ("DATABASE_URL", "postgresql://u:hunter2@h/db?pgbouncer=true", "the parameter pgbouncer"),
    ],
)
def test_with_a_setting_that_cannot_work_the_service_does_not_start_and_names_it(
    database: str,
    mlflow_server: str,
    tmp_path: Path,
    free_port: Callable[[], int],
    setting: str,
    value: str,
    sentence: str,
) -> None:
    with (
        pytest.raises(Exception, match="ended unexpectedly"),
        serving(database, mlflow_server, tmp_path, free_port(), **{setting: value}),
    ):
        pass
    log = (tmp_path / "service.log").read_text()
    assert sentence in log
    assert "Traceback" not in log
    assert "hunter2" not in log


def test_the_openapi_document_and_its_page_are_served(
    database: str, mlflow_server: str, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    with serving(database, mlflow_server, tmp_path, free_port()) as service:
        document = service.client.get("/openapi.json").json()
        assert {"/score", "/score/batch", "/explain", "/readyz"} <= set(document["paths"])
        responses = document["paths"]["/score"]["post"]["responses"]
        assert {"200", "401", "403", "413", "422", "429", "503", "504"} <= set(responses)
        page = service.client.get("/docs").text
        for asset in ("swagger-ui.css", "swagger-ui-bundle.js"):
            assert asset in page
            response = httpx.get(f"{service.url}/static_content/{asset}")
            assert response.status_code == 200
