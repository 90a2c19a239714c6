"""Read the inputs of a comparison: Postgres, the registry, labelled files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory

from sqlalchemy import Engine

from persistence.engine import OPERATOR_TIMEOUT_S, open_database
from persistence.event_types import current_event_type
from persistence.labels.reader import read_matured_pairs
from persistence.policies import current_policy
from persistence.tenants import Tenant, find_tenant
from registry.client.base import RegisteredVersion, RegistryReader
from registry.client.factory import open_registry
from registry.names import CANDIDATE, CHALLENGER, MODEL_PATH, PRODUCTION
from registry.publish.tracking import Tracking
from registry.store.disk_cache import MAX_FILE_BYTES
from registry.store.model_store import ModelStore
from scoring.errors import ModelRefused
from scoring.event_type.fields import EventType
from scoring.model.fraud_model import FraudModel
from scoring.prediction import ModelVersion
from scoring.transaction import PAYSIM
from sentinel.home import MLFLOW_DATABASE
from sentinel.local.database_url import database_url
from sentinel.sentences import shown
from sentinel.settings import Settings
from training.comparison.evidence import Evidence, from_models, from_pairs
from training.comparison.lineage import note_on_another_file, unseen_from
from training.data.labelled_events import LabelledEvents
from training.data.loading import note_ignored
from training.data.maturity_window import Window
from training.errors import NoEvidence, TrainingError
from training.event_types.training_data import read_labelled
from training.progress import Reporter
from training.tracking.new_model import hint_on_missing_model, warn_of_new_model

MAX_ROWS = 500_000
"""Most decisions that are read, the newest; reading them takes about 200 MB."""


@dataclass(frozen=True, slots=True)
class Store:
    """An open Postgres and a tenant in it.

    Attributes:
        engine: engine of the installation's Postgres.
        tenant: tenant whose decisions are read.
    """

    engine: Engine
    tenant: Tenant

    def misfit(self, model: FraudModel) -> str | None:
        """Return why the tenant's events cannot be scored by a model; None where they can."""
        stored = current_event_type(self.engine, self.tenant.id)
        return model.features.misfit(stored.event_type if stored else PAYSIM)


@dataclass(frozen=True, slots=True)
class Sources:
    """MLflow, Postgres and labelled files, as the settings configure them.

    Attributes:
        settings: settings of the command.
        tracking: MLflow client for runs.
        registry: reader of the model registry.
        model_store: cache that verifies model versions and loads them.
        reporter: display of the stages.
    """

    settings: Settings
    tracking: Tracking
    registry: RegistryReader
    model_store: ModelStore
    reporter: Reporter

    def under(self, tenant: str, name: str, alias: str) -> RegisteredVersion:
        """Return the version under an alias.

        Args:
            tenant: the tenant's slug.
            name: registered model of the tenant.
            alias: alias of the version.

        Raises:
            TrainingError: no version has the alias; the message ends with what to do.
        """
        version = self.registry.resolve(name, alias)
        if version is None:
            hint = hint_on_missing_model(self.tracking, name) or self._how_to_give(
                tenant, name, alias
            )
            raise TrainingError(f"{name} has no version under the alias {alias}. {hint}".rstrip())
        return version

    def _how_to_give(self, tenant: str, name: str, alias: str) -> str:
        """Return a sentence on how a version of a registered model gets an alias."""
        if alias == CANDIDATE:
            return (
                f"`python -m training train --tenant {tenant}` gives it to the version that it "
                "registers."
            )
        newest = f"`python -m training promote --tenant {tenant} --alias {CANDIDATE}"
        if self.registry.resolve(name, PRODUCTION) is None:
            return f"{newest}` puts the newest version into production."
        return (
            f"{newest} --data FILE` compares the newest version with the one in production on a "
            f"labelled file; or give a version the alias `{CHALLENGER}` in MLflow, so that it "
            "scores in shadow."
        )

    def verified(self, version: RegisteredVersion) -> FraudModel:
        """Load a version with the service's checks: signature, files, golden rows.

        Raises:
            TrainingError: a check fails; the message gives the reason.
        """
        with self.reporter.stage(f"Verify version {version.version}"):
            try:
                return self.model_store.load(version)
            except ModelRefused as error:
                raise TrainingError(
                    f"{version.name} version {version.version} fails the service's checks: "
                    f"{error.detail}"
                ) from error

    def _champion(self, version: RegisteredVersion) -> FraudModel:
        """Load the version that others are compared with.

        Raises:
            NoEvidence: a check fails; `promote --force` can still replace the version.
        """
        try:
            return self.verified(version)
        except TrainingError as error:
            raise NoEvidence(str(error)) from error

    def booster(self, version: RegisteredVersion) -> bytes:
        """Return the bytes of a registered version's booster.txt."""
        with TemporaryDirectory() as scratch:
            path = Path(scratch) / "booster.txt"
            self.registry.download(version, f"{MODEL_PATH}/{path.name}", path, MAX_FILE_BYTES)
            return path.read_bytes()

    @contextmanager
    def store(self, slug: str) -> Iterator[Store]:
        """Open the installation's Postgres until the block ends.

        Raises:
            SentinelError: the tenant does not exist, or Postgres is unreachable.
        """
        with database_url(self.settings) as url:
            engine = open_database(url, pool_size=1, statement_timeout_s=OPERATOR_TIMEOUT_S)
            try:
                yield Store(engine, find_tenant(engine, slug))
            finally:
                engine.dispose()

    def shadow_evidence(
        self,
        store: Store,
        champion: RegisteredVersion,
        challenger: RegisteredVersion,
        window: Window,
    ) -> Evidence:
        """Read the decisions of both versions on stored, matured transactions.

        Raises:
            NoEvidence: there are too few frauds among them, or the champion fails a check.
        """
        own = self._champion(champion).policy.cost_model
        with self.reporter.stage("Read matured decisions"):
            first, second = (ModelVersion(v.name, v.version) for v in (champion, challenger))
            policy = current_policy(store.engine, store.tenant.id)
            pairs = read_matured_pairs(
                store.engine,
                store.tenant.id,
                first,
                second,
                maturity_days=window.maturity_days,
                window_days=window.window_days,
                limit=MAX_ROWS,
                as_of=window.end(),
            )
        costs = policy.policy.cost_model if policy and policy.policy else own
        return from_pairs(pairs, window, first, second, costs)

    def file_evidence(
        self,
        path: Path,
        champion: RegisteredVersion,
        challenger: RegisteredVersion,
        from_step: int | None = None,
        until_step: int | None = None,
    ) -> Evidence:
        """Return the decisions of both versions on a file, without the hours they were trained on.

        Raises:
            TrainingError: the file is invalid, or the challenger fails a check.
            NoEvidence: the file has too few frauds, or the champion fails a check.
        """
        models = self._champion(champion), self.verified(challenger)
        wanted, other = (model.features.event_type for model in models)
        if wanted != other:
            raise NoEvidence(
                f"Version {champion.version} was trained on another event type than version "
                f"{challenger.version}.",
                "A file has the fields of one; stored decisions compare them, without --data, "
                "where the event type in force has those of both.",
            )
        data = self.labelled(path, wanted)
        from_step = self.unseen((champion, challenger), data, "test", from_step)
        with self.reporter.stage("Score with both versions"):
            return from_models(*models, data, from_step, until_step)

    def labelled(self, path: Path, event_type: EventType) -> LabelledEvents:
        """Read a labelled file.

        Args:
            path: CSV or Parquet file.
            event_type: event type of the version that scores it.

        Raises:
            TrainingError: the file is invalid; the message names the column or the row.
        """
        with self.reporter.stage(f"Read {shown(path.name)}"):
            data = read_labelled(path, event_type)
        note_ignored(data, self.reporter)
        return data

    def unseen(
        self,
        versions: Sequence[RegisteredVersion],
        data: LabelledEvents,
        part: str,
        from_step: int | None,
    ) -> int | None:
        """Return from_step, moved past the hours the versions were trained on; report the move.

        Report too which versions were made from another file: its rows are not recognised.
        """
        others = []
        for version in versions:
            first = unseen_from(self.tracking, version, data.fingerprint, part)
            if first is None:
                others.append(version.version)
            elif from_step is None or from_step < first:
                rows = data.rows_of_hours(first, None)
                begin = data.scale.place(rows.start) if rows.start < rows.stop else "its end"
                self.reporter.note(
                    f"Version {version.version} was made from {data.source}; only what is from "
                    f"{begin} on, which the version was not trained on, is used."
                )
                from_step = first
        if others:
            self.reporter.note(note_on_another_file(data.source, others))
        return from_step


def connect(settings: Settings, reporter: Reporter) -> Tracking:
    """Connect to the MLflow that the settings name.

    Raises:
        PublishError: MLflow does not answer.
    """
    settings.create_home()
    with reporter.stage("Connect to MLflow"):
        tracking = Tracking(settings.tracking_uri, settings.artifact_root)
    note = note_on_local_mlflow(settings)
    if note is not None:
        reporter.note(note)
    return tracking


def note_on_local_mlflow(settings: Settings) -> str | None:
    """Return a sentence that no MLflow server is set, or None where MLFLOW_TRACKING_URI is set."""
    if (settings.mlflow_tracking_uri or "").strip():
        return None
    database, demo = settings.home / MLFLOW_DATABASE, settings.home / "demo.env"
    note = f"MLFLOW_TRACKING_URI is not set: runs and models go to {shown(database)}"
    if not (settings.home_path / demo.name).exists():
        return f"{note}."
    return f"{note}; to use the demo's server: set -a; . {shown(quote(str(demo)))}; set +a"


def connect_to_train(
    settings: Settings, tenant: str, data: Path | None, reporter: Reporter
) -> Tracking:
    """Connect to MLflow; report simulated data first, and warn if the model is new.

    Raises:
        PublishError: MLflow does not answer.
    """
    if data is None:
        reporter.note("No --data: this trains on simulated payments.")
    tracking = connect(settings, reporter)
    warn_of_new_model(tracking, tenant, reporter)
    return tracking


def open_sources(reporter: Reporter) -> Sources:
    """Connect to the MLflow that the settings name, and open its registry.

    Raises:
        PublishError: MLflow does not answer.
        TrackingUriError: MLFLOW_TRACKING_URI is neither a server's URI nor a database's.
    """
    settings = Settings()
    tracking = connect(settings, reporter)
    registry = open_registry(settings.tracking_uri)
    return Sources(
        settings, tracking, registry, ModelStore(registry, settings.model_cache), reporter
    )
