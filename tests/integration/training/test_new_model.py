"""A tenant whose registered model MLflow does not know is named, with the one that was meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from registry.publish.tracking import Tracking
from sentinel.known_tenant import KNOWN_TENANT
from sentinel.local.terminal import open_console
from training.progress import Reporter
from training.tracking.new_model import hint_on_missing_model, warn_of_new_model

Reported = Callable[[Tracking, str], tuple[str, str]]


@pytest.fixture
def tracking(mlflow_server: str, tmp_path: Path) -> Tracking:
    client = MlflowClient(mlflow_server)
    if not client.search_registered_models("name = 'fraud-northbank'"):
        client.create_registered_model("fraud-northbank")
    return Tracking(mlflow_server, tmp_path)


@pytest.fixture
def reported(capsys: pytest.CaptureFixture[str]) -> Reported:
    """A function that reports a tenant's model if it is new, and returns stdout and stderr."""

    def report(tracking: Tracking, tenant: str) -> tuple[str, str]:
        warn_of_new_model(tracking, tenant, Reporter(open_console()))
        return tuple(capsys.readouterr())

    return report


def test_a_known_model_needs_no_words(tracking: Tracking, reported: Reported) -> None:
    assert reported(tracking, "northbank") == ("", "")
    assert hint_on_missing_model(tracking, "fraud-northbank") == ""


def test_a_mistyped_tenant_is_a_warning_with_the_name_that_was_meant(
    tracking: Tracking, reported: Reported
) -> None:
    assert reported(tracking, "nortbank") == (
        "",
        "Warning: fraud-nortbank is new in this MLflow; this makes its version 1. Did you mean "
        "fraud-northbank? If there is no tenant nortbank, `sentinel tenants create nortbank` "
        "creates it; `sentinel tenants list` shows the tenants.\n",
    )
    assert hint_on_missing_model(tracking, "fraud-nortbank") == (
        "MLflow has no such model. Did you mean fraud-northbank?"
    )


def test_a_name_that_resembles_none_gets_no_guess(tracking: Tracking, reported: Reported) -> None:
    _, warning = reported(tracking, "zyx")
    assert "`sentinel tenants create zyx`" in warning
    assert "Did you mean" not in warning
    assert hint_on_missing_model(tracking, "fraud-zyx") == "MLflow has no such model."


def test_the_first_model_of_an_mlflow_is_a_note(tmp_path: Path, reported: Reported) -> None:
    note, warning = reported(Tracking(f"sqlite:///{tmp_path}/mlflow.db", tmp_path), "acme")
    assert note.startswith("fraud-acme is new in this MLflow; this makes its version 1.")
    assert "`sentinel tenants create acme`" in note
    assert warning == ""


def test_a_tenant_that_the_caller_has_made_needs_no_command_and_another_one_does(
    tracking: Tracking, reported: Reported, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KNOWN_TENANT, "kiosk")
    assert reported(tracking, "kiosk") == (
        "fraud-kiosk is new in this MLflow; this makes its version 1.\n",
        "",
    )
    assert "`sentinel tenants create stall`" in reported(tracking, "stall")[1]
