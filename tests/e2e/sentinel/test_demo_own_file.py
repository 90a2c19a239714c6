"""`sentinel demo` on a file of one's own: an event type, a model with windows, scored events."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest

from scoring.feature_set.model_features import ModelFeatures
from sentinel.event_type_file import read_event_type
from sentinel.local.demo import own_samples
from sentinel.local.demo.state import read_environment
from tests.support.data.event_files import write_csv
from tests.support.sentinel.demo_machine import Machine, replies
from training.event_types.training_data import own_events
from training.features.suggest import suggest

pytestmark = pytest.mark.timeout(420)


@pytest.fixture(scope="module")
def own_run(machine: Machine, data: Path, own_file: Path) -> tuple[subprocess.Popen[str], str]:
    """The demo, trained on a file of one's own after PaySim's payments, still serving."""
    machine.stop(machine.demo(DATA=str(data))[0])
    return machine.demo(DATA=str(own_file), LABEL="fraud")


@pytest.fixture(scope="module")
def own_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two months of card payments: frauds are large, and on few of the cards."""
    rng = np.random.default_rng(2)
    rows = 6000
    is_fraud = rng.random(rows) < 0.05
    start = datetime(2026, 1, 1, tzinfo=UTC)
    columns = {
        "when": [f"{start + timedelta(minutes=13 * i):%Y-%m-%dT%H:%M:00Z}" for i in range(rows)],
        "card_id": rng.integers(0, 200, rows) * np.where(is_fraud, 5, 1) % 200,
        "merchant_id": [f"m {i}" for i in rng.integers(0, 70, rows)],
        "amount": np.round(rng.lognormal(3, 1, rows) * np.where(is_fraud, 3, 1), 2).tolist(),
        "fraud": is_fraud.astype(int),
    }
    return write_csv(tmp_path_factory.mktemp("own") / "card payments.csv", columns)


def test_a_file_of_ones_own_becomes_an_event_type_to_look_at_and_a_served_model(
    own_run: tuple[subprocess.Popen[str], str], machine: Machine
) -> None:
    output = own_run[1]
    assert "Look at .sentinel/demo.event-type.yaml, the event type that was inferred" in output
    assert "The event type card_payments (version 1) is in force for the tenant demo." in output
    assert "time (UTC)" in output
    assert read_event_type(machine.home / "demo.event-type.yaml").label == "fraud"
    assert len(replies(output)) == 3


def test_the_events_that_are_scored_have_the_windows_that_training_computes(
    own_run: tuple[subprocess.Popen[str], str], machine: Machine, own_file: Path
) -> None:
    event_type = read_event_type(machine.home / "demo.event-type.yaml")
    data = own_events(own_file, event_type, seed=7)
    features = ModelFeatures(event_type, suggest(event_type))
    expected = data.matrix(features)[own_samples.choose(data)]
    seen = set()
    for reply, row in zip(replies(own_run[1]), expected, strict=True):
        values = dict(zip(features.names, row.tolist(), strict=True))
        for feature in reply["top_features"]:  # type: ignore[attr-defined]
            if feature["value"] is not None:
                seen.add(feature["name"])
                assert feature["value"] == values[feature["name"]], feature
    assert any(name.startswith(("card_", "merchant_")) for name in seen), seen


def test_each_printed_request_scores_the_same_again_and_so_does_the_next_run(
    own_run: tuple[subprocess.Popen[str], str], machine: Machine
) -> None:
    scores = [reply["score"] for reply in replies(own_run[1])]
    lines = [line for line in own_run[1].splitlines() if "curl" in line]
    sent = [
        subprocess.run(
            ["sh", "-c", line], cwd=machine.checkout, capture_output=True, text=True, check=True
        )
        for line in lines
    ]
    assert [json.loads(done.stdout)["score"] for done in sent] == scores
    machine.stop(own_run[0])
    again, output = machine.demo()
    assert "Registered" not in output
    assert [reply["score"] for reply in replies(output)] == scores
    machine.stop(again)


def test_where_the_version_in_production_does_not_fit_it_goes_on_with_the_one_before(
    own_run: tuple[subprocess.Popen[str], str], machine: Machine
) -> None:
    scores = [reply["score"] for reply in replies(own_run[1])]
    if own_run[0].poll() is None:
        machine.stop(own_run[0])
    running, _ = machine.demo()
    settings = read_environment(machine.home / "demo.env")
    moved = httpx.post(
        f"{settings['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/registered-models/alias",
        json={"name": "fraud-demo", "alias": "production", "version": "1"},
        auth=(settings["MLFLOW_TRACKING_USERNAME"], settings["MLFLOW_TRACKING_PASSWORD"]),
        timeout=30,
    )
    assert moved.is_success, moved.text
    machine.stop(running)
    again, output = machine.demo()
    assert "fraud-demo version 1 is refused for tenant demo: The model needs the field" in output
    assert "--version N --force` puts another one into production." in output
    assert [reply["score"] for reply in replies(output)] == scores
    machine.stop(again)


def test_a_label_that_is_no_column_is_refused_before_anything_is_started(
    machine: Machine, own_file: Path
) -> None:
    status, output = machine.run("demo", DATA=str(own_file), LABEL="is_fraud")
    assert status == 1
    assert output.endswith("card_id, merchant_id, amount, fraud. Did you mean fraud?\n")
