"""Models that this process has logged to an MLflow: a further version of one takes a few requests.

Logging a model takes most of the 0.6 s of CPU of a version: MLflow packs it, loads it and tries its
example. A version of a logged model still has a run, a number and aliases of its own. Without a
server, MLflow would look for the model at its module-wide address, so each version is logged there.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from registry.names import CANDIDATE

_LOGGED: dict[tuple[str, str], tuple[str, str]] = {}
"""Source (`models:/<id>`) and experiment of each model, by tracking URI and digest of its files."""


def digest_of(folder: Path) -> str:
    """Digest of the names and contents of a model's files."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(f"{path.name} {path.stat().st_size} ".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def remember(client: MlflowClient, digest: str, name: str, number: int) -> None:
    """Take further versions of a model from this one, whose files stay as they were logged."""
    if not client.tracking_uri.startswith("http"):
        return
    version = client.get_model_version(name, str(number))
    experiment_id = client.get_run(version.run_id).info.experiment_id
    _LOGGED[client.tracking_uri, digest] = version.source, experiment_id


def register_again(client: MlflowClient, digest: str, name: str) -> int | None:
    """Register a version of a logged model, aliased `candidate`; None where none is logged."""
    found = _LOGGED.get((client.tracking_uri, digest))
    if found is None:
        return None
    source, experiment_id = found
    run = client.create_run(experiment_id, run_name=name)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    version = client.create_model_version(
        name, source, run.info.run_id, model_id=source.removeprefix("models:/")
    )
    client.set_registered_model_alias(name, CANDIDATE, version.version)
    client.set_terminated(run.info.run_id)
    return int(version.version)
