"""Register a model version; its alias moves only after everything else has succeeded."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from registry.names import CANDIDATE
from registry.publish.artifacts import log_model
from registry.publish.tracking import Card, Run
from scoring.prediction import ModelVersion


@contextmanager
def registering(
    run: Run,
    directory: Path,
    name: str,
    *,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
    card: Callable[[ModelVersion], Card] | None = None,
) -> Iterator[ModelVersion]:
    """Log a FraudModel directory, register it, and alias it `candidate` when the block succeeds.

    An exception inside the block, Ctrl-C included, removes the version again.

    Args:
        run: open run.
        directory: directory of the model's five files.
        name: registered model; created if it does not exist.
        tags: tags of the version.
        metrics: metrics of the logged model.
        card: function that makes the version's card. The card is logged in the artefacts of run and
            version as `model_card.md` and `model_card.html`; its short form becomes the version's
            description.
    """
    created_model = False
    version: ModelVersion | None = None
    try:
        logged = log_model(directory)
        mlflow.log_metrics(dict(metrics), run_id=run.id, model_id=logged.model_id)
        created_model = _ensure_registered_model(run.client, name)
        created = run.client.create_model_version(
            name, logged.model_uri, run.id, tags=dict(tags), model_id=logged.model_id
        )
        version = ModelVersion(name, int(created.version))
        if card is not None:
            _attach(run, version, logged.model_id, card(version))
        yield version
        run.client.set_registered_model_alias(name, CANDIDATE, str(version.version))
    except BaseException:
        with suppress(Exception):
            if version is not None:
                run.client.delete_model_version(name, str(version.version))
        with suppress(Exception):
            if created_model:
                run.client.delete_registered_model(name)
        raise


def _attach(run: Run, version: ModelVersion, model_id: str, card: Card) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in (("model_card.md", card.markdown), ("model_card.html", card.html)):
            path = Path(scratch) / name
            path.write_text(text, "utf-8")
            run.client.log_artifact(run.id, path)
            run.client.log_model_artifact(model_id, str(path))
    run.client.update_model_version(version.name, str(version.version), card.description)


def _ensure_registered_model(client: MlflowClient, name: str) -> bool:
    """Create a registered model if it does not exist; return whether it was created."""
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return False
    return True
