"""`python -m training evaluate` evaluates a registered version on given hours of a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from pyarrow import parquet

from scoring.columns import TextColumn
from scoring.prediction import ModelVersion
from scoring.transaction import PAYSIM, TRANSACTION_TYPES
from tests.support.factories import a_model
from tests.support.stack import Publish
from training.__main__ import cli
from training.comparison.evaluate_version import evaluate_version
from training.data.labelled_events import LabelledEvents
from training.data.simulator import simulate
from training.errors import TrainingError


def transactions(count: int = 400, seed: int = 0) -> LabelledEvents:
    """Four transactions an hour from hour 1; the first of each hour is a fraud."""
    rng = np.random.default_rng(seed)
    balance = rng.lognormal(10, 1, count).round(2)
    is_fraud = np.arange(count) % 4 == 0
    empties = is_fraud & (np.arange(count) % 8 == 0)
    step = (1 + np.arange(count) // 4).astype(float)
    columns = {
        "step": step,
        "type": TextColumn(np.where(is_fraud, 4, 0), TRANSACTION_TYPES),
        "amount": np.where(empties, balance, balance / 3),
        "oldbalanceOrg": balance,
        "oldbalanceDest": np.zeros(count),
        "nameDest": TextColumn(np.zeros(count, np.int64), ("C1",)),
    }
    return LabelledEvents(PAYSIM, columns, is_fraud, step, None, "made-up", "0" * 64)


VERSION = ModelVersion("fraud-judged", 4)


def test_only_the_given_hours_are_evaluated() -> None:
    evaluated = evaluate_version(
        a_model(version=VERSION), transactions(), from_step=11, until_step=30
    )
    assert (evaluated.first_step, evaluated.last_step) == (11, 30)
    assert (evaluated.row_count, evaluated.fraud_count) == (80, 20)
    assert evaluated.hard_count == 10
    whole = evaluate_version(a_model(version=VERSION), transactions())
    assert (whole.row_count, whole.first_step, whole.last_step) == (400, 1, 100)


def test_the_hard_frauds_are_those_that_do_not_empty_the_account() -> None:
    everything = evaluate_version(a_model(threshold=1e-6, version=VERSION), transactions())
    assert everything.hard_caught == everything.hard_count == 50
    nothing = evaluate_version(a_model(threshold=1 - 1e-9, version=VERSION), transactions())
    assert nothing.hard_caught == 0
    assert nothing.evaluation.metrics["missed_frauds"] == nothing.fraud_count


def test_hours_without_transactions_are_refused() -> None:
    with pytest.raises(TrainingError, match="0 transactions"):
        evaluate_version(a_model(version=VERSION), transactions(), from_step=1000)


def test_the_command_evaluates_the_version_under_an_alias(
    mlflow_server: str, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    monkeypatch.setenv("SENTINEL_HOME", str(tmp_path / "home"))
    data = tmp_path / "month.parquet"
    parquet.write_table(simulate(rows=5_000), data)
    arguments = ["evaluate", "--tenant", "judged", "--data", str(data), "--from-step", "400"]
    missing = CliRunner().invoke(cli, arguments)
    assert missing.exit_code == 1
    assert "fraud-judged has no version under the alias production" in missing.output
    version = publish("fraud-judged", a_model())
    evaluated = CliRunner().invoke(cli, arguments)
    assert evaluated.exit_code == 0, evaluated.output
    assert f"fraud-judged version {version}" in evaluated.output
    assert "steps 400 to 744" in evaluated.output
    assert "share of perfect" in evaluated.output
    no_frauds = CliRunner().invoke(cli, [*arguments, "--until-step", "401"])
    assert no_frauds.exit_code == 1
    assert no_frauds.stderr.startswith("Error: month.parquet has ")
    assert no_frauds.stderr.count("\n") == 1

    client = MlflowClient(mlflow_server)
    experiment = client.get_experiment_by_name("fraud-judged")
    runs = client.search_runs([experiment.experiment_id])
    (run,) = [r for r in runs if r.info.run_name.startswith("evaluate")]
    assert run.info.run_name == f"evaluate version {version} on month.parquet"
    assert f"/runs/{run.info.run_id}" in evaluated.output
    assert f"{mlflow_server}/#/models/fraud-judged/versions/{version}" in evaluated.output
    assert run.data.metrics["pr_auc_low"] <= run.data.metrics["pr_auc_high"]
    assert run.data.params["config.from_step"] == "400"
    assert {f.path for f in client.list_artifacts(run.info.run_id)} == {"config.json", "plots"}
