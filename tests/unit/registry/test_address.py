"""The tracking URI is taken apart into an address that may be shown, and a login."""

from __future__ import annotations

import pytest

from registry.client.address import TrackingUriError, browser_address, parse_address


@pytest.mark.parametrize(
    ("uri", "plain", "login"),
    [
        ("http://host:5000/", "http://host:5000", None),
        (" HTTPS://host/mlflow/ \n", "https://host/mlflow", None),
        ("http://bob:p%40ss%2F@host:5000", "http://host:5000", ("bob", "p@ss/")),
        ("http://bob:p@ss@host", "http://host", ("bob", "p@ss")),
        ("http://bob:s3cret@[::1]:5000", "http://[::1]:5000", ("bob", "s3cret")),
    ],
)
def test_a_server_has_its_login_apart(uri: str, plain: str, login: tuple[str, str] | None) -> None:
    address = parse_address(uri)
    assert (address.uri, address.shown, address.login) == (plain, plain, login)
    assert address.is_server
    assert "s3cret" not in repr(address)


def test_a_database_keeps_its_login_for_the_client_and_does_not_show_it() -> None:
    uri = "postgresql://bob:s3cret@host/db?sslpassword=s3cret"
    address = parse_address(uri)
    assert (address.uri, address.shown, address.is_server) == (uri, "postgresql://host/db", False)
    assert "s3cret" not in repr(address)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("ftp://bob:s3cret@nowhere", r"is 'ftp://nowhere'; set it to an http\(s\):// or a"),
        ("bob:s3cret@host:5000", "is 'host:5000'; set it to"),
        ("http://bob:s3/cret@host", "percent-encode the characters"),
        ("http://bob:s3#cret@host", "percent-encode the characters"),
        ("http://host?token=s3cret", "percent-encode the characters"),
        ("http://", "no valid host"),
        ("http://host:99999", "no valid host and port"),
        ("http://s3cret@host", "a user without a password"),
        ("http://:s3cret@host", "a password without a user"),
    ],
)
def test_another_uri_is_refused_in_a_sentence_without_its_login(uri: str, reason: str) -> None:
    with pytest.raises(TrackingUriError, match=reason) as refused:
        parse_address(uri)
    assert "s3cret" not in str(refused.value)
    assert "s3" not in str(refused.value)


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("https://bob:s3cret@mlflow.bank.example/ml/", None),
        ("http://10.1.2.3:5000", None),
        ("http://bob:s3cret@localhost:5000/ml/", "http://localhost:5000/ml"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        ("http://mlflow:5000", None),
        ("http://mlflow.ml.svc:5000", None),
        ("http://mlflow.ml.svc.cluster.local", None),
        ("sqlite:////data/mlflow.db", None),
        ("postgresql://bob:s3cret@db.bank.example/mlflow", None),
    ],
)
def test_links_lead_to_a_server_of_this_machine_alone_and_have_no_login(
    uri: str, address: str | None
) -> None:
    assert browser_address(uri) == address
