"""A tenant whose registered model MLflow does not know is named, with the one that was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from registry.publish.tracking import Tracking
from training.tracking.new_model import hint_on_missing_model, note_on_new_model


@pytest.fixture
def tracking(mlflow_server: str, tmp_path: Path) -> Tracking:
    client = MlflowClient(mlflow_server)
    if not client.search_registered_models("name = 'fraud-northbank'"):
        client.create_registered_model("fraud-northbank")
    return Tracking(mlflow_server, tmp_path)


def test_a_known_model_needs_no_words(tracking: Tracking) -> None:
    assert note_on_new_model(tracking, "northbank") is None
    assert hint_on_missing_model(tracking, "fraud-northbank") == ""


def test_a_mistyped_tenant_gets_the_name_that_was_meant(tracking: Tracking) -> None:
    assert note_on_new_model(tracking, "nortbank") == (
        "fraud-nortbank is new in this MLflow; this makes its version 1. Did you mean "
        "fraud-northbank? `sentinel tenants list` shows the tenants."
    )
    assert hint_on_missing_model(tracking, "fraud-nortbank") == (
        "MLflow has no such model. Did you mean fraud-northbank?"
    )


def test_a_name_that_resembles_none_gets_no_guess(tracking: Tracking) -> None:
    note = note_on_new_model(tracking, "zyx")
    assert note is not None
    assert "Did you mean" not in note
    assert hint_on_missing_model(tracking, "fraud-zyx") == "MLflow has no such model."
