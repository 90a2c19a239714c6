"""Training's side of MLflow: runs with figures and pictures, and a registered model version.

Nothing is left half-done: the alias `candidate` moves only when everything else has succeeded;
after a failure or an interruption the run is marked failed and its version is gone.
"""

from __future__ import annotations

import json
import logging
import os
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import httpx
import mlflow
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException

import scoring
from registry.names import CANDIDATE, MODEL_PATH
from registry.signature import EXAMPLE, SIGNATURE
from scoring.prediction import ModelVersion

_PYFUNC = Path(__file__).with_name("pyfunc_model.py")
_SERVING_PACKAGES = ("lightgbm", "numpy", "pandas", "scipy")


class PublishError(Exception):
    """MLflow cannot be reached or refuses; the message is a sentence for whoever trains."""


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

    def log_series(self, name: str, values: Sequence[float]) -> None:
        """Log one figure's course, from step 1."""
        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for step, value in enumerate(values, start=1)]
        self.client.log_batch(self.id, metrics=metrics)

    def log_picture(self, file_name: str, figure: object) -> None:
        """Log a matplotlib figure."""
        self.client.log_figure(self.id, figure, f"plots/{file_name}")

    def log_json(self, path: str, value: Mapping[str, Any]) -> None:
        """Log a JSON file."""
        self.client.log_text(self.id, json.dumps(value, indent=1) + "\n", path)

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
        with _refusals(self._uri):
            self.client = MlflowClient(self._uri)
            self.client.search_experiments(max_results=1)
        mlflow.set_tracking_uri(self._uri)

    @contextmanager
    def run(self, experiment: str, name: str, tags: Mapping[str, str]) -> Iterator[Run]:
        """Open a run; leaving the block finishes it, an exception marks it failed.

        Raises:
            PublishError: MLflow refuses anything asked of it inside the block.
        """
        with _refusals(self._uri):
            experiment_id = self._experiment_id(experiment)
            with mlflow.start_run(
                experiment_id=experiment_id, run_name=name, tags=dict(tags)
            ) as run:
                yield Run(run.info.run_id, experiment_id, self.client)

    def url(self, run: Run) -> str | None:
        """Return the run's page, or None where no server shows one."""
        if not self._is_server:
            return None
        return f"{self._uri}/#/experiments/{run.experiment_id}/runs/{run.id}"

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


@contextmanager
def registering(
    run: Run,
    directory: Path,
    name: str,
    *,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
) -> Iterator[ModelVersion]:
    """Log a FraudModel directory, register it, and alias it `candidate` as the block ends well.

    Anything raised inside, Ctrl-C included, removes the version again.

    Args:
        run: the open run.
        directory: the model's five files.
        name: registered model; made when it is not there.
        tags: for the version's page. metrics: figures of the logged model.
    """
    made_model = False
    version: ModelVersion | None = None
    try:
        logged = _log_model(directory)
        mlflow.log_metrics(dict(metrics), run_id=run.id, model_id=logged.model_id)
        made_model = _ensure_registered_model(run.client, name)
        created = run.client.create_model_version(
            name, logged.model_uri, run.id, tags=dict(tags), model_id=logged.model_id
        )
        version = ModelVersion(name, int(created.version))
        yield version
        run.client.set_registered_model_alias(name, CANDIDATE, str(version.version))
    except BaseException:
        with suppress(Exception):
            if version is not None:
                run.client.delete_model_version(name, str(version.version))
        with suppress(Exception):
            if made_model:
                run.client.delete_registered_model(name)
        raise


def _log_model(directory: Path) -> Any:  # noqa: ANN401 - MLflow has no types
    # MLflow names an artefact by its directory: artifacts/<last part of the path>.
    if directory.name != Path(MODEL_PATH).name:
        raise ValueError(f"the model's directory must be called {Path(MODEL_PATH).name}")
    return mlflow.pyfunc.log_model(
        name="model",
        python_model=str(_PYFUNC),
        artifacts={"model": str(directory)},
        code_paths=[str(Path(scoring.__file__).parent)],
        # Named, because inferring them starts a fresh interpreter and takes half a minute.
        pip_requirements=[f"{name}=={installed_version(name)}" for name in _SERVING_PACKAGES],
        signature=SIGNATURE,
        input_example=EXAMPLE,
    )


def _ensure_registered_model(client: MlflowClient, name: str) -> bool:
    """Return whether it had to be made."""
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return False
    return True


def _demand_health(uri: str) -> None:
    try:
        httpx.get(f"{uri}/health", timeout=5).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PublishError(
            f"MLflow does not answer at {uri} ({error}). Start it, or unset MLFLOW_TRACKING_URI to "
            "use a local database."
        ) from error


@contextmanager
def _refusals(uri: str) -> Iterator[None]:
    try:
        yield
    except MlflowException as error:
        reason = str(error).strip().splitlines()[0][:300].rstrip(".")
        raise PublishError(f"MLflow at {uri} refused: {reason}.") from error


def _quieten() -> None:
    """Keep MLflow's hints off the terminal, and its patience with a dead server short."""
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
    for logger in ("mlflow", "alembic", "git"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="mlflow")
