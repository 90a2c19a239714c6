"""MLflow runs: open one, log to it, end it with its true status."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import mlflow
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException

from registry.client.mlflow_errors import translate_errors
from scoring.errors import CommandError
from scoring.prediction import ModelVersion

MAX_DESCRIPTION = 5000
"""What MLflow's column of a version's description holds."""


class PublishError(CommandError):
    """MLflow cannot be reached, or refuses what training logs or registers."""


@dataclass(frozen=True, slots=True)
class Card:
    """A model card.

    Attributes:
        markdown: the facts in words and tables.
        html: the same with the pictures, a page that needs no other file.
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
        """Log parameters and figures."""
        mlflow.log_params(dict(params or {}), run_id=self.id)
        mlflow.log_metrics(dict(metrics or {}), run_id=self.id)

    def tag(self, key: str, value: str) -> None:
        """Set a tag of the run."""
        self.client.set_tag(self.id, key, value)

    def log_later(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """Log newer figures of a run below this one that has ended, unless it has been deleted."""
        if _is_active(self.client, run_id, self.experiment_id):
            for name, value in metrics.items():
                self.client.log_metric(run_id, name, value, step=1)

    def end(self, run_id: str, status: str) -> None:
        """Say that a run below this one is FINISHED, FAILED or KILLED, unless it is deleted."""
        if _is_active(self.client, run_id, self.experiment_id):
            self.client.set_terminated(run_id, status)

    def log_series(self, name: str, values: Sequence[float]) -> None:
        """Log one figure's course, from step 1."""
        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for step, value in enumerate(values, start=1)]
        self.client.log_batch(self.id, metrics=metrics)

    def log_picture(self, file_name: str, figure: Any) -> bytes:  # noqa: ANN401 - matplotlib's
        """Log a matplotlib figure; return it as the PNG file that was logged."""
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
        """Name the transactions that went in, without sending them.

        Args:
            name: for people. digest: at most 36 characters. facts: what identifies their origin.
        """
        dataset = MetaDataset(CodeDatasetSource(dict(facts)), name=name, digest=digest)
        mlflow.log_input(dataset, context="training")

    @contextmanager
    def nested(self, name: str) -> Iterator[Run]:
        """Open a run below this one, which has to be open."""
        with mlflow.start_run(experiment_id=self.experiment_id, run_name=name, nested=True) as run:
            yield Run(run.info.run_id, self.experiment_id, self.client)


class Tracking:
    """An MLflow that answered."""

    def __init__(self, tracking_uri: str, artifact_root: Path) -> None:
        """Connect.

        Args:
            tracking_uri: `http(s)://...` or a database URI.
            artifact_root: where artefacts go when MLflow is a database without a server.

        Raises:
            PublishError: nobody answers there.
        """
        _quieten()
        self._uri = tracking_uri.rstrip("/")
        self._is_server = self._uri.startswith(("http://", "https://"))
        self._artifact_root = artifact_root
        if self._is_server:
            _demand_health(self._uri)
        with self.translate_errors():
            self.client = MlflowClient(self._uri)
            self.client.search_experiments(max_results=1)
        mlflow.set_tracking_uri(self._uri)

    @contextmanager
    def run(
        self, experiment: str, name: str, tags: Mapping[str, str], again: str | None = None
    ) -> Iterator[Run]:
        """Open a run; leaving the block finishes it, an exception marks it failed.

        Args:
            experiment: made when it is not there.
            name: for people. tags: for the run's page.
            again: id of a run of this experiment to go on with, unless it has been deleted.

        Raises:
            PublishError: MLflow refuses anything asked of it inside the block.
        """
        with self.translate_errors():
            experiment_id = self._experiment_id(experiment)
            known = again is not None and _is_active(self.client, again, experiment_id)
            with mlflow.start_run(
                again if known else None,
                experiment_id=experiment_id,
                run_name=name,
                tags=dict(tags),
            ) as run:
                yield Run(run.info.run_id, experiment_id, self.client)

    def translate_errors(self) -> AbstractContextManager[None]:
        """Translate MLflow's refusals into PublishError until the block ends."""
        return translate_errors(lambda r: PublishError(f"MLflow at {self._uri} refused: {r}."))

    def url(self, run: Run) -> str | None:
        """Return the run's page, or None where no server shows one."""
        if not self._is_server:
            return None
        return f"{self._uri}/#/experiments/{run.experiment_id}/runs/{run.id}"

    def version_url(self, version: ModelVersion) -> str | None:
        """Return the version's page, or None where no server shows one."""
        if not self._is_server:
            return None
        return f"{self._uri}/#/models/{version.name}/versions/{version.version}"

    def _experiment_id(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is None:
            place = None if self._is_server else str((self._artifact_root / name).absolute())
            return str(self.client.create_experiment(name, artifact_location=place))
        if found.lifecycle_stage != "active":
            raise PublishError(
                f"The MLflow experiment {name} is deleted; restore it, or remove it for good with "
                "`mlflow gc`."
            )
        return str(found.experiment_id)


def _is_active(client: MlflowClient, run_id: str, experiment_id: str) -> bool:
    try:
        info = client.get_run(run_id).info
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    return bool(info.lifecycle_stage == "active" and info.experiment_id == experiment_id)


def _demand_health(uri: str) -> None:
    try:
        httpx.get(f"{uri}/health", timeout=5).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PublishError(
            f"MLflow does not answer at {uri} ({error}). Start it, or unset MLFLOW_TRACKING_URI to "
            "use a local database."
        ) from error


def _quieten() -> None:
    """Keep MLflow's hints off the terminal, and its timeout with a dead server short."""
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    for logger in ("mlflow", "alembic", "git"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="mlflow")
