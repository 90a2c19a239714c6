"""`python -m training compare` compares two versions on matured decisions or on a file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import mlflow
import numpy as np
from mlflow import MlflowClient

from persistence.labels.reader import SELECTION_BIAS
from registry.names import CHALLENGER, PRODUCTION
from scoring.policy import CostModel, Policy
from tests.support.data.matured_decisions import (
    Past,
    Training,
    fraud_model,
    labels_of,
    registered,
    some_transactions,
    write_csv,
)
from tests.support.data.policies import set_policy
from tests.support.stack import Publish
from training.data.loading import read

TIMID, BOLD = fraud_model(threshold=0.9), fraud_model()
"""The same probabilities; one reviews far too little."""


def test_stored_decisions_and_shadow_scores_are_compared_and_logged(
    past: Past, publish: Publish, training: Training, mlflow_server: str
) -> None:
    name = past.tenant.model_name
    champion = registered(past, TIMID, publish(name, TIMID))
    challenger = registered(past, BOLD, publish(name, BOLD, alias=CHALLENGER))
    transactions = some_transactions(2_000)
    is_fraud = labels_of(transactions)
    past.serve(champion, transactions, challenger, is_fraud=is_fraud)

    done = training("compare", "--tenant", past.tenant.slug)
    assert done.exit_code == 0, done.stderr
    output = " ".join(done.stdout.split())
    assert "version 1 (champion)" in output
    assert "version 2 (challenger)" in output
    title = f"Figures: 2,000 matured transactions (30 to 120 days old), {is_fraud.sum()} frauds"
    assert title in output
    assert re.search(
        r"version 2 saves [\d,]+ more \(95 %: [\d,]+ to [\d,]+\) than version 1", output
    )
    assert "30 to 120 days old" in output
    assert SELECTION_BIAS in output

    url = re.search(r"Run: (http[^\s?]+)", done.stdout)
    assert url is not None
    assert url[1].startswith(mlflow_server)
    client = MlflowClient(mlflow_server)
    run = client.get_run(url[1].rsplit("/", 1)[1])
    figures = run.data.metrics
    assert run.info.status == "FINISHED"
    assert run.data.params["maturity_days"] == "30.0"
    assert run.data.params["config.tenant"] == past.tenant.slug
    assert figures["frauds"] == is_fraud.sum()
    matrix_review = [p.decision == "review" for p in challenger.predict(transactions)]
    assert figures["challenger_alerts"] == sum(matrix_review)
    assert figures["challenger_caught"] == (np.array(matrix_review) & is_fraud).sum()
    low, high = (figures[f"net_savings_difference_{end}"] for end in ("low", "high"))
    assert 0 < low <= figures["net_savings_difference"] <= high
    written = json.loads(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/comparison.json"))
    assert written["figures"]["is_better"] is True
    assert written["verdict"] in done.stdout.replace("\n", " ")


def test_the_comparison_uses_the_tenants_cost_model(
    past: Past, publish: Publish, training: Training
) -> None:
    name = past.tenant.model_name
    champion = registered(past, TIMID, publish(name, TIMID))
    challenger = registered(past, BOLD, publish(name, BOLD, alias=CHALLENGER))
    transactions = some_transactions(1_000)
    past.serve(champion, transactions, challenger, is_fraud=labels_of(transactions))
    set_policy(past.engine, past.tenant.id, Policy.at(0.5, CostModel(1.0, 0.0, 90.0)), "tests")
    done = training("compare", "--tenant", past.tenant.slug)
    assert done.exit_code == 0, done.stderr
    assert re.search(r"version 2 saves [\d,]+ less \(95 %: -", done.stdout), done.stdout


def test_both_versions_are_compared_on_a_labelled_file(
    past: Past, publish: Publish, training: Training, tmp_path: Path
) -> None:
    publish(past.tenant.model_name, TIMID)
    publish(past.tenant.model_name, BOLD, alias=CHALLENGER)
    transactions = some_transactions(1_500, seed=5)
    path = write_csv(tmp_path / "month.csv", transactions, labels_of(transactions))
    done = training("compare", "--tenant", past.tenant.slug, "--data", path, "--from-step", 100)
    assert done.exit_code == 0, done.stderr
    hours = [t.step for t in transactions if t.step >= 100]
    output = " ".join(done.stdout.split())
    assert (
        f"{len(hours):,} transactions of month.csv (steps {min(hours)} to {max(hours)})" in output
    )
    assert "month.csv is not the file that version 1 or 2 was made from;" in output


def test_a_version_is_not_compared_on_its_training_data(
    past: Past, publish: Publish, training: Training, mlflow_server: str, tmp_path: Path
) -> None:
    name = past.tenant.model_name
    publish(name, TIMID)
    publish(name, BOLD, alias=CHALLENGER)
    transactions = some_transactions(2_000, seed=6)
    path = write_csv(tmp_path / "month.csv", transactions, labels_of(transactions, seed=6))
    client = MlflowClient(mlflow_server)
    made = client.get_model_version(name, "2")
    client.log_param(made.run_id, "data_fingerprint", read(path).fingerprint)
    client.log_param(made.run_id, "test_steps", "400 to 742")
    done = training("compare", "--tenant", past.tenant.slug, "--data", path)
    assert done.exit_code == 0, done.stderr
    output = " ".join(done.stdout.split())
    assert "Version 2 was made from month.csv; only what is from step 400 on" in output
    assert "of month.csv (steps 400 to" in output


def test_missing_versions_or_labels_are_reported_in_a_sentence(
    past: Past, publish: Publish, training: Training, tmp_path: Path
) -> None:
    def refused(*arguments: object) -> str:
        done = training("compare", "--tenant", slug, *arguments)
        assert done.exit_code == 1
        return " ".join(done.stderr.split())

    name, slug = past.tenant.model_name, past.tenant.slug
    assert f"{name} has no version under the alias production. MLflow has no such" in refused()
    publish(name, TIMID, alias=None)
    assert (
        f"{name} has no version under the alias production. `python -m training promote --tenant "
        f"{slug} --alias candidate` puts the newest version into production."
    ) in refused()
    champion = registered(past, TIMID, publish(name, TIMID, alias=PRODUCTION))
    assert (
        f"{name} has no version under the alias challenger. `python -m training promote --tenant "
        f"{slug} --alias candidate --data FILE` compares the newest version with the one in "
        "production on a labelled file; or give a version the alias `challenger` in MLflow"
    ) in refused()
    challenger = registered(past, BOLD, publish(name, BOLD, alias=CHALLENGER))
    assert "There are no transactions 30 to 120 days old that" in refused()
    transactions = some_transactions(300)
    is_fraud = np.arange(300) < 7
    past.serve(champion, transactions, challenger, is_fraud=is_fraud)
    message = refused()
    assert (
        "both scored 300 transactions 30 to 120 days old, but only 7 of them are frauds" in message
    )
    assert "at least 20 are needed" in message
    assert "There are no transactions 200 to 290" in refused("--maturity-days", 200)
    path = write_csv(tmp_path / "few.csv", transactions, is_fraud)
    assert "few.csv has 300 transactions and 7 frauds" in refused("--data", path)


def test_an_unknown_tenant_is_reported_with_the_command_that_creates_it(training: Training) -> None:
    done = training("compare", "--tenant", "nobody")
    assert done.exit_code == 1
    assert "There is no tenant 'nobody'; `sentinel tenants create nobody` makes one." in done.stderr


def test_steps_without_a_file_are_refused(training: Training) -> None:
    done = training("compare", "--tenant", "demo", "--from-step", 3)
    assert done.exit_code == 2
    assert "--from-step and --until-step need --data." in done.stderr
