"""The local MLflow server: private, small, and stopped with every process that it started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from sentinel.local.mlflow_login import ensure_login
from sentinel.local.mlflow_server import MlflowServer
from sentinel.local.processes import Ledger, ProcessError

LOG_A_MODEL = """
import sys
import mlflow

mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("fraud")
with mlflow.start_run():
    mlflow.pyfunc.log_model(
        name="model", python_model=sys.argv[2], artifacts={"files": sys.argv[3]},
        registered_model_name="fraud-demo",
    )
"""
MODEL = """
import mlflow

class Constant(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [0.5] * len(model_input)

mlflow.models.set_model(Constant())
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a home's folder # 1") / ".sentinel"


@pytest.fixture(scope="module")
def server(home: Path, free_port: Callable[[], int]) -> Iterator[MlflowServer]:
    server = MlflowServer(home, free_port())
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


def test_a_model_version_is_downloaded_over_http_from_the_home_folder(
    server: MlflowServer, home: Path, tmp_path: Path
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "booster.txt").write_text("tree\n")
    code = tmp_path / "code_model.py"
    code.write_text(MODEL)
    subprocess.run(
        [sys.executable, "-c", LOG_A_MODEL, server.url, code, files],
        env=os.environ | server.login.environment,
        check=True,
    )

    login = (server.login.user, server.login.password)
    with httpx.Client(base_url=server.url, auth=login, trust_env=False) as client:
        alias = {"name": "fraud-demo", "alias": "production", "version": "1"}
        client.post("/api/2.0/mlflow/registered-models/alias", json=alias).raise_for_status()
        resolved = client.get("/api/2.0/mlflow/registered-models/alias", params=alias).json()
        assert resolved["model_version"]["version"] == "1"
        path = {"name": "fraud-demo", "version": "1", "path": "artifacts/files/booster.txt"}
        download = client.get("/model-versions/get-artifact", params=path)
    assert download.text == "tree\n"
    assert list(home.glob("mlartifacts/*/models/*/artifacts/artifacts/files/booster.txt"))


def test_mlflow_listens_on_the_loopback_interface_only(server: MlflowServer) -> None:
    port = int(server.url.rsplit(":", 1)[1])
    listening = [
        connection.laddr.ip
        for pid in (server.child.identity[0], *descendants(server.child.identity[0]))
        for connection in psutil.Process(pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    ]
    assert listening == ["127.0.0.1"]


def test_a_login_that_is_made_once_is_all_that_mlflow_serves(
    server: MlflowServer, home: Path
) -> None:
    assert ensure_login(home) == server.login
    assert len(server.login.password) >= 16
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        for path in ("/", "/api/2.0/mlflow/registered-models/search", "/get-artifact", "/graphql"):
            assert client.get(path).status_code == 401
            assert client.post(path).status_code == 401
            wrong = (server.login.user, server.login.password[:-1])
            assert client.get(path, auth=wrong).status_code == 401
    for name in ("mlflow.db", "mlflow_auth.db", "mlflow_auth.ini"):
        assert (home / name).stat().st_mode & 0o077 == 0


def test_a_name_that_a_page_elsewhere_gave_this_address_is_refused(server: MlflowServer) -> None:
    login = (server.login.user, server.login.password)
    with httpx.Client(base_url=server.url, auth=login, trust_env=False) as client:
        for path in ("/", "/api/2.0/mlflow/registered-models/search"):
            assert client.get(path).status_code == 200
            assert client.get(path, headers={"Host": "elsewhere.example"}).status_code == 403


def test_mlflow_uses_less_than_700_mb(server: MlflowServer) -> None:
    pid = server.child.identity[0]
    family = [pid, *descendants(pid)]
    assert sum(psutil.Process(pid).memory_info().rss for pid in family) < 700e6


def test_a_busy_port_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(ProcessError, match=rf"Port {port} for MLflow .* MLFLOW_PORT=<port>\."):
            MlflowServer(tmp_path / "home", port)
    assert not (tmp_path / "home").exists()


def test_stopping_mlflow_leaves_no_process(tmp_path: Path, free_port: Callable[[], int]) -> None:
    server = MlflowServer(tmp_path, free_port())
    server.wait_until_ready()
    pid = server.child.identity[0]
    assert descendants(pid) == [], "uvicorn runs in MLflow's own process"
    server.stop()
    assert not is_alive(pid)


def test_a_server_that_ends_while_starting_raises_with_its_log(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    (tmp_path / "mlflow.db").write_text("no database")
    server = MlflowServer(tmp_path, free_port())
    with pytest.raises(ProcessError, match=r"MLflow ended unexpectedly(.|\n)*not a database"):
        server.wait_until_ready()


def test_processes_left_by_a_killed_owner_are_ended_by_the_next(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    ledger = Ledger(tmp_path / "processes.json")
    server = MlflowServer(tmp_path, free_port())
    ledger.write([server.child])
    server.wait_until_ready()
    pid = server.child.identity[0]
    family = [pid, *descendants(pid)]
    assert Ledger(tmp_path / "processes.json").end_leftovers() == 1
    assert not [pid for pid in family if is_alive(pid)]
    assert ledger.end_leftovers() == 0
    server.stop()


def test_a_reused_pid_of_another_program_is_not_ended(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander:
        path = tmp_path / "processes.json"
        path.write_text(f"[[{bystander.pid}, 12345.0]]")
        assert Ledger(path).end_leftovers() == 0
        assert bystander.poll() is None
        os.kill(bystander.pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
