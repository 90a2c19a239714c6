"""The address of MLflow: a server or a database, with the login of its URI apart from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit, urlunsplit

from registry.client.base import MlflowSettingsError
from scoring.redaction import shown_url

_DATABASES = frozenset({"sqlite", "postgresql", "mysql", "mssql"})


class TrackingUriError(MlflowSettingsError):
    """MLFLOW_TRACKING_URI cannot be used."""


@dataclass(frozen=True, slots=True)
class Address:
    """The address of MLflow.

    Attributes:
        uri: URI for a client; of a server it has no login and no slash at its end.
        shown: URI that may be shown and stored.
        is_server: whether it is the URI of a server, not of a database.
        login: user and password that the URI of a server contains, decoded; or None.
    """

    uri: str = field(repr=False)
    shown: str
    is_server: bool
    login: tuple[str, str] | None = field(default=None, repr=False)


def parse_address(tracking_uri: str) -> Address:
    """Return the address that a tracking URI names: `http(s)://...` or a database.

    Raises:
        TrackingUriError: the URI is neither, or it is malformed.
    """
    text = tracking_uri.strip()
    parts = urlsplit(text)
    if parts.scheme in {"http", "https"}:
        return _server(text)
    if parts.scheme.partition("+")[0] in _DATABASES:
        return Address(text, shown_url(text), is_server=False)
    raise TrackingUriError(
        f"MLFLOW_TRACKING_URI is {shown_url(text)!r}; set it to an http(s):// or a database URI."
    )


def browser_address(tracking_uri: str) -> str | None:
    """Return the address at which a browser on this machine opens MLflow, without a login.

    Returns:
        None for a database, and for a server that is not this machine's: its address is the
        operator's to give, since people of every tenant see the links.

    Raises:
        TrackingUriError: the URI is malformed.
    """
    address = parse_address(tracking_uri)
    host = urlsplit(address.uri).hostname or ""
    return address.uri if address.is_server and _is_loopback(host) else None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _server(uri: str) -> Address:
    parts = urlsplit(uri)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if not parts.hostname or port == -1 or parts.query or parts.fragment:
        # A `/`, `?` or `#` in a password ends the part of the URL that holds the host.
        raise TrackingUriError(
            f"MLFLOW_TRACKING_URI is {shown_url(uri)!r}, which has no valid host and port or has "
            "more after its path; percent-encode the characters / ? # and @ of a password."
        )
    login, _, host = parts.netloc.rpartition("@")
    user, _, password = (unquote(part) for part in login.partition(":"))
    if login and not (user and password):
        raise TrackingUriError(
            f"MLFLOW_TRACKING_URI for {host} has a user without a password or a password without "
            "a user; write user:password@, or set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
        )
    clean = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
    return Address(clean, clean, is_server=True, login=(user, password) if login else None)
