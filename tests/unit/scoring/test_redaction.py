"""Text that is printed, logged or stored contains no login and no secret of a URL."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.redaction import redacted, shown_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host", "http://host"),
        ("https://bob:s3cret@host:5000/mlflow/", "https://host:5000/mlflow/"),
        ("https://s3cret@host/", "https://host/"),
        ("http://bob:s3@cr/et@host:5000", "http://host:5000"),
        ("http://bob:s3?cr#et@host:5000/x", "http://host:5000/x"),
        ("http://host/mlflow?token=s3cret#s3cret", "http://host/mlflow"),
        ("postgresql://bob:s3cret@h1:1,h2:2/db?sslmode=require", "postgresql://h1:1,h2:2/db"),
        ("sqlite:////tmp/a b/mlflow.db", "sqlite:////tmp/a b/mlflow.db"),
        ("bob:s3cret@host:5000", "host:5000"),
        ("localhost:5000", "localhost:5000"),
        (" http://bob:s3cret@host\n", "http://host"),
    ],
)
def test_a_shown_url_is_scheme_host_port_and_path(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        (
            "API request to https://bob:s3cret@host/api failed; see http://docs/x.",
            "API request to https://host/api failed; see http://docs/x.",
        ),
        ("no path GET /a?api_key=s3cret&b=1", "no path GET /a?api_key=***&b=1"),
        ("host=db user=bob password='s3 cret' port=1", "host=db user=bob password=*** port=1"),
        ("connect: sslpassword = s3cret", "connect: sslpassword = ***"),
        ("bob@example.com paid 3 = 3", "bob@example.com paid 3 = 3"),
        ("C1231006815 is fraud", "C1231006815 is fraud"),
    ],
)
def test_a_text_keeps_everything_but_logins_and_secrets(text: str, safe: str) -> None:
    assert redacted(text) == safe


@settings(max_examples=60)
@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6),
    st.sampled_from(["http", "https", "postgresql", "mysql+pymysql", "socks5"]),
)
def test_no_password_survives_however_it_is_written(password: str, scheme: str) -> None:
    secret = f"S3CRET{password}S3CRET"
    url = f"{scheme}://bob:{secret}@host:5000/path"
    assert "S3CRET" not in shown_url(url)
    assert "S3CRET" not in redacted(f"cannot use {url} here")
