"""A service behind logins decides, and shows none of them: not in the log, replies or metrics."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Engine, make_url

from persistence.api_keys import issue_key
from persistence.tenants import create_tenant
from tests.support.factories import a_body
from tests.support.registry.mlflow_gateway import basic, gateway
from tests.support.stack import KEY_SECRET, Service, publisher, serving

SECRET = "planted-s3cret"
METRICS_TOKEN = f"{SECRET}-of-the-metrics"
CLOSED = ("/", "/docs", "/openapi.json", "/static_content/swagger-ui.css")


def test_no_secret_of_a_setting_is_shown(
    database: str,
    engine: Engine,
    mlflow_server: str,
    mlflow_with_login: str,
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    tenant = create_tenant(engine, "demo", "fraud-behind-a-login")
    publisher(mlflow_server, tmp_path)(tenant.model_name)
    key = issue_key(engine, tenant.id, ("score",), KEY_SECRET)
    password = make_url(database).password
    assert isinstance(password, str)
    with gateway(mlflow_with_login) as made:
        made.demands = basic("bob", f"{SECRET}-2")
        environment = {
            "MLFLOW_TRACKING_TOKEN": f"{SECRET}-3",
            "HTTP_PROXY": f"http://bob:{SECRET}-4@127.0.0.1:1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://bob:{SECRET}-5@127.0.0.1:1",
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={SECRET}-6",
            "SENTINEL_METRICS_TOKEN": METRICS_TOKEN,
            "SENTINEL_DOCS": "false",
            "MLFLOW_TRACKING_URI": made.url.replace("://", f"://bob:{SECRET}-2@"),
        }
        home = tmp_path / "home"
        home.mkdir()
        with serving(database, "", home, free_port(), **environment) as service:
            service.wait_until_ready()
            assert service.post("/score", a_body(), key).status_code == 200
            made.demands = basic("bob", "another")
            service.child.wait_until(
                lambda: service.client.get("/readyz").json()["registry"] != "ok", 10
            )
            ready = service.client.get("/readyz")
            assert ready.is_success
            assert ready.json()["registry"] == (
                f"MLflow at {made.url} refuses the login of MLFLOW_TRACKING_URI (status 401); set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, "
                "to a login that may read and write there"
            )
            check_closed_paths(service)
            check_process_list(password)
            token = {"Authorization": f"Bearer {METRICS_TOKEN}"}
            metrics = service.client.get("/metrics", headers=token).text
            assert "sentinel_aliases_followed_timestamp_seconds" in metrics
            assert SECRET not in metrics + ready.text
            assert password not in metrics + ready.text
    assert "refuses the login of MLFLOW_TRACKING_URI" in service.child.log.read_text()
    for path in home.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
            assert password.encode() not in path.read_bytes(), path


def check_closed_paths(service: Service) -> None:
    """Check that metrics need the token, and that the documentation is not there."""
    for sent in (None, "Bearer", f"Bearer {METRICS_TOKEN}x", f"Basic {METRICS_TOKEN}"):
        headers = {"Authorization": sent} if sent else {}
        reply = service.client.get("/metrics", headers=headers)
        assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer"), sent
    for path in CLOSED:
        assert service.client.get(path).status_code == 404, path
    assert service.client.get("/livez").status_code == 200


def check_process_list(password: str) -> None:
    """Check that no argument of any process, which every user can list, holds a secret."""
    shown = b""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            shown += path.read_bytes()
    assert b"bentoml" in shown, "the service is listed"
    for secret in (SECRET.encode(), password.encode(), KEY_SECRET):
        assert secret not in shown
