"""`python -m training calibrate` replaces a calibrator on newer labels and keeps the booster."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient
from rich.console import Console

from persistence.labels.reader import SELECTION_BIAS
from registry.client.factory import open_registry
from registry.names import CANDIDATE, MODEL_PATH, PRODUCTION
from registry.store.model_store import ModelStore
from scoring.evaluation.probability_metrics import expected_calibration_error
from scoring.evaluation.weights import observation_weights
from scoring.features import PAYSIM_FEATURES
from scoring.model.calibration import SigmoidCalibrator
from scoring.transaction import PAYSIM
from tests.support.data.matured_decisions import (
    RIGHT,
    Past,
    Training,
    fraud_model,
    labels_of,
    registered,
    some_transactions,
    write_csv,
)
from tests.support.stack import Publish
from training.comparison.lineage import SOURCE_TAG
from training.data.labels import Labels
from training.errors import TrainingError
from training.progress import Reporter
from training.recalibration.recalibrate import (
    CURRENT,
    FRAUD_SHARES,
    MIN_FRAUDS_OF_PART,
    cut,
    recalibrate,
)

WRONG = SigmoidCalibrator(1.5, 3.0)
"""Says far more fraud than there is."""


def labels(count: int = 6_000, seed: int = 0) -> Labels:
    transactions = some_transactions(count, seed)
    columns = PAYSIM_FEATURES.columns_of(transactions)
    is_fraud = labels_of(transactions, seed)
    return Labels(
        PAYSIM,
        columns,
        is_fraud,
        np.ones(count),
        None,
        np.arange(float(count)),
        False,
        "payments",
        "Give more.",
        {},
        (),
    )


def quiet() -> Reporter:
    return Reporter(Console(quiet=True))


def test_a_wrong_calibrator_is_replaced_and_the_booster_is_not() -> None:
    source, given_labels = fraud_model(WRONG), labels()
    result = recalibrate(source, given_labels, quiet())
    assert result.helps
    assert result.model.booster is source.booster
    assert result.model.policy.cost_model == source.policy.cost_model
    before, after = result.comparison.champion, result.comparison.challenger
    assert after.ece.high < before.ece.low, "beyond chance"
    assert after.log_loss.value < before.log_loss.value
    fresh = some_transactions(20_000, seed=99)
    margin = source.margins(PAYSIM_FEATURES.matrix_of(fresh))
    truth = RIGHT(margin)
    wrong, right = (np.abs(c(margin) - truth).mean() for c in (WRONG, result.model.calibrator))
    assert right < wrong / 5


def test_the_figures_are_those_of_the_last_part_alone() -> None:
    source, given_labels = fraud_model(WRONG), labels()
    result = recalibrate(source, given_labels, quiet())
    test = result.parts[2].rows
    margin = source.margins(given_labels.matrix(PAYSIM_FEATURES))[test]
    is_fraud = given_labels.is_fraud[test]
    assert result.comparison.transactions == is_fraud.size
    assert result.comparison.champion.ece.value == pytest.approx(
        expected_calibration_error(WRONG(margin), is_fraud)
    )
    # What the last part holds decides nothing: with its labels turned round, the same model comes.
    turned = given_labels.is_fraud.copy()
    turned[test] = turned[test][::-1]
    again = recalibrate(source, replace(given_labels, is_fraud=turned), quiet())
    assert again.parts[1] == result.parts[1]
    assert again.model.calibrator == result.model.calibrator
    assert again.model.policy == result.model.policy


def test_reviews_of_which_nobody_knows_what_they_were_do_not_spoil_the_calibrator() -> None:
    given_labels = labels(15_000)
    margin = fraud_model().margins(given_labels.matrix(PAYSIM_FEATURES))
    truth = RIGHT(margin)
    would_review = truth >= fraud_model().policy.threshold
    approved = ~would_review | (np.random.default_rng(1).random(margin.size) < 0.1)
    weights = observation_weights(np.where(would_review, 0.1, np.nan), approved, approved)
    known = replace(given_labels, is_fraud=given_labels.is_fraud & approved)
    weighted = recalibrate(fraud_model(WRONG), replace(known, weights=weights), quiet())
    naive = recalibrate(fraud_model(WRONG), known, quiet())
    error = {
        name: float(np.abs(result.model.calibrator(margin) - truth)[would_review].mean())
        for name, result in {"weighted": weighted, "naive": naive}.items()
    }
    assert error["weighted"] < 0.05
    assert error["naive"] > 0.2
    assert weighted.evaluation.metrics["alerts"] == pytest.approx(
        weighted.evaluation.counts[
            weighted.evaluation.score >= weighted.model.policy.threshold
        ].sum()
    )


def test_a_correct_calibrator_is_kept() -> None:
    result = recalibrate(fraud_model(), labels(), quiet())
    assert result.calibration.chosen == CURRENT
    assert result.model.calibrator == RIGHT
    assert not result.helps


@settings(deadline=None, max_examples=50)
@given(
    frauds=st.lists(st.booleans(), min_size=1, max_size=400),
    repeat=st.integers(1, 8),
)
def test_parts_are_disjoint_in_time_order_and_large_enough_or_refused(
    frauds: list[bool], repeat: int
) -> None:
    is_fraud = np.array(frauds * repeat)
    some = replace(labels(1), is_fraud=is_fraud, time=np.floor(np.arange(is_fraud.size) / 3))
    try:
        parts, message = list(cut(some)), ""
    except TrainingError as error:
        parts, message = [], str(error)
    assert bool(parts) is not message.startswith("Too few labels: ")
    if not parts:
        return
    assert [p.name for p in parts] == list(FRAUD_SHARES)
    assert parts[0].rows.start == 0
    assert parts[2].rows.stop == is_fraud.size
    for earlier, later in itertools.pairwise(parts):
        assert earlier.rows.stop == later.rows.start
        assert some.time[earlier.rows.stop - 1] < some.time[later.rows.start]
    for part in parts:
        assert part.fraud_count == is_fraud[part.rows].sum() >= MIN_FRAUDS_OF_PART[part.name]


def test_too_few_labels_say_how_many_there_are_and_are_needed() -> None:
    few = labels(500)
    few = replace(few, is_fraud=np.arange(500) % 12 == 0)
    with pytest.raises(TrainingError) as refusal:
        recalibrate(fraud_model(), few, quiet())
    assert str(refusal.value) == (
        "Too few labels: 42 of the 500 payments are frauds. Cut by time they leave 21 (of 30) to "
        "fit the calibrator and 8 (of 10) to choose the threshold and 13 (of 20) to evaluate both; "
        "about 67 in all are needed. Give more."
    )


def test_feedback_replaces_a_wrong_calibrator_and_keeps_the_margins_bit_for_bit(
    past: Past, publish: Publish, training: Training, mlflow_server: str, tmp_path: Path
) -> None:
    name = past.tenant.model_name
    production = registered(past, fraud_model(WRONG), publish(name, fraud_model(WRONG)))
    transactions = some_transactions(4_000)
    is_fraud = labels_of(transactions)
    served_margins = past.serve(production, transactions, is_fraud=is_fraud)

    done = training("calibrate", "--tenant", past.tenant.slug, "--from-feedback")
    assert done.exit_code == 0, done.stderr
    output = " ".join(done.stdout.split())
    assert f"Registered {name} version 2 as candidate" in output
    assert f"Labels: {is_fraud.sum()} of 4,000 transactions 30 to 120 days old" in output
    assert SELECTION_BIAS in output

    client = MlflowClient(mlflow_server)
    assert int(client.get_model_version_by_alias(name, PRODUCTION).version) == 1
    version = client.get_model_version_by_alias(name, CANDIDATE)
    assert int(version.version) == 2
    assert version.tags[SOURCE_TAG] == "1"
    run = client.get_run(version.run_id)
    assert re.search(rf"Run: \S+{version.run_id}\?", done.stdout, re.M)
    figures = run.data.metrics
    assert figures["after_ece_high"] < figures["before_ece_low"]
    assert figures["after_log_loss"] < figures["before_log_loss"]
    assert run.data.params["window_days"] == "90.0"
    assert "plots/reliability.png" in {
        file.path for file in client.list_artifacts(version.run_id, "plots")
    }
    card = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/model_card.md")
    assert "recalibrated on newer labels" in card
    assert SELECTION_BIAS in card
    assert "maturity days" in card
    comparison = json.loads(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/comparison.json"))
    assert comparison["frauds"] == figures["frauds"]

    registry = open_registry(mlflow_server)
    boosters = []
    for number in (1, 2):
        resolved = registry.find(name, number)
        assert resolved is not None
        to = tmp_path / str(number)
        assert registry.download(resolved, f"{MODEL_PATH}/booster.txt", to, 10**8)
        boosters.append(to.read_bytes())
    assert boosters[0] == boosters[1]
    found = registry.find(name, 2)
    assert found is not None
    model = ModelStore(registry, tmp_path / "models").load(found)
    matrix = PAYSIM_FEATURES.matrix_of(transactions)
    assert np.array_equal(model.margins(matrix), served_margins), "bit for bit"
    assert model.calibrator != WRONG
    assert model.policy.cost_model == production.policy.cost_model


def test_a_file_recalibrates_too_and_a_correct_calibrator_is_kept(
    past: Past, publish: Publish, training: Training, mlflow_server: str, tmp_path: Path
) -> None:
    name, slug = past.tenant.model_name, past.tenant.slug
    transactions = some_transactions(4_000)
    path = write_csv(tmp_path / "month.csv", transactions, labels_of(transactions))
    publish(name, fraud_model())
    kept = training("calibrate", "--tenant", slug, "--data", path)
    assert kept.exit_code == 1
    assert "No calibrator is better than that of version 1 by more than chance; nothing was" in (
        " ".join(kept.stdout.split())
    )
    publish(name, fraud_model(WRONG))
    done = training("calibrate", "--tenant", slug, "--data", path)
    assert done.exit_code == 0, done.stderr
    assert "version 2's booster" in done.stdout
    client = MlflowClient(mlflow_server)
    versions = client.search_model_versions(f"name = '{name}'")
    assert sorted(int(version.version) for version in versions) == [1, 2, 3]


def test_too_few_matured_labels_leave_nothing_in_mlflow(
    past: Past, publish: Publish, training: Training, mlflow_server: str
) -> None:
    name = past.tenant.model_name
    production = registered(past, fraud_model(), publish(name, fraud_model()))
    transactions = some_transactions(300)
    past.serve(production, transactions, is_fraud=np.arange(300) < 12)
    done = training("calibrate", "--tenant", past.tenant.slug, "--from-feedback")
    assert done.exit_code == 1
    output = " ".join(done.stderr.split())
    assert "12 of the 300 matured transactions (30 to 120 days old) are frauds" in output
    assert "about 67 in all are needed. Wait for more labels" in output
    client = MlflowClient(mlflow_server)
    assert client.get_experiment_by_name(name) is None


@pytest.mark.parametrize("arguments", [(), ("--from-feedback", "--data", __file__)])
def test_exactly_one_source_of_labels_is_accepted(
    training: Training, arguments: tuple[str, ...]
) -> None:
    done = training("calibrate", "--tenant", "demo", *arguments)
    assert done.exit_code == 2
    assert "Give either --data FILE or --from-feedback." in done.stderr
