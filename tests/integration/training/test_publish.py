"""Registering a version leaves nothing behind when it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from registry.client.address import TrackingUriError
from registry.publish.registration import registering
from registry.publish.tracking import PublishError, Tracking
from tests.support.factories import a_model, feature_rows

NAME = "fraud-demo"


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Tracking:
    home = tmp_path_factory.mktemp("publish")
    return Tracking(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    path.mkdir()
    a_model().save(path, feature_rows(4))
    return path


def names(client: MlflowClient) -> list[str]:
    return [model.name for model in client.search_registered_models()]


def test_a_failure_while_registering_leaves_no_version_and_a_failed_run(
    tracking: Tracking, directory: Path
) -> None:
    seen: list[Any] = []

    def break_off() -> None:
        with (
            tracking.run(NAME, "broken", {}) as run,
            registering(run, directory, NAME, tags={}, metrics={"ece": 0.1}) as version,
        ):
            seen.extend([run.id, version.version, names(tracking.client)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert seen[1:] == [1, [NAME]]
    assert names(tracking.client) == []
    assert tracking.client.get_run(seen[0]).info.status == "FAILED"


def test_a_failure_leaves_the_earlier_versions_and_their_alias(
    tracking: Tracking, directory: Path
) -> None:
    name = "fraud-kept"
    with (
        tracking.run(name, "good", {}) as run,
        registering(run, directory, name, tags={}, metrics={}),
    ):
        pass
    with (
        pytest.raises(RuntimeError),
        tracking.run(name, "bad", {}) as run,
        registering(run, directory, name, tags={}, metrics={}),
    ):
        raise RuntimeError
    versions = tracking.client.search_model_versions(f"name = '{name}'")
    assert [int(version.version) for version in versions] == [1]
    assert int(tracking.client.get_model_version_by_alias(name, "candidate").version) == 1


def test_a_deleted_experiment_is_reported_in_a_sentence(tracking: Tracking) -> None:
    experiment = tracking.client.create_experiment("fraud-gone")
    tracking.client.delete_experiment(experiment)
    with (
        pytest.raises(PublishError, match="experiment fraud-gone is deleted"),
        tracking.run("fraud-gone", "run", {}),
    ):
        pass


def test_an_unknown_tracking_uri_is_reported_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrackingUriError, match="is 'ftp://nowhere'; set it to an http"):
        Tracking("ftp://nowhere", tmp_path)
