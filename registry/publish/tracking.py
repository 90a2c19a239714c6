"""Open MLflow runs, log to them, and end them with their status."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import mlflow
from httpx import HTTPStatusError
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException

from registry.client.address import Address, parse_address
from registry.client.base import RegistryUnavailable
from registry.client.http import open_client
from registry.client.http import translate_errors as translate_http_errors
from registry.client.mlflow_errors import translate_errors
from registry.client.tls import tls_context
from registry.publish import mlflow_client
from scoring.errors import CommandError
from scoring.prediction import ModelVersion

MAX_DESCRIPTION = 5000
"""Characters that MLflow's column for a version's description holds."""

NOT_THE_MODEL = "(not the model)"
"""End of the name of every nested run: it is a step, a comparison or a trial of its parent."""
_EXPERIMENT_KIND = "mlflow.experimentKind"
"""Tag by which MLflow's pages show an experiment as machine learning or as generative AI; the value
is in MLflow's web pages only (ExperimentKind.CUSTOM_MODEL_DEVELOPMENT)."""
_MACHINE_LEARNING = "custom_model_development"
_AS_MODEL_TRAINING = "?workflowType=machine_learning"
"""Query by which the pages of MLflow 3.17 open under *Model training*. Without it they open under
*GenAI* until a person changes the switch, whatever the experiment's tag says."""

_CHECKED: tuple[tuple[str, dict[str, int]], ...] = (
    ("/health", {}),
    ("/api/2.0/mlflow/experiments/search", {"max_results": 1}),
)
"""Paths and parameters of the requests that check a server: the first needs no login, the second
needs one."""


class PublishError(CommandError):
    """MLflow cannot be reached, or refuses what training logs or registers."""


@dataclass(frozen=True, slots=True)
class Card:
    """A model card.

    Attributes:
        markdown: text and tables of the card.
        html: the same with pictures, as one file.
        description: Markdown for the version's page, at most MAX_DESCRIPTION characters.
    """

    markdown: str
    html: str
    description: str


@dataclass(frozen=True, slots=True)
class Run:
    """An open MLflow run."""

    id: str
    experiment_id: str
    client: MlflowClient

    def log(
        self,
        params: Mapping[str, object] | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Log parameters and metrics."""
        mlflow.log_params(dict(params or {}), run_id=self.id)
        mlflow.log_metrics(dict(metrics or {}), run_id=self.id)

    def tag(self, key: str, value: str) -> None:
        """Set a tag of the run."""
        self.client.set_tag(self.id, key, value)

    def log_later(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """Log newer metrics of an ended run nested in this one, unless it has been deleted."""
        if _is_active(self.client, run_id, self.experiment_id):
            for name, value in metrics.items():
                self.client.log_metric(run_id, name, value, step=1)

    def end(self, run_id: str, status: str) -> None:
        """Set a nested run's status, FINISHED, FAILED or KILLED, unless the run is deleted."""
        if _is_active(self.client, run_id, self.experiment_id):
            self.client.set_terminated(run_id, status)

    def log_series(self, name: str, values: Sequence[float]) -> None:
        """Log the values of one metric, from step 1."""
        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for step, value in enumerate(values, start=1)]
        self.client.log_batch(self.id, metrics=metrics)

    def log_picture(self, file_name: str, figure: Any) -> bytes:  # noqa: ANN401 - matplotlib's
        """Log a matplotlib figure as PNG; return the bytes of the file."""
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / file_name
            figure.savefig(path)
            self.client.log_artifact(self.id, path, "plots")
            return path.read_bytes()

    def log_text(self, path: str, text: str) -> None:
        """Log a text file."""
        self.client.log_text(self.id, text, path)

    def log_json(self, path: str, value: Mapping[str, Any]) -> None:
        """Log a JSON file."""
        self.log_text(path, json.dumps(value, indent=1) + "\n")

    def log_data(self, name: str, digest: str, facts: Mapping[str, str]) -> None:
        """Log which transactions the run used, without sending them.

        Args:
            name: name of the data set in the MLflow UI.
            digest: digest of the data set, at most 36 characters.
            facts: properties that identify the origin of the data set.
        """
        dataset = MetaDataset(CodeDatasetSource(dict(facts)), name=name, digest=digest)
        mlflow.log_input(dataset, context="training")

    @contextmanager
    def nested(self, name: str) -> Iterator[Run]:
        """Open a run nested in this one, which has to be open.

        MLflow lists it among the runs, so its name ends with NOT_THE_MODEL.
        """
        with mlflow.start_run(
            experiment_id=self.experiment_id,
            run_name=f"{name} {NOT_THE_MODEL}",
            nested=True,
            tags=mlflow_client.context_tags(),
        ) as run:
            yield Run(run.info.run_id, self.experiment_id, self.client)


class Tracking:
    """A connection to MLflow that has been checked."""

    def __init__(self, tracking_uri: str, artifact_root: Path) -> None:
        """Connect to MLflow.

        Args:
            tracking_uri: `http(s)://...` or a database URI.
            artifact_root: directory of the artefacts when MLflow is a database without a server.

        Raises:
            PublishError: MLflow does not respond at the URI.
            MlflowSettingsError: the URI or another setting for MLflow cannot be used.
        """
        self._address = parse_address(tracking_uri)
        self._artifact_root = artifact_root
        if self._address.is_server:
            _check_server(self._address)
        mlflow_client.configure(self._address)
        with self.translate_errors():
            self.client = MlflowClient(self._address.uri, registry_uri=self._address.uri)
            self.client.search_experiments(max_results=1)
        mlflow.set_tracking_uri(self._address.uri)

    @contextmanager
    def run(
        self, experiment: str, name: str, tags: Mapping[str, str], resume_id: str | None = None
    ) -> Iterator[Run]:
        """Open a run; the end of the block finishes it, an exception marks it failed.

        Args:
            experiment: name of the experiment; created if it does not exist.
            name: name of the run in the MLflow UI.
            tags: tags of the run.
            resume_id: id of a run of this experiment that is continued unless it has been deleted;
                None: a new run.

        Raises:
            PublishError: MLflow refuses a call inside the block.
        """
        with self.translate_errors():
            experiment_id = self._experiment_id(experiment)
            resumes = resume_id is not None and _is_active(self.client, resume_id, experiment_id)
            with mlflow.start_run(
                resume_id if resumes else None,
                experiment_id=experiment_id,
                run_name=name,
                tags=mlflow_client.context_tags() | dict(tags),
            ) as run:
                yield Run(run.info.run_id, experiment_id, self.client)

    def translate_errors(self) -> AbstractContextManager[None]:
        """Translate MLflow's errors into PublishError until the block ends."""
        shown = self._address.shown
        return translate_errors(lambda r: PublishError(f"MLflow at {shown} refused: {r}."))

    def url(self, run: Run) -> str | None:
        """Return the address of the run's page, or None where MLflow is a database."""
        if not self._address.is_server:
            return None
        path = f"experiments/{run.experiment_id}/runs/{run.id}{_AS_MODEL_TRAINING}"
        return f"{self._address.shown}/#/{path}"

    def version_url(self, version: ModelVersion) -> str | None:
        """Return the address of the version's page, or None where MLflow is a database."""
        if not self._address.is_server:
            return None
        name = quote(version.name, safe="")
        return f"{self._address.shown}/#/models/{name}/versions/{version.version}"

    def _experiment_id(self, name: str) -> str:
        existing = self.client.get_experiment_by_name(name)
        if existing is None:
            # A URI, since MLflow decodes a plain path too: a directory `50%20` would become `50 `.
            location = (
                None
                if self._address.is_server
                else (self._artifact_root / name).absolute().as_uri()
            )
            tags = {_EXPERIMENT_KIND: _MACHINE_LEARNING}
            return str(self.client.create_experiment(name, location, tags))
        if existing.lifecycle_stage != "active":
            raise PublishError(
                f"The MLflow experiment {name} is deleted; restore it, or remove it for good with "
                "`mlflow gc`."
            )
        if _EXPERIMENT_KIND not in existing.tags:
            self.client.set_experiment_tag(
                existing.experiment_id, _EXPERIMENT_KIND, _MACHINE_LEARNING
            )
        return str(existing.experiment_id)


def _is_active(client: MlflowClient, run_id: str, experiment_id: str) -> bool:
    try:
        info = client.get_run(run_id).info
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    return bool(info.lifecycle_stage == "active" and info.experiment_id == experiment_id)


def _check_server(address: Address) -> None:
    try:
        with open_client(address, tls_context()) as client, translate_http_errors(address):
            for path, parameters in _CHECKED:
                reply = client.get(path, params=parameters)
                if reply.status_code == HTTPStatus.NOT_FOUND:
                    raise PublishError(
                        f"{address.shown} is not an MLflow server (status 404 for {path})."
                    )
                reply.raise_for_status()
    except RegistryUnavailable as error:
        cause = error.__cause__
        if isinstance(cause, HTTPStatusError) and cause.response.status_code in {401, 403}:
            raise PublishError(f"{error}.") from error
        raise PublishError(
            f"{error}. Start MLflow, correct its settings, or unset MLFLOW_TRACKING_URI to use a "
            "local database."
        ) from error
