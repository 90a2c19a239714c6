"""The login at an MLflow server, by the rules of MLflow's own client.

The first of these counts: the entry of the host in ~/.netrc (or $NETRC), the user and password of
the URL, MLFLOW_TRACKING_USERNAME with MLFLOW_TRACKING_PASSWORD (each else from the file
~/.mlflow/credentials), MLFLOW_TRACKING_TOKEN. They are read for every request, so a password that
is replaced in a file is used by the next one.
https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/
"""

from __future__ import annotations

import configparser
import netrc
import os
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from registry.client.address import Address
from registry.client.base import MlflowSettingsError

USERNAME, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
TOKEN = "MLFLOW_TRACKING_TOKEN"  # noqa: S105 - a name
WORKSPACE = "MLFLOW_WORKSPACE"
CREDENTIALS_FILE = "~/.mlflow/credentials"
_SIGNERS = ("MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4")
_OFF = frozenset({"", "0", "false"})


@dataclass(frozen=True, slots=True)
class Login:
    """A login at MLflow.

    Attributes:
        source: setting or file that the login comes from.
        header: value of the header `Authorization`.
    """

    source: str
    header: str = field(repr=False)


def find_login(address: Address) -> Login | None:
    """Return the login at a server, or None if no setting has one.

    Raises:
        MlflowSettingsError: a setting cannot be used.
    """
    _refuse_signers()
    if entry := _netrc_entry(address.uri):
        return Login("the netrc file", _basic(*entry))
    if address.login:
        return Login("MLFLOW_TRACKING_URI", _basic(*address.login))
    file_user, file_password = _credentials_file()
    user = os.environ.get(USERNAME) or file_user
    password = os.environ.get(PASSWORD) or file_password
    if user and password:
        source = USERNAME if os.environ.get(USERNAME) else CREDENTIALS_FILE
        return Login(source, _basic(user, password))
    if token := os.environ.get(TOKEN):
        if not (token.isascii() and token.isprintable()) or token != token.strip():
            raise MlflowSettingsError(
                f"{TOKEN} has a line break, a space at an end or a character that is not ASCII; "
                "set it to the token alone."
            )
        return Login(TOKEN, f"Bearer {token}")
    return None


class MlflowAuth(httpx.Auth):
    """Adds the login and the workspace of the environment to each request to a server.

    Args:
        address: address of the server.
    """

    def __init__(self, address: Address) -> None:
        self._address = address

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        """Yield the request with its headers."""
        if login := find_login(self._address):
            request.headers["Authorization"] = login.header
        if workspace := os.environ.get(WORKSPACE, "").strip():
            request.headers["X-MLFLOW-WORKSPACE"] = workspace
        yield request


def _refuse_signers() -> None:
    for variable in _SIGNERS:
        if os.environ.get(variable, "").lower() not in _OFF:
            raise MlflowSettingsError(
                f"{variable} is set, which only MLflow's own client can use; unset it, and set "
                f"{USERNAME} and {PASSWORD}, or {TOKEN}."
            )


def _netrc_entry(url: str) -> tuple[str, str] | None:
    named = os.environ.get("NETRC")
    paths = [Path(named)] if named else [Path("~/.netrc"), Path("~/_netrc")]
    for path in paths:
        # As in requests: a file that cannot be read or parsed counts as absent.
        with suppress(OSError, RuntimeError, netrc.NetrcParseError, UnicodeDecodeError):
            expanded = path.expanduser()
            if not expanded.exists():
                continue
            entry = netrc.netrc(expanded).authenticators(urlsplit(url).hostname or "")
            return (entry[0] or entry[1] or "", entry[2] or "") if entry and any(entry) else None
    return None


def _credentials_file() -> tuple[str | None, str | None]:
    try:
        path = Path(CREDENTIALS_FILE).expanduser()
        if not path.exists():
            return None, None
        parser = configparser.ConfigParser()
        parser.read(path)
        if "mlflow" not in parser:
            return None, None
        section = parser["mlflow"]
        return section.get(USERNAME.lower()), section.get(PASSWORD.lower())
    except (configparser.Error, UnicodeDecodeError, OSError, RuntimeError):
        # The error would quote the line.
        raise MlflowSettingsError(
            f"{CREDENTIALS_FILE} cannot be read: it needs a section [mlflow] with "
            f"{USERNAME.lower()} and {PASSWORD.lower()}, and a % in a value is written %%."
        ) from None


def _basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")
