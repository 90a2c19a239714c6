"""Store a search on disk: its trials and their results.

A search is an Optuna study in SQLite and a directory with the model of each completed trial, so
that all finalists can be timed together, also those of earlier calls.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import OptunaError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from scoring.errors import ModelRefused
from scoring.model.fraud_model import FraudModel
from training.errors import TrainingError
from training.pipeline.booster import FitParameters
from training.search.search_space import SPACE, parameters_at, point_of
from training.search.selection import RowNumbers
from training.search.trial import Tried

UNPRUNED_TRIALS = 5
UNPRUNED_ROUNDS = 32
ROUNDS_A_REPORT = 8
"""Rounds between reports: a report is a commit to disk of some ms; a round takes 3 to 30 ms."""

_DEFAULT, _RUN_ID, _REASON, _LEAVES = "default", "run_id", "reason", "leaves"


class Pruned(Exception):
    """Raised to stop a trial whose loss is above the median of the others."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A completed trial, read from disk.

    Attributes:
        number: number of the trial, from 0.
        is_default: whether it has the parameters of `train`.
        parameters: parameters of the booster.
        run_id: id of its MLflow run.
        model: model as it would be served.
        leaves: number of leaves over all trees.
        reviewed: numbers of the reviewed rows of the threshold part, see `trial.cross_fitted`.
    """

    number: int
    is_default: bool
    parameters: FitParameters
    run_id: str
    model: FraudModel
    leaves: int
    reviewed: RowNumbers


@dataclass(frozen=True, slots=True)
class Counts:
    """Number of trials by end state."""

    complete: int
    pruned: int
    failed: int

    @property
    def finished(self) -> int:
        """Number of finished trials; interrupted trials are repeated and do not count."""
        return self.complete + self.pruned + self.failed


class Study:
    """The trials of one search; see `open_study`."""

    def __init__(self, directory: Path, seed: int, default: FitParameters) -> None:
        self._directory = directory
        self._default = default
        storage = optuna.storages.RDBStorage(
            f"sqlite:///{directory / 'study.db'}", engine_kwargs={"connect_args": {"timeout": 30}}
        )
        self._study = optuna.create_study(
            storage=storage,
            study_name="search",
            direction="maximize",
            load_if_exists=True,
            # The warm-up: slow starters are behind at first, whatever their final loss.
            pruner=optuna.pruners.MedianPruner(UNPRUNED_TRIALS, UNPRUNED_ROUNDS),
        )
        trials = self._study.get_trials(deepcopy=False)
        # After an interruption the same seed would draw the same points again.
        state = np.random.SeedSequence([seed, len(trials)]).generate_state(1)
        self._study.sampler = optuna.samplers.TPESampler(seed=int(state[0]))
        if not trials:
            self._study.enqueue_trial(point_of(default), user_attrs={_DEFAULT: True})
            self._study.enqueue_trial(point_of(default))
        self.cut_off_runs = self._repeat_cut_off(trials)

    def _repeat_cut_off(self, trials: Sequence[FrozenTrial]) -> list[str]:
        """Queue interrupted trials again; return the ids of their MLflow runs."""
        cut_off = [trial for trial in trials if trial.state == TrialState.RUNNING]
        for trial in cut_off:
            self._study.tell(trial.number, state=TrialState.FAIL)
            point = point_of(self._default) if _DEFAULT in trial.user_attrs else trial.params
            attributes = {k: v for k, v in trial.user_attrs.items() if k == _DEFAULT}
            self._study.enqueue_trial(point, user_attrs=attributes)
        return [t.user_attrs[_RUN_ID] for t in cut_off if _RUN_ID in t.user_attrs]

    @property
    def run_id(self) -> str | None:
        """Id of the MLflow run of the search, or None before `begin`."""
        run_id = self._study.user_attrs.get(_RUN_ID)
        return None if run_id is None else str(run_id)

    def begin(self, run_id: str) -> None:
        """Store the id of the MLflow run of the search."""
        self._study.set_user_attr(_RUN_ID, run_id)

    @property
    def counts(self) -> Counts:
        """Number of trials by end state."""
        trials = self._study.get_trials(deepcopy=False)
        return Counts(
            sum(t.state == TrialState.COMPLETE for t in trials),
            sum(t.state == TrialState.PRUNED for t in trials),
            sum(t.state == TrialState.FAIL and _REASON in t.user_attrs for t in trials),
        )

    @property
    def best(self) -> tuple[int, float] | None:
        """Number of the trial that saves most and its net savings, or None without one."""
        if not self.counts.complete:
            return None
        return self._study.best_trial.number, self._study.best_value

    def start_trial(self) -> RunningTrial:
        """Start the next trial."""
        trial = self._study.ask(dict(SPACE))
        return RunningTrial(self._study, trial, self._directory, self._default)

    def kept(self) -> list[Kept]:
        """Return the completed trials in order.

        Raises:
            TrainingError: the files of a trial are missing or damaged.
        """
        complete = (TrialState.COMPLETE,)
        return [self._kept(t) for t in self._study.get_trials(deepcopy=False, states=complete)]

    def _kept(self, trial: FrozenTrial) -> Kept:
        directory = _trial_directory(self._directory, trial.number)
        is_default = _DEFAULT in trial.user_attrs
        try:
            reviewed = np.load(directory / "reviewed.npy", allow_pickle=False)
            model = FraudModel.load(directory)
        except (OSError, ValueError, ModelRefused) as error:
            raise TrainingError(
                f"Trial {trial.number} of this search is not readable ({error}). Remove "
                f"{self._directory} to start a new search."
            ) from error
        return Kept(
            number=trial.number,
            is_default=is_default,
            parameters=self._default if is_default else parameters_at(trial.params),
            run_id=trial.user_attrs[_RUN_ID],
            model=model,
            leaves=int(trial.user_attrs[_LEAVES]),
            reviewed=reviewed,
        )


class RunningTrial:
    """A trial that is running."""

    def __init__(
        self, study: optuna.Study, trial: optuna.Trial, directory: Path, default: FitParameters
    ) -> None:
        self._study = study
        self._trial = trial
        self._directory = directory
        self.number = trial.number
        self.is_default = _DEFAULT in trial.user_attrs
        self.parameters = default if self.is_default else parameters_at(trial.params)

    def begin(self, run_id: str) -> None:
        """Store the id of the trial's MLflow run."""
        self._trial.set_user_attr(_RUN_ID, run_id)

    def report(self, done: int, loss: float) -> None:
        """Report the loss after a round.

        Raises:
            Pruned: the loss is above the median of the other trials' at that round.
        """
        if done % ROUNDS_A_REPORT:
            return
        # The study maximises savings, so its pruner treats larger values as better.
        self._trial.report(-loss, done)
        if self._trial.should_prune():
            raise Pruned

    def complete(self, tried: Tried) -> None:
        """Store the result; the model first, so that a completed trial always has one."""
        directory = _trial_directory(self._directory, self.number)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        tried.model.save(directory, tried.golden)
        np.save(directory / "reviewed.npy", tried.reviewed, allow_pickle=False)
        self._trial.set_user_attr(_LEAVES, tried.fitted.leaves)
        self._study.tell(self._trial, tried.metrics["net_savings"])

    def prune(self) -> None:
        """End the trial as pruned."""
        self._study.tell(self._trial, state=TrialState.PRUNED)

    def fail(self, reason: str) -> None:
        """End the trial as failed; the search continues."""
        self._trial.set_user_attr(_REASON, reason)
        self._study.tell(self._trial, state=TrialState.FAIL)


@contextmanager
def open_study(
    home: Path, name: str, identity: Mapping[str, Any], seed: int, default: FitParameters
) -> Iterator[Study]:
    """Open a search, or create it.

    Args:
        home: directory in which searches are stored.
        name: first part of the name of the search's directory, for people.
        identity: JSON values that must be equal for trials to be comparable; they identify the
            search.
        seed: seed of the sampler.
        default: parameters of the first trial, those of `train`.

    Raises:
        TrainingError: another process runs the search, or its files are damaged.
    """
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    directory = home / f"{name}-{digest[:16]}"
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "identity.json").write_text(json.dumps(identity, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise TrainingError(f"{directory} cannot be written: {error.strerror}.") from error
    with (directory / "lock").open("w") as lock:
        try:
            # The system releases the lock whenever the process ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise TrainingError(
                "This search is running already, in another process. Wait for it, or stop it."
            ) from error
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        with _translate_errors(directory):
            yield Study(directory, seed, default)


@contextmanager
def _translate_errors(directory: Path) -> Iterator[None]:
    """Translate the errors of Optuna and its database into TrainingError."""
    try:
        yield
    except (OptunaError, SQLAlchemyError) as error:
        raise TrainingError(
            f"The trials in {directory} are not readable ({type(error).__name__}). Remove the "
            "directory to start a new search."
        ) from error


def _trial_directory(directory: Path, number: int) -> Path:
    return directory / "trials" / f"{number:04d}"
