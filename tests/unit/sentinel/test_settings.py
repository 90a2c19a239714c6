"""The settings refuse a second MLflow, show no secret, and order the secrets of API keys."""

from __future__ import annotations

import traceback

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
        *("SENTINEL_SECOND_KEY_SECRET", "SENTINEL_METRICS_TOKEN", "SENTINEL_OIDC_CLIENT_SECRET"),
        *("SENTINEL_OIDC_ISSUER", "SENTINEL_OIDC_CLIENT_ID"),
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ):
        monkeypatch.setenv(variable, "http://bob:s3cret@host")
    monkeypatch.setenv("SENTINEL_OIDC_ISSUER", "https://id.bank")
    monkeypatch.setenv("SENTINEL_OIDC_CLIENT_ID", "sentinel")
    assert "s3cret" not in repr(Settings()) + str(Settings()) + repr(Settings().openid)


def test_a_token_that_is_too_short_is_refused_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENTINEL_METRICS_TOKEN", "s3cret")
    with pytest.raises(SettingsError, match="SENTINEL_METRICS_TOKEN is not valid") as error:
        Settings()
    shown = "".join(traceback.format_exception(error.value))
    assert "s3cret" not in shown


@pytest.mark.parametrize(
    ("second", "secrets"), [(None, (b"a",)), ("", (b"a",)), ("b", (b"a", b"b"))]
)
def test_a_second_secret_comes_after_the_first(
    monkeypatch: pytest.MonkeyPatch, second: str | None, secrets: tuple[bytes, ...]
) -> None:
    monkeypatch.setenv("SENTINEL_KEY_SECRET", "a")
    monkeypatch.delenv("SENTINEL_SECOND_KEY_SECRET", raising=False)
    if second is not None:
        monkeypatch.setenv("SENTINEL_SECOND_KEY_SECRET", second)
    assert Settings().resolve_key_secrets() == secrets


def test_a_second_secret_does_not_stand_in_for_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://host/db")
    monkeypatch.setenv("SENTINEL_SECOND_KEY_SECRET", "b")
    monkeypatch.delenv("SENTINEL_KEY_SECRET", raising=False)
    with pytest.raises(SettingsError, match="SENTINEL_KEY_SECRET is not set"):
        Settings().resolve_key_secrets()


def test_networks_of_proxies_are_read_and_a_wrong_one_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Settings().proxies is None
    monkeypatch.setenv("SENTINEL_TRUSTED_PROXIES", "10.0.0.0/8, fd00::1")
    assert [str(one) for one in Settings().proxies or ()] == ["10.0.0.0/8", "fd00::1/128"]
    monkeypatch.setenv("SENTINEL_TRUSTED_PROXIES", "10.0.0.1/8")
    with pytest.raises(SettingsError, match=r"SENTINEL_TRUSTED_PROXIES=10\.0\.0\.1/8: .*host bits"):
        _ = Settings().proxies


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://bob:s3cret@mlflow", "mlflow"])
def test_a_link_into_mlflow_is_an_address_without_a_login(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("SENTINEL_MLFLOW_PUBLIC_URL", address)
    with pytest.raises(SettingsError, match="SENTINEL_MLFLOW_PUBLIC_URL is") as refused:
        _ = Settings().mlflow_link
    assert "s3cret" not in str(refused.value) + repr(Settings())
