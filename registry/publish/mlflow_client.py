"""Set up MLflow's own client in this process."""

from __future__ import annotations

import logging
import os
import warnings

from mlflow.tracking.context.registry import resolve_tags

from registry.client.address import Address
from registry.client.login import PASSWORD, USERNAME
from registry.client.mlflow_migrations import escape_script_location
from registry.client.proxies import reach_loopback_directly
from scoring.redaction import redacted

IGNORED = (
    *("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"),
    *("MLFLOW_REGISTRY_URI", "MLFLOW_ACTIVE_MODEL_ID", "_MLFLOW_ACTIVE_MODEL_ID"),
    *("MLFLOW_LOG_MODEL_COMPRESSION", "MLFLOW_ENABLE_ASYNC_LOGGING"),
)
"""Variables that would make a command write to another run or model, or in another way."""
_FIXED = {
    # The lock file of the working directory may contain the login of a package index.
    "MLFLOW_LOG_UV_FILES": "false",
}
_DEFAULTS = {
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


def configure(address: Address) -> None:
    """Configure MLflow's client for an address, through the environment of this process.

    Its hints stay off the terminal, its time-out is short, it reaches the loopback interface
    directly, and the variables in IGNORED have no effect.
    """
    escape_script_location()
    for variable in IGNORED:
        os.environ.pop(variable, None)
    os.environ.update(_FIXED)
    for variable, value in _DEFAULTS.items():
        os.environ.setdefault(variable, value)
    if address.is_server:
        reach_loopback_directly(address.uri)
    if address.login:
        os.environ[USERNAME], os.environ[PASSWORD] = address.login
    for logger in ("mlflow", "alembic", "git"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="mlflow")
    # It warns where the checkout's path has a `$`; the commit is read without it.
    warnings.filterwarnings("ignore", module="git")


def context_tags() -> dict[str, str]:
    """Return the tags that MLflow derives from the context and that would contain a login.

    Their values are those without the login. MLflow's tag of the git remote is one of them: the
    URL of a remote often contains a token.
    """
    tags = {key: str(value) for key, value in resolve_tags().items()}
    return {key: redacted(value) for key, value in tags.items() if redacted(value) != value}
