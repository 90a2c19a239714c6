"""The settings refuse a second MLflow, and their representation shows no secret."""

from __future__ import annotations

import pytest

from sentinel.settings import Settings, SettingsError


def test_one_mlflow_holds_runs_and_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", " http://bob:s3cret@host:5000\n")
    assert Settings().tracking_uri == "http://bob:s3cret@host:5000"
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://bob:s3cret@host:5000/")
    assert Settings().tracking_uri == "http://bob:s3cret@host:5000"
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://bob:s3cret@other:5000")
    with pytest.raises(
        SettingsError, match="MLFLOW_REGISTRY_URI is http://other:5000 and"
    ) as error:
        _ = Settings().tracking_uri
    assert "s3cret" not in str(error.value)


def test_no_secret_is_in_the_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (
        *("DATABASE_URL", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "SENTINEL_KEY_SECRET"),
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ):
        monkeypatch.setenv(variable, "http://bob:s3cret@host")
    assert "s3cret" not in repr(Settings()) + str(Settings())
