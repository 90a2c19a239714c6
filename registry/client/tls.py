"""The TLS context for requests to MLflow, by the variables of MLflow's own client."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import certifi

from registry.client.base import MlflowSettingsError

INSECURE = "MLFLOW_TRACKING_INSECURE_TLS"
SERVER_CERT = "MLFLOW_TRACKING_SERVER_CERT_PATH"
CLIENT_CERT = "MLFLOW_TRACKING_CLIENT_CERT_PATH"
# The first two are those of requests, the others those of OpenSSL.
_CA_VARIABLES = (
    SERVER_CERT,
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
_TRUTH = {"true": True, "1": True, "false": False, "0": False, "": False}


def tls_context() -> ssl.SSLContext:
    """Return the context that the environment describes.

    Raises:
        MlflowSettingsError: a variable is not valid, or its file is missing or no certificate.
    """
    insecure = os.environ.get(INSECURE, "")
    if insecure.lower() not in _TRUTH:
        raise MlflowSettingsError(f"{INSECURE} is {insecure!r}; set it to true or false.")
    if _TRUTH[insecure.lower()]:
        if os.environ.get(SERVER_CERT):
            raise MlflowSettingsError(
                f"{INSECURE} and {SERVER_CERT} are both set; unset one of them."
            )
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context = _verifying()
    if client := os.environ.get(CLIENT_CERT):
        try:
            # Without a password OpenSSL would ask for one on the terminal.
            context.load_cert_chain(client, password="")
        except OSError as error:
            raise MlflowSettingsError(
                f"{CLIENT_CERT} is {client}, which is no PEM file with a certificate and its "
                f"unencrypted key: {_reason(error)}."
            ) from error
    return context


def _verifying() -> ssl.SSLContext:
    for variable in _CA_VARIABLES:
        if not (path := os.environ.get(variable)):
            continue
        try:
            if Path(path).is_dir():
                return ssl.create_default_context(capath=path)
            return ssl.create_default_context(cafile=path)
        except OSError as error:
            raise MlflowSettingsError(
                f"{variable} is {path}, which is no file of certificates: {_reason(error)}."
            ) from error
    return ssl.create_default_context(cafile=certifi.where())


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
