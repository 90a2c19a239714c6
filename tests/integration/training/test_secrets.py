"""No login reaches the terminal, MLflow or an error, and no variable leads to another run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from sqlalchemy import make_url

from registry.names import CHALLENGER
from registry.publish.promotion import EVIDENCE_TAG
from tests.support.data.matured_decisions import (
    Past,
    Training,
    fraud_model,
    labels_of,
    registered,
    some_transactions,
)
from tests.support.paths import PROJECT
from tests.support.registry.mlflow_gateway import Gateway, basic, gateway
from tests.support.stack import Publish
from training.__main__ import cli

SECRET = "planted-s3cret"


def files_with(secret: str, folder: Path) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    ]


@pytest.fixture
def guarded(mlflow_with_login: str) -> Iterator[Gateway]:
    """An MLflow that demands a login."""
    with gateway(mlflow_with_login) as made:
        made.demands = basic("bob", f"{SECRET}/1")
        yield made


@pytest.fixture
def planted(guarded: Gateway, database: str, training: Training, tmp_path: Path) -> Training:
    """The commands, with a secret in every setting that can hold one."""
    del training  # its cleaning of signal handlers
    environment = {
        "DATABASE_URL": database,
        "MLFLOW_TRACKING_URI": guarded.url.replace("://", f"://bob:{SECRET}%2F1@"),
        "MLFLOW_TRACKING_USERNAME": "alice",
        "MLFLOW_TRACKING_PASSWORD": f"{SECRET}-3",
        "MLFLOW_TRACKING_TOKEN": f"{SECRET}-4",
        "HTTP_PROXY": f"http://bob:{SECRET}-5@127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://bob:{SECRET}-6@127.0.0.1:1",
        "SENTINEL_KEY_SECRET": f"{SECRET}-7",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "COLUMNS": "120",
        "SENTINEL_HOME": str(tmp_path / "home"),
    }

    def run(*arguments: object, **more: str) -> object:
        arguments = [str(argument) for argument in arguments]
        return CliRunner().invoke(cli, arguments, env=environment | more)

    return run


def test_a_promotion_shows_and_stores_no_login(
    past: Past, publish: Publish, planted: Training, mlflow_server: str,
    tmp_path_factory: pytest.TempPathFactory, guarded: Gateway, database: str,
) -> None:  # fmt: skip
    timid, bold = fraud_model(threshold=0.9), fraud_model()
    name = past.tenant.model_name
    champion = registered(past, timid, publish(name, timid))
    challenger = registered(past, bold, publish(name, bold, alias=CHALLENGER))
    transactions = some_transactions(1_500)
    past.serve(champion, transactions, challenger, is_fraud=labels_of(transactions))
    done = planted("promote", "--tenant", past.tenant.slug)
    assert done.exit_code == 0, done.output
    password = make_url(database).password
    assert isinstance(password, str)
    assert SECRET not in done.output
    assert password not in done.output
    assert f"Version: {guarded.url}/#/models/{name}/versions/2" in done.output
    tags = MlflowClient(mlflow_server).get_model_version(name, "2").tags
    assert f"{guarded.url}/#/experiments/" in tags[EVIDENCE_TAG]
    (home,) = tmp_path_factory.getbasetemp().glob("mlflow0/mlflow.db")
    assert files_with(SECRET, home.parent) == files_with(password, home.parent) == []


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("http://bob:{}@127.0.0.1:1", "MLflow did not respond at http://127.0.0.1:1:"),
        ("http://bob:{}/x@127.0.0.1:1", "percent-encode the characters"),
        ("http://{}@127.0.0.1:1", "a user without a password"),
        ("ftp://bob:{}@nowhere", "'ftp://nowhere'"),
        ("postgresql+nodriver://bob:{}@127.0.0.1/db", "MLflow at postgresql+nodriver://127.0.0.1"),
        ("wrong login", "refuses the login of MLFLOW_TRACKING_URI (status 401)"),
    ],
)
def test_an_error_shows_no_login(
    planted: Training, guarded: Gateway, uri: str, reason: str
) -> None:
    if uri == "wrong login":
        uri = guarded.url.replace("://", "://bob:{}@")
    done = planted("promote", "--tenant", "demo", MLFLOW_TRACKING_URI=uri.format(SECRET))
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit), done.exception
    assert reason in " ".join(done.output.split())
    assert SECRET not in done.output


JOB = """
import sys
from pathlib import Path
from registry.publish.registration import registering
from registry.publish.tracking import Tracking
from tests.support.factories import a_model, feature_rows

folder = Path("model")
folder.mkdir()
a_model().save(folder, feature_rows(8))
with Tracking(sys.argv[1], Path("artifacts")).run("fraud-demo", "own run", {}) as run:
    run.log({"parameter": "value"})
    with run.nested("part") as part:
        part.log(metrics={"metric": 1.0})
    with registering(run, folder, "fraud-demo", tags={}, metrics={"metric": 1.0}):
        pass
print(run.id)
"""


def test_a_training_has_a_run_of_its_own_and_stores_no_login_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    client = MlflowClient(uri, registry_uri=uri)
    others = client.create_experiment("other", artifact_location=str(tmp_path / "other"))
    other = client.create_run(others, run_name="somebody else's")
    before = client.get_run(other.info.run_id).to_dictionary()
    other_model = client.create_logged_model(others, name="other")
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "job.py").write_text(JOB)
    for name in ("uv.lock", "pyproject.toml"):
        (checkout / name).write_text(f'index = "https://bob:{SECRET}@pypi.example.com"\n')
    for arguments in (
        ["init", "-q"],
        ["remote", "add", "origin", f"https://oauth2:{SECRET}@git.example.com/team/job.git"],
        ["add", "job.py"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "job"],
    ):
        subprocess.run(["git", *arguments], cwd=checkout, check=True)
    done = subprocess.run(
        [sys.executable, "job.py", uri], cwd=checkout, capture_output=True, text=True, check=True,
        env=os.environ | {
            "PYTHONPATH": str(PROJECT),
            "MLFLOW_RUN_ID": other.info.run_id,
            "MLFLOW_EXPERIMENT_NAME": "other",
            "MLFLOW_EXPERIMENT_ID": others,
            "MLFLOW_ACTIVE_MODEL_ID": other_model.model_id,
            "MLFLOW_ENABLE_ASYNC_LOGGING": "true",
            "MLFLOW_LOG_MODEL_COMPRESSION": "gzip",
            "MLFLOW_REGISTRY_URI": f"sqlite:///{tmp_path / 'elsewhere.db'}",
        },
    )  # fmt: skip
    assert client.get_run(other.info.run_id).to_dictionary() == before, "it is as it was"
    assert len(client.search_runs([others])) == 1
    assert not client.get_logged_model(other_model.model_id).metrics
    own = client.get_run(done.stdout.split()[-1])
    assert own.info.run_name == "own run"
    assert own.data.params == {"parameter": "value"}
    assert own.data.tags["mlflow.source.git.repoURL"] == "https://git.example.com/team/job.git"
    assert client.get_model_version("fraud-demo", "1").run_id == own.info.run_id
    assert not (tmp_path / "elsewhere.db").exists()
    assert SECRET not in done.stdout + done.stderr
    stored = files_with(SECRET, tmp_path)
    assert [path for path in stored if checkout / "artifacts" not in path.parents] == [
        path for path in stored if path.parent in {checkout, checkout / ".git"}
    ]
    assert not [path for path in stored if checkout / "artifacts" in path.parents]
