"""Requests take the proxy of the environment, except to the loopback interface."""

from __future__ import annotations

import os

import pytest
from requests.utils import get_environ_proxies, select_proxy

from registry.client.proxies import proxy_for, reach_loopback_directly

PROXY = "http://proxy.example.com:3128"
LOOPBACK = [
    *("127.0.0.1", "127.8.9.10", "localhost", "LOCALHOST", "mlflow.localhost", "localhost."),
    *("[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"),  # noqa: S104 - no socket is bound
]
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)


def by_requests(url: str) -> str | None:
    """The proxy that MLflow's own client would take."""
    return select_proxy(url, get_environ_proxies(url))


@pytest.mark.parametrize("host", LOOPBACK)
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_the_loopback_interface_is_reached_directly(
    monkeypatch: pytest.MonkeyPatch, host: str, variable: str
) -> None:
    monkeypatch.setenv(variable, PROXY)
    url = f"http://{host}:5000"
    assert proxy_for(url) is None
    reach_loopback_directly(url)
    assert by_requests(url) is None


@pytest.mark.parametrize(
    "environment",
    [
        {"HTTP_PROXY": PROXY},
        {"HTTPS_PROXY": PROXY},
        {"ALL_PROXY": PROXY},
        {"HTTP_PROXY": "http://other:1", "http_proxy": PROXY},
        {"HTTP_PROXY": PROXY, "NO_PROXY": "example.com"},
        {"HTTP_PROXY": PROXY, "NO_PROXY": ".example.com, other"},
        {"HTTP_PROXY": PROXY, "NO_PROXY": "mlflow.example.com:5000"},
        {"HTTP_PROXY": PROXY, "NO_PROXY": "mlflow.example.com:5001"},
        {"HTTP_PROXY": PROXY, "NO_PROXY": "*"},
        {"HTTP_PROXY": PROXY, "NO_PROXY": "ample.com"},
        {"HTTP_PROXY": PROXY, "NO_PROXY": "other", "no_proxy": "example.com"},
        {"HTTP_PROXY": PROXY, "NO_PROXY": "10.0.0.0/8,::1,[::1],fe80::/10,"},
    ],
)
@pytest.mark.parametrize(
    "url",
    ["http://mlflow.example.com:5000", "https://example.com", "http://10.1.2.3:5000",
     "http://11.1.2.3"],
)  # fmt: skip
def test_any_other_host_has_the_proxy_that_the_client_of_mlflow_takes(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str
) -> None:
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert proxy_for(url) == by_requests(url)
    reach_loopback_directly("http://127.0.0.1:5000")
    assert proxy_for(url) == by_requests(url), "what was excluded stays excluded"


def test_a_proxy_without_a_scheme_is_an_http_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "proxy.example.com:3128")
    assert proxy_for("http://mlflow.example.com") == PROXY


def test_loopback_is_added_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "internal.example.com")
    for _ in range(2):
        reach_loopback_directly("http://127.8.9.10:5000")
    assert (
        os.environ["NO_PROXY"]
        == os.environ["no_proxy"]
        == ("internal.example.com,localhost,127.0.0.1,127.0.0.0/8,::1,0.0.0.0,127.8.9.10")
    )
