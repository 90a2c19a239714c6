"""HTTP clients for an MLflow server, with the login, TLS and proxies of MLflow's own client."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from registry.client.address import Address
from registry.client.base import MlflowSettingsError, RegistryUnavailable
from registry.client.login import PASSWORD, TOKEN, USERNAME, MlflowAuth, find_login
from registry.client.proxies import proxy_for
from registry.client.tls import SERVER_CERT, tls_context
from scoring.redaction import redacted, shown_url

TIMEOUT_S = 5.0


def check_settings(address: Address) -> None:
    """Check the settings of the environment for requests to a server, without a request.

    Raises:
        MlflowSettingsError: a setting cannot be used.
    """
    find_login(address)
    open_client(address, tls_context()).close()


def open_client(address: Address, tls: ssl.SSLContext) -> httpx.Client:
    """Return a client of a server, for one thread.

    Args:
        address: address of the server, which is the base URL of the client.
        tls: result of `tls_context`; clients may share it.

    Raises:
        MlflowSettingsError: the proxy of the environment cannot be used.
    """
    proxy = proxy_for(address.uri)
    redirects = os.environ.get("MLFLOW_ALLOW_HTTP_REDIRECTS", "true").lower() in {"true", "1"}
    try:
        return httpx.Client(
            base_url=address.uri,
            auth=MlflowAuth(address),
            verify=tls,
            proxy=proxy,
            timeout=TIMEOUT_S,
            follow_redirects=redirects,
            # The rules of httpx for proxies and certificates differ from those of MLflow's client.
            trust_env=False,
        )
    except (httpx.InvalidURL, ValueError, ImportError) as error:
        raise MlflowSettingsError(
            f"The proxy {shown_url(proxy or '')} for {address.shown} cannot be used; set "
            "HTTP_PROXY or HTTPS_PROXY to an http:// URL, or exclude the host by NO_PROXY."
        ) from error


@contextmanager
def translate_errors(address: Address) -> Iterator[None]:
    """Translate httpx's errors and replies of an unknown shape into RegistryUnavailable."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise RegistryUnavailable(_status(address, error)) from error
    except httpx.ProxyError as error:
        proxy = shown_url(proxy_for(address.uri) or "")
        raise RegistryUnavailable(
            f"The proxy {proxy} does not connect to MLflow at {address.shown}: {_text(error)}"
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise RegistryUnavailable(_no_reply(address, error)) from error
    except MlflowSettingsError as error:
        raise RegistryUnavailable(str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RegistryUnavailable(f"MLflow's reply has an unknown shape: {_text(error)}") from error


def _status(address: Address, error: httpx.HTTPStatusError) -> str:
    status = error.response.status_code
    if status not in {401, 403}:
        return f"MLflow returned status {status} for {error.request.url.path}"
    login = find_login(address)
    sent = f"the login of {login.source}" if login else "a request without a login"
    return (
        f"MLflow at {address.shown} refuses {sent} (status {status}); set {USERNAME} and "
        f"{PASSWORD}, or {TOKEN}, to a login that may read and write there"
    )


def _no_reply(address: Address, error: Exception) -> str:
    text = _text(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        reason = text.partition("certificate verify failed: ")[2] or text
        return (
            f"The certificate of MLflow at {address.shown} is not trusted ({reason}); set "
            f"{SERVER_CERT} to the file of its CA"
        )
    return f"MLflow did not respond at {address.shown}: {text}"


def _text(error: Exception) -> str:
    return redacted(str(error)) or type(error).__name__
