"""`python -m training train` as a process, with a real MLflow and real files."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from registry.client.factory import open_registry
from registry.names import CANDIDATE, MODEL_PATH
from registry.publish.mlflow_signature import PAYSIM_EXAMPLE
from scoring.features import PAYSIM_FEATURES
from scoring.model.fraud_model import MODEL_FILES, FraudModel
from tests.support.factories import a_transaction
from tests.support.outside_world import OutsideWorld
from tests.support.paths import PROJECT
from tests.support.stack import mlflow_login

Train = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def train(preloaded: list[str], tmp_path: Path) -> Train:
    """A way to run the command on a database of the test's own, or on `tracking_uri`."""

    def run(*arguments: object, tracking_uri: str | None = None) -> Any:
        command = [*preloaded, "training", "train", *map(str, arguments)]
        return completed(command, environment(tmp_path, tracking_uri))

    return run


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "training", "train", *map(str, arguments)]


def completed(command: list[str], environment: dict[str, str]) -> Any:
    return subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=240,
        check=False,
    )  # fmt: skip


def environment(home: Path, tracking_uri: str | None) -> dict[str, str]:
    hidden = ("MLFLOW_", "SENTINEL_", "PYTEST_CURRENT_TEST")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
    kept |= mlflow_login()
    kept |= {"SENTINEL_HOME": str(home / "home"), "COLUMNS": "120", "NO_COLOR": "1"}
    return kept | ({"MLFLOW_TRACKING_URI": tracking_uri} if tracking_uri else {})


def database(home: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{home / 'home' / 'mlflow.db'}")


def runs(client: MlflowClient, tenant: str) -> list[Any]:
    experiment = client.get_experiment_by_name(f"fraud-{tenant}")
    return client.search_runs([experiment.experiment_id]) if experiment else []


def test_help_needs_no_mlflow_and_no_data() -> None:
    done = subprocess.run(
        command("--help"), cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert "--tenant" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "--tenant"),
        (("--tenant", "No_Slug"), "2 to 40 lower-case letters"),
        (("--tenant", "demo", "--data", "nowhere.csv"), "nowhere.csv is not a file."),
        (("--tenant", "demo", "--false-alarm", "0"), "must each cost something"),
        (("--tenant", "demo", "--missed-fraud", "nan"), "finite number"),
    ],
)
def test_a_user_error_is_reported_in_a_sentence(
    train: Train, arguments: tuple[str, ...], expected: str
) -> None:
    done = train(*arguments)
    assert done.returncode != 0
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"amount": "-3"}, "payments.csv, row 2 (line 3): amount must be a finite number from 0"),
        ({"step": "1,2"}, "payments.csv, row 2 (line 3): the row has 9 columns"),
        ({}, "too few steps"),
    ],
)
def test_bad_data_leave_nothing_in_mlflow(
    train: Train, tmp_path: Path, payments: Callable[..., Path], row: dict[str, str], expected: str
) -> None:
    done = train("--tenant", "demo", "--data", payments(**row))
    assert done.returncode != 0
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    client = database(tmp_path)
    assert client.search_registered_models() == []
    assert runs(client, "demo") == []


def test_an_unreachable_server_is_reported_before_training(
    train: Train, free_port: Callable[[], int]
) -> None:
    began = time.monotonic()
    done = train("--tenant", "demo", tracking_uri=f"http://127.0.0.1:{free_port()}")
    assert done.returncode != 0
    assert "MLflow did not respond at http://127.0.0.1:" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 30


def test_a_training_registers_a_candidate_with_its_run_files_and_card(
    train: Train, month_csv: Path, mlflow_server: str, tmp_path: Path
) -> None:
    config = tmp_path / "harbour.toml"
    config.write_text("seed = 5\nfalse-alarm = 7\n")
    MlflowClient(mlflow_server).create_registered_model("fraud-harbor")
    done = train(
        "--tenant", "harbour", "--data", month_csv, "--config", config, "--false-alarm", "6",
        tracking_uri=mlflow_server,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (warning,) = done.stderr.splitlines()  # MLflow keeps its hints to itself
    assert warning.startswith("Warning: fraud-harbour is new in this MLflow; this makes its ")
    assert "Did you mean fraud-harbor? " in warning
    assert "`sentinel tenants create harbour`" in warning
    assert done.stdout.splitlines()[0].startswith("Connect to MLflow"), "no word of simulation"
    client = MlflowClient(mlflow_server)
    version = client.get_model_version_by_alias("fraud-harbour", CANDIDATE)
    url = re.search(r"Run: (http\S+)", done.stdout)
    assert url is not None
    assert url[1].startswith(mlflow_server)
    assert url[1].endswith(f"/runs/{version.run_id}?workflowType=machine_learning")

    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    expected = {
        "pr_auc", "roc_auc", "brier", "log_loss", "ece", "precision", "recall", "net_savings",
        "net_savings_share", "ece_uncalibrated", "pr_auc_low", "pr_auc_high", "ece_low", "ece_high",
        "net_savings_low", "net_savings_high", "random_split_pr_auc", "random_split_pr_auc_low",
        "random_split_net_savings_share",
    }  # fmt: skip
    assert expected <= set(run.data.metrics)
    assert run.data.params["data_rows"] == str(sum(1 for _ in month_csv.open()) - 1)
    assert run.data.params["data_fingerprint"] == version.tags["data_fingerprint"]
    assert run.inputs.dataset_inputs[0].dataset.name == "month.csv"
    experiment = client.get_experiment(run.info.experiment_id)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    nested = [r for r in runs(client, "harbour") if r.info.run_id != version.run_id]
    assert {r.info.run_name: r.info.status for r in nested} == dict.fromkeys(
        [f"{name} (not the model)" for name in ("fit", "calibration", "threshold", "random split")],
        "FINISHED",
    )
    assert {r.data.tags["mlflow.parentRunId"] for r in nested} == {version.run_id}
    plots = {f.path for f in client.list_artifacts(version.run_id, "plots")}
    assert plots == {
        f"plots/{name}.png"
        for name in ("precision_recall", "reliability", "cost_curve", "shap_summary")
    }

    downloaded = Path(
        mlflow.artifacts.download_artifacts(
            artifact_uri=client.get_model_version_download_uri("fraud-harbour", version.version),
            dst_path=str(tmp_path),
            tracking_uri=mlflow_server,
        )
    )
    assert sorted(p.name for p in (downloaded / MODEL_PATH).iterdir()) == sorted(MODEL_FILES)
    assert not list(downloaded.rglob("*.pkl")), "nothing is pickled"
    registry = open_registry(mlflow_server)
    resolved = registry.resolve("fraud-harbour", CANDIDATE)
    assert resolved is not None
    for name in MODEL_FILES:
        content = (downloaded / MODEL_PATH / name).read_bytes()
        arrived = tmp_path / "arrived"
        assert registry.download(resolved, f"{MODEL_PATH}/{name}", arrived, len(content))
        assert arrived.read_bytes() == content, "the service reads it over HTTP"
    model = FraudModel.load(downloaded / MODEL_PATH)
    assert f"{model.policy.threshold:.6g}" == version.tags["threshold"]
    assert model.calibrator.kind == version.tags["calibration"]
    assert set(model.distribution) == {"features", "score", "feature_rows", "score_rows"}

    card = (downloaded / "model_card.md").read_text()
    assert card.startswith(f"# Model card: fraud-harbour version {version.version}\n")
    assert version.run_id in card
    page = (downloaded / "model_card.html").read_text()
    assert page.count('src="data:image/png;base64,') == len(plots)
    assert "split by time" in version.description
    of_run = {f.path for f in client.list_artifacts(version.run_id)}
    assert of_run == {"config", "config.json", "model_card.html", "model_card.md", "plots"}
    versions = client.search_model_versions("name = 'fraud-harbour'")
    assert len(versions) == 1, "the model of the random split is not registered"
    assert {key: value for key, value in run.data.params.items() if key.startswith("config.")} == {
        "config.tenant": "harbour", "config.data": str(month_csv), "config.cost": "flat",
        "config.seed": "5", "config.until_step": "None", "config.missed_fraud": "None",
        "config.missed_fraud_share": "None", "config.false_alarm": "6.0",
        "config.event_type": "None", "config.features": "None",
    }  # fmt: skip
    version_url = f"{mlflow_server}/#/models/fraud-harbour/versions/{version.version}"
    assert f"Version: {version_url}" in done.stdout

    replies = mlflow.pyfunc.load_model(str(downloaded)).predict(PAYSIM_EXAMPLE)
    row = PAYSIM_EXAMPLE.iloc[1]
    same = a_transaction(
        step=int(row.step), type=row.type, amount=row.amount, name_orig=row.nameOrig,
        oldbalance_org=row.oldbalanceOrg, name_dest=row.nameDest,
        oldbalance_dest=row.oldbalanceDest,
    )  # fmt: skip
    matrix = PAYSIM_FEATURES.matrix_of([same])
    assert replies.margin[1] == model.margins(matrix)[0]
    assert replies.score[1] == model.explain_matrix(matrix).scores[0]
    assert replies.decision[1] == model.policy.decide(replies.score[1])


def test_the_candidate_moves_and_tenants_stay_apart(
    month_csv: Path, tmp_path: Path, outside_world: OutsideWorld
) -> None:
    user = outside_world.environment({"XDG_CONFIG_HOME": str(tmp_path / "settings")})
    for tenant, cost in (("acme", "flat"), ("acme", "amount"), ("globex", "flat")):
        # By an interpreter: MLflow is to be imported with the user's settings.
        done = completed(
            command("--tenant", tenant, "--data", month_csv, "--cost", cost),
            environment(tmp_path, None) | user,
        )
        assert done.returncode == 0, done.stderr
        reports = ("is new in this MLflow" in done.stdout, "Warning: fraud-" in done.stderr)
        assert reports == (tenant == "acme" and cost == "flat", tenant == "globex")
    assert outside_world.requests == [], "MLflow reports no use"
    assert not (tmp_path / "settings/mlflow").exists(), "and makes no installation id"
    client = database(tmp_path)
    assert int(client.get_model_version_by_alias("fraud-acme", CANDIDATE).version) == 2
    assert int(client.get_model_version_by_alias("fraud-globex", CANDIDATE).version) == 1
    artifacts = tmp_path / "home" / "mlartifacts"
    assert {path.name for path in artifacts.iterdir()} == {"fraud-acme", "fraud-globex"}
    policies = [p.read_text() for p in artifacts.glob("fraud-acme/**/policy.json")]
    assert len(policies) == 2
    assert policies[0] != policies[1], "the cost model reaches the policy"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_registers_nothing_and_fails_its_run(
    number: signal.Signals, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        command("--tenant", "demo"), cwd=PROJECT, env=environment(tmp_path, None),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "No --data: this trains on simulated payments.\n"
    for line in process.stdout:
        if line.startswith("Compute the features"):
            break
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode != 0, stderr
    assert "Traceback" not in stderr
    client = database(tmp_path)
    assert client.search_registered_models() == []
    assert {run.info.status for run in runs(client, "demo")} == {"FAILED"}
