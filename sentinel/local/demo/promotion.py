"""Put the version that the demo has trained into production."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx

from registry.client.base import RegisteredVersion
from registry.client.rest_client import RestClient
from registry.names import (
    CANDIDATE,
    PRODUCTION,
    PROMOTED_AT_TAG,
    PROMOTED_BY_TAG,
    PROMOTED_VIA_TAG,
)
from sentinel.command_actor import os_user
from sentinel.local.demo.errors import DemoError
from sentinel.local.mlflow_server import MlflowServer
from sentinel.local.terminal import console

COMMAND = "sentinel demo"


def promote(registry: RestClient, mlflow: MlflowServer, name: str) -> RegisteredVersion:
    """Put the trained version under `production`; its tags name the user for the audit log.

    Without MLflow's own client, whose import takes seconds.

    Args:
        registry: client of the demo's MLflow.
        mlflow: the demo's MLflow.
        name: registered model whose candidate is promoted.

    Raises:
        DemoError: there is no candidate.
    """
    trained = registry.resolve(name, CANDIDATE)
    if trained is None:
        raise DemoError(f"The training left no version of {name} under {CANDIDATE}.")
    tags = {
        PROMOTED_BY_TAG: os_user(),
        PROMOTED_VIA_TAG: COMMAND,
        PROMOTED_AT_TAG: datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    for key, value in tags.items():
        registry.tag(trained, key, value)
    alias = {"name": name, "alias": PRODUCTION, "version": str(trained.version)}
    url = f"{mlflow.url}/api/2.0/mlflow/registered-models/alias"
    login = (mlflow.login.user, mlflow.login.password)
    reply = httpx.post(url, json=alias, auth=login, timeout=30, trust_env=False)
    reply.raise_for_status()
    console.print(f"Promoted {name} version {trained.version} to {PRODUCTION}.")
    return trained
