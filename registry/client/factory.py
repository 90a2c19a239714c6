"""Choose a registry client by the tracking URI."""

from __future__ import annotations

from urllib.parse import urlsplit

from registry.client.base import RegistryReader
from scoring.errors import CommandError


class TrackingUriError(CommandError, ValueError):
    """MLFLOW_TRACKING_URI is the URI of neither a server nor a database."""


def check_tracking_uri(tracking_uri: str) -> None:
    """Check that a tracking URI is `http(s)://...` or a database URI.

    Raises:
        TrackingUriError: the URI is neither.
    """
    if not (_is_server(tracking_uri) or _is_database(tracking_uri)):
        raise TrackingUriError(
            f"MLFLOW_TRACKING_URI is {tracking_uri!r}; set it to an http(s):// or a database URI."
        )


def open_registry(tracking_uri: str) -> RegistryReader:
    """Return a client for a tracking URI (`http(s)://...`, or a database such as `sqlite:///...`).

    Raises:
        TrackingUriError: the URI is neither.
    """
    check_tracking_uri(tracking_uri)
    if _is_server(tracking_uri):
        from registry.client.rest_client import RestClient

        return RestClient(tracking_uri)
    from registry.client.sql_client import SqlClient

    return SqlClient(tracking_uri)


def _is_server(tracking_uri: str) -> bool:
    return urlsplit(tracking_uri).scheme in {"http", "https"}


def _is_database(tracking_uri: str) -> bool:
    dialect = urlsplit(tracking_uri).scheme.split("+")[0]
    return dialect in {"sqlite", "postgresql", "mysql", "mssql"}
