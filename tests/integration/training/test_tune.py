"""`python -m training tune` as a process, with a real MLflow and real files."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest
from mlflow import MlflowClient

from registry.names import CANDIDATE
from registry.publish.tracking import NOT_THE_MODEL
from tests.support.paths import PROJECT
from tests.support.stack import mlflow_login
from training.data.simulator import simulate
from training.event_types.draft import write_draft
from training.event_types.infer import infer
from training.pipeline.booster import OWN_EVENT_TYPE

Tune = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated month as a file: a trial takes a second."""
    path = tmp_path_factory.mktemp("data") / "month.csv"
    table: pa.Table = simulate(40_000, seed=3)
    pyarrow.csv.write_csv(table, path)
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the module's searches are remembered."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def client(mlflow_server: str) -> MlflowClient:
    return MlflowClient(mlflow_server)


@pytest.fixture(scope="module")
def tune(preloaded: list[str], home: Path, mlflow_server: str, data: Path) -> Tune:
    """A way to run the command on the small month."""

    def run(*arguments: object) -> Any:
        return subprocess.run(
            command(data, *arguments, start=preloaded), cwd=PROJECT,
            env=environment(home, mlflow_server),
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip

    return run


def command(
    data: Path, *arguments: object, start: Sequence[str] = (sys.executable, "-m")
) -> list[str]:
    words = [*start, "training", "tune", "--data", str(data), *map(str, arguments)]
    return words if "--tenant" in words else [*words, "--tenant", "searcher"]


def environment(home: Path, tracking_uri: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "SENTINEL_"))}
    kept |= mlflow_login()
    return kept | {
        "SENTINEL_HOME": str(home), "MLFLOW_TRACKING_URI": tracking_uri, "COLUMNS": "120",
        "NO_COLOR": "1",
    }  # fmt: skip


def search_of(client: MlflowClient, tenant: str) -> Any:
    """Return the MLflow run of a tenant's only search."""
    experiment = client.get_experiment_by_name(f"fraud-{tenant}")
    assert experiment is not None
    (versions,) = [
        run
        for run in client.search_runs([experiment.experiment_id])
        if run.info.run_name.startswith("tune on")
    ]
    return versions


def trials_of(client: MlflowClient, tenant: str) -> dict[str, Any]:
    """Return the runs below a tenant's search, by name without its end."""
    parent = search_of(client, tenant)
    below = client.search_runs(
        [parent.info.experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
    )
    return {run.info.run_name.removesuffix(f" {NOT_THE_MODEL}"): run for run in below}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--tenant", "No_Slug"), "2 to 40 lower-case letters"),
        (("--trials", "0"), "--trials"),
        (("--trials", "many"), "--trials"),
        (("--latency-budget-us", "0"), "--latency-budget-us"),
        (("--latency-budget-us", "fast"), "--latency-budget-us"),
        (("--timeout-minutes", "-1"), "--timeout-minutes"),
        (("--false-alarm", "0"), "must each cost something"),
    ],
)
def test_a_user_error_is_reported_in_a_sentence(
    preloaded: list[str], tmp_path: Path, arguments: tuple[str, ...], expected: str
) -> None:
    data = tmp_path / "data.csv"
    data.touch()
    done = subprocess.run(
        command(data, *arguments, start=preloaded), cwd=PROJECT,
        env=environment(tmp_path, "http://127.0.0.1:9"),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "tuning").exists()


@pytest.fixture(scope="module")
def searched(
    tune: Tune, home: Path, mlflow_server: str, client: MlflowClient, data: Path
) -> dict[str, str]:
    """The output of a search that is killed in its third trial or so, interrupted, and goes on."""
    client.create_registered_model("fraud-beside-searcher")
    values = {}
    for name, number in (("killed", signal.SIGKILL), ("terminated", signal.SIGTERM)):
        process = subprocess.Popen(
            command(data, "--trials", 8), cwd=PROJECT, env=environment(home, mlflow_server),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if re.match(r"  (3|5) of 8: ", line):
                break
        process.send_signal(number)
        rest, stderr = process.communicate(timeout=60)
        assert process.returncode != 0
        assert "Traceback" not in stderr
        values[name] = "".join(lines) + rest
    done = tune("--trials", 8)
    assert done.returncode == 0, done.stderr
    (warning,) = done.stderr.splitlines()
    assert warning.startswith("Warning: fraud-searcher is new in this MLflow; ")
    values["done"] = done.stdout
    return values


def test_an_interrupted_search_resumes_where_it_stopped(searched: dict[str, str]) -> None:
    assert "Interrupted; run the same command to continue the search." in searched["terminated"]
    for name, least in (("terminated", 3), ("done", 5)):
        match = re.search(r"Resuming the search: (\d+) of 8 trials done", searched[name])
        assert match is not None
        assert int(match[1]) >= least
    numbers = re.findall(r"^  (\d+) of 8: trial", "".join(searched.values()), re.MULTILINE)
    assert {int(number) for number in numbers} >= set(range(6, 9))
    assert "trial 0 (train's own parameters) saves" in searched["killed"]


def test_each_trial_is_a_run_below_the_search(
    searched: dict[str, str], client: MlflowClient
) -> None:
    parent = search_of(client, "searcher")
    assert parent.info.status == "FINISHED"
    assert parent.info.run_id in searched["done"]
    assert parent.data.tags["trials"] == "8"
    assert parent.data.tags["mlflow.runName"] == "tune on month.csv"
    trials = trials_of(client, "searcher")
    statuses = [run.info.status for run in trials.values()]
    assert "RUNNING" not in statuses, "a killed run is recorded as ended"
    complete = [run for run in trials.values() if "net_savings" in run.data.metrics]
    assert 2 <= len(complete) <= 8
    expected = {
        "net_savings", "pr_auc", "log_loss", "leaves", "trees", "explained_us_per_row",
        "explained_us_single_row", "stopping_log_loss",
    }  # fmt: skip
    for run in complete:
        assert run.info.status == "FINISHED"
        assert expected <= set(run.data.metrics)
    assert trials["trial 0"].data.params["trimmed"] == "False"
    assert trials["trial 1"].data.params["trimmed"] == "True"
    assert float(trials["trial 1"].data.metrics["leaves"]) <= float(
        trials["trial 0"].data.metrics["leaves"]
    )
    pictures = {f.path for f in client.list_artifacts(parent.info.run_id, "plots")}
    assert pictures == {"plots/savings_by_latency.png"}


def test_the_chosen_model_is_trained_and_registered_like_any_other(
    searched: dict[str, str], client: MlflowClient
) -> None:
    parent = search_of(client, "searcher")
    version = client.get_model_version_by_alias("fraud-searcher", CANDIDATE)
    assert version.tags["tuned_by_run"] == parent.info.run_id
    assert parent.data.tags["registered_version"] == version.version
    chosen = trials_of(client, "searcher")[f"trial {version.tags['tuned_trial']}"]
    run = client.get_run(version.run_id)
    assert run.info.run_name == "train on month.csv"
    assert {"net_savings", "pr_auc"} <= set(run.data.metrics), "judged on the test part"
    assert f"Trial {version.tags['tuned_trial']} is chosen" in searched["done"]
    assert float(chosen.data.metrics["explained_us_per_row"]) < float(
        trials_of(client, "searcher")["trial 0"].data.metrics["explained_us_per_row"]
    )
    leaves = re.search(r"trees with ([\d,]+) leaves", searched["done"])
    assert leaves is not None
    assert int(leaves[1].replace(",", "")) == chosen.data.metrics["leaves"], "the same trees"


@pytest.mark.usefixtures("searched")
def test_a_budget_that_nothing_fits_registers_nothing_and_keeps_the_trials(
    tune: Tune, client: MlflowClient
) -> None:
    before = client.get_model_version_by_alias("fraud-searcher", CANDIDATE).version
    done = tune("--trials", 8, "--latency-budget-us", 0.001)
    assert done.returncode != 0
    assert "No model explains a row within 0.001 µs; the fastest, trial" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Resuming the search: 8 of 8 trials done" in done.stdout
    assert "above the budget" in done.stdout
    assert client.get_model_version_by_alias("fraud-searcher", CANDIDATE).version == before


def test_a_search_without_an_improvement_registers_nothing(
    tune: Tune, client: MlflowClient
) -> None:
    done = tune("--trials", 1, "--tenant", "globex")
    assert done.returncode == 0, done.stderr
    assert "does not improve on train's own parameters (trial 0)" in done.stdout
    assert client.search_registered_models("name = 'fraud-globex'") == []
    assert search_of(client, "globex").info.status == "FINISHED"


def test_after_the_timeout_no_trial_begins(tune: Tune) -> None:
    done = tune("--trials", 50, "--timeout-minutes", 0.001, "--tenant", "initech")
    assert done.returncode == 0, done.stderr
    assert (
        "The time limit is reached after 1 of 50 trials; run the same command to continue."
        in done.stdout
    )


def test_the_first_trial_of_an_own_event_type_has_the_settings_of_its_training(
    tune: Tune, client: MlflowClient, data: Path, tmp_path: Path
) -> None:
    event_type = tmp_path / "event-type.yaml"
    event_type.write_text(write_draft(infer(data, "isFraud")))
    done = tune("--trials", 1, "--tenant", "umbrella", "--event-type", event_type)
    assert done.returncode == 0, done.stderr
    logged = trials_of(client, "umbrella")["trial 0"].data.params
    expected = {name: str(value) for name, value in asdict(OWN_EVENT_TYPE).items()}
    assert {name: logged[name] for name in expected} == expected
