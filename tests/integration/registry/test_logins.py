"""The registry and training reach MLflow with the login, TLS and proxies of MLflow's own client."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from registry.client.base import MlflowSettingsError, RegistryUnavailable
from registry.client.factory import check_tracking_uri, open_registry
from registry.publish.tracking import PublishError, Tracking
from tests.support.registry.mlflow_gateway import Gateway, basic, gateway, make_certificate

VARIABLES = (
    *("USERNAME", "PASSWORD", "TOKEN", "AUTH", "AWS_SIGV4"),
    *("INSECURE_TLS", "SERVER_CERT_PATH", "CLIENT_CERT_PATH"),
)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without settings for MLflow."""
    for variable in VARIABLES:
        # Tracking may set the user and password, which end with the test.
        monkeypatch.setenv(f"MLFLOW_TRACKING_{variable}", "")
        monkeypatch.delenv(f"MLFLOW_TRACKING_{variable}")
    for variable in ("NETRC", "NO_PROXY", "no_proxy", "MLFLOW_WORKSPACE"):
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def guarded(mlflow_with_login: str) -> Iterator[Gateway]:
    """An MLflow that demands a login."""
    with gateway(mlflow_with_login) as made:
        made.demands = basic("bob", "s3c:ret/@%")
        yield made


def reach(uri: str, scratch: Path) -> None:
    """Read the registry, and connect as training does."""
    check_tracking_uri(uri)
    assert open_registry(uri).aliases(["fraud-nobody"]) == {"fraud-nobody": {}}
    Tracking(uri, scratch)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


def set_variables(env: pytest.MonkeyPatch, _home: Path, _made: Gateway) -> None:
    env.setenv("MLFLOW_TRACKING_USERNAME", "bob")
    env.setenv("MLFLOW_TRACKING_PASSWORD", "s3c:ret/@%")
    env.setenv("MLFLOW_TRACKING_TOKEN", "the password comes first")


def write_file(_env: pytest.MonkeyPatch, home: Path, _made: Gateway) -> None:
    write(
        home / ".mlflow" / "credentials",
        "[mlflow]\nmlflow_tracking_username = bob\nmlflow_tracking_password = s3c:ret/@%%\n",
    )


def write_password_only(env: pytest.MonkeyPatch, home: Path, _made: Gateway) -> None:
    env.setenv("MLFLOW_TRACKING_USERNAME", "bob")
    write(
        home / ".mlflow" / "credentials",
        "[mlflow]\nmlflow_tracking_username = alice\nmlflow_tracking_password = s3c:ret/@%%\n",
    )


def write_netrc(env: pytest.MonkeyPatch, home: Path, _made: Gateway) -> None:
    env.setenv("MLFLOW_TRACKING_USERNAME", "alice")
    env.setenv("MLFLOW_TRACKING_PASSWORD", "the netrc file comes first")
    write(home / ".netrc", "machine 127.0.0.1 login bob password s3c:ret/@%\n")


def put_into_url(env: pytest.MonkeyPatch, _home: Path, made: Gateway) -> None:
    env.setenv("MLFLOW_TRACKING_USERNAME", "alice")
    env.setenv("MLFLOW_TRACKING_PASSWORD", "the URL comes first")
    made.url = made.url.replace("://", "://bob:s3c%3Aret%2F%40%25@")


def set_token(env: pytest.MonkeyPatch, _home: Path, made: Gateway) -> None:
    env.setenv("MLFLOW_TRACKING_TOKEN", "t0ken.x-y")
    made.demands = "Bearer t0ken.x-y"


@pytest.mark.parametrize(
    "log_in",
    [set_variables, write_file, write_password_only, write_netrc, put_into_url, set_token],
)
def test_each_login_of_mlflow_reaches_it(
    monkeypatch: pytest.MonkeyPatch, home: Path, guarded: Gateway,
    log_in: Callable[[pytest.MonkeyPatch, Path, Gateway], None],
) -> None:  # fmt: skip
    log_in(monkeypatch, home, guarded)
    reach(guarded.url, home)
    assert {seen.headers["authorization"] for seen in guarded.seen} == {guarded.demands}


def test_a_missing_or_wrong_login_is_named_with_its_source(
    monkeypatch: pytest.MonkeyPatch, home: Path, guarded: Gateway
) -> None:
    def sentence(kind: type[Exception], call: Callable[[], object]) -> str:
        with pytest.raises(kind) as refused:
            call()
        return str(refused.value)

    def read() -> str:
        return sentence(
            RegistryUnavailable, lambda: open_registry(guarded.url).aliases(["fraud-x"])
        )

    assert read() == (
        f"MLflow at {guarded.url} refuses a request without a login (status 401); set "
        "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, to a "
        "login that may read and write there"
    )
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "s3cret")
    assert "refuses the login of MLFLOW_TRACKING_TOKEN (status 401)" in read()
    assert "refuses the login of MLFLOW_TRACKING_TOKEN" in sentence(
        PublishError, lambda: Tracking(guarded.url, home)
    )


def test_training_names_a_missing_login_though_the_health_of_mlflow_needs_none(
    mlflow_server: str, home: Path
) -> None:
    with pytest.raises(PublishError) as refused:
        Tracking(mlflow_server, home)
    assert str(refused.value) == (
        f"MLflow at {mlflow_server} refuses a request without a login (status 401); set "
        "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, to a "
        "login that may read and write there."
    )


def test_a_server_other_than_mlflow_is_no_mlflow_to_training(
    monkeypatch: pytest.MonkeyPatch, home: Path, guarded: Gateway
) -> None:
    set_variables(monkeypatch, home, guarded)
    for absent in ("/health", "/api/2.0/mlflow/experiments/search"):
        guarded.change = lambda target, reply, absent=absent: (  # type: ignore[misc]
            (404, b"Not Found") if target.startswith(absent) else reply
        )
        with pytest.raises(PublishError) as refused:
            Tracking(guarded.url, home)
        assert str(refused.value) == (
            f"{guarded.url} is not an MLflow server (status 404 for {absent})."
        )


def test_a_replaced_password_is_used_by_the_next_request(home: Path, guarded: Gateway) -> None:
    registry = open_registry(guarded.url)
    with pytest.raises(RegistryUnavailable, match="without a login"):
        registry.aliases(["fraud-x"])
    write(home / ".netrc", "machine 127.0.0.1 login bob password s3c:ret/@%\n")
    assert registry.aliases(["fraud-x"]) == {"fraud-x": {}}


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("MLFLOW_TRACKING_TOKEN", "s3cret\n", "has a line break, a space at an end or"),
        ("MLFLOW_TRACKING_TOKEN", "s3crét", "or a character that is not ASCII"),
        ("MLFLOW_TRACKING_AUTH", "kubernetes", "which only MLflow's own client can use"),
        ("MLFLOW_TRACKING_AWS_SIGV4", "true", "which only MLflow's own client can use"),
        ("MLFLOW_TRACKING_INSECURE_TLS", "yes", "is 'yes'; set it to true or false"),
        ("MLFLOW_TRACKING_SERVER_CERT_PATH", "/absent.pem", "no file of certificates: No such"),
        ("MLFLOW_TRACKING_SERVER_CERT_PATH", __file__, "no file of certificates"),
        ("MLFLOW_TRACKING_CLIENT_CERT_PATH", "/absent.pem", "no PEM file with a certificate"),
        ("HTTPS_PROXY", "socks5://bob:s3cret@proxy:1080", r"proxy socks5://proxy:1080 for https"),
        ("HTTPS_PROXY", "http://bob:s3cret@proxy:none", "proxy http://proxy:none for https"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_in_a_sentence_without_secrets(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(MlflowSettingsError, match=reason) as refused:
        check_tracking_uri("https://mlflow.example.com")
    assert variable in str(refused.value)
    assert "s3cr" not in str(refused.value)


def test_a_malformed_credentials_file_is_refused_without_its_lines(home: Path) -> None:
    for text in ("s3cret\n", "[mlflow]\nmlflow_tracking_password = s3cret%\n", "\xff"):
        (home / ".mlflow").mkdir(exist_ok=True)
        (home / ".mlflow" / "credentials").write_bytes(text.encode("latin-1"))
        with pytest.raises(MlflowSettingsError, match="and a % in a value is written %%") as error:
            check_tracking_uri("http://127.0.0.1:5000")
        assert "s3cret" not in str(error.value)
        assert error.value.__suppress_context__


def test_tls_follows_the_variables_of_mlflow(
    monkeypatch: pytest.MonkeyPatch, home: Path, mlflow_with_login: str
) -> None:
    certificate = make_certificate(home)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate)
    tls.load_cert_chain(certificate)
    tls.verify_mode = ssl.CERT_REQUIRED
    with gateway(mlflow_with_login, tls) as made:
        monkeypatch.setenv("MLFLOW_TRACKING_CLIENT_CERT_PATH", str(certificate))
        with pytest.raises(RegistryUnavailable, match=r"is not trusted \(.*self-signed") as error:
            open_registry(made.url).aliases(["fraud-x"])
        assert "set MLFLOW_TRACKING_SERVER_CERT_PATH to the file of its CA" in str(error.value)
        monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
        reach(made.url, home)
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate))
        with pytest.raises(MlflowSettingsError, match="are both set; unset one"):
            open_registry(made.url)
        monkeypatch.delenv("MLFLOW_TRACKING_INSECURE_TLS")
        reach(made.url, home)
        monkeypatch.delenv("MLFLOW_TRACKING_SERVER_CERT_PATH")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        reach(made.url, home)
        monkeypatch.delenv("MLFLOW_TRACKING_CLIENT_CERT_PATH")
        with pytest.raises(RegistryUnavailable, match="MLflow did not respond at https"):
            open_registry(made.url).aliases(["fraud-x"])


def test_a_remote_server_is_reached_through_the_proxy_and_loopback_is_not(
    monkeypatch: pytest.MonkeyPatch, home: Path, mlflow_with_login: str
) -> None:
    with gateway(mlflow_with_login) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://bob:s3cret@{proxy.host}")
        reach("http://mlflow.example.com:5000", home)
        assert all(seen.target.startswith("http://mlflow.example.com:5000/") for seen in proxy.seen)
        assert all(
            seen.headers["proxy-authorization"] == basic("bob", "s3cret") for seen in proxy.seen
        )
        proxy.seen.clear()
        reach(mlflow_with_login, home)
        assert proxy.seen == []
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy")
    with pytest.raises(RegistryUnavailable) as error:
        open_registry("http://mlflow.example.com:5000").aliases(["fraud-x"])
    assert "s3cret" not in str(error.value)


def test_the_workspace_is_sent_with_each_request(
    monkeypatch: pytest.MonkeyPatch, mlflow_with_login: str
) -> None:
    monkeypatch.setenv("MLFLOW_WORKSPACE", "fraud")
    with gateway(mlflow_with_login) as made:
        made.change = lambda _target, _reply: (200, b"{}")
        open_registry(made.url).aliases(["fraud-x"])
        assert {seen.headers["x-mlflow-workspace"] for seen in made.seen} == {"fraud"}


def test_a_redirect_is_followed_as_by_the_client_of_mlflow(
    mlflow_with_login: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    with gateway(mlflow_with_login) as secure, gateway(mlflow_with_login) as plain:
        plain.location = secure.url
        assert open_registry(plain.url).aliases(["fraud-x"]) == {"fraud-x": {}}
        assert "authorization" not in secure.seen[0].headers, "it is another host"
        monkeypatch.setenv("MLFLOW_ALLOW_HTTP_REDIRECTS", "false")
        with pytest.raises(RegistryUnavailable, match="status 301"):
            open_registry(plain.url).aliases(["fraud-x"])
