"""A search's memory on disk: what was tried, and what came of it.

An Optuna study in SQLite, and beside it each finished trial's model, so that the finalists can be
timed against each other in one sitting whenever the trials themselves were run.
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
from training.search.search_space import SPACE, default_point, parameters_at
from training.search.selection import RowNumbers
from training.search.trial import Tried

UNPRUNED_TRIALS = 5
UNPRUNED_ROUNDS = 32
ROUNDS_A_REPORT = 8
"""Each report is a commit to disk, some milliseconds; a round takes 3 to 30."""

_DEFAULT, _RUN_ID, _REASON, _LEAVES = "default", "run_id", "reason", "leaves"


class Pruned(Exception):
    """The trial is behind the others; it need not go on."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A trial that came to its end, as the disk has it.

    Attributes:
        number: from 0. is_default: whether it has `train`'s own parameters.
        parameters: of the booster.
        run_id: of its MLflow run.
        model: as it would be served. leaves: of all its trees.
        reviewed: rows of the threshold part, see `trial.cross_fitted`.
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
    """How many trials came to which end."""

    complete: int
    pruned: int
    failed: int

    @property
    def finished(self) -> int:
        """All of them; trials that were cut off are done again and do not count."""
        return self.complete + self.pruned + self.failed


class Study:
    """The trials of one search; see `open_study`."""

    def __init__(self, directory: Path, seed: int) -> None:
        self._directory = directory
        storage = optuna.storages.RDBStorage(
            f"sqlite:///{directory / 'study.db'}", engine_kwargs={"connect_args": {"timeout": 30}}
        )
        self._study = optuna.create_study(
            storage=storage,
            study_name="search",
            direction="maximize",
            load_if_exists=True,
            # Trials that start slowly are behind at first whatever they come to; hence the warm-up.
            pruner=optuna.pruners.MedianPruner(UNPRUNED_TRIALS, UNPRUNED_ROUNDS),
        )
        trials = self._study.get_trials(deepcopy=False)
        # The same seed again after an interruption would draw the same points again.
        state = np.random.SeedSequence([seed, len(trials)]).generate_state(1)
        self._study.sampler = optuna.samplers.TPESampler(seed=int(state[0]))
        if not trials:
            self._study.enqueue_trial(default_point(), user_attrs={_DEFAULT: True})
            self._study.enqueue_trial(default_point())
        self.cut_off_runs = self._do_cut_off_again(trials)

    def _do_cut_off_again(self, trials: Sequence[FrozenTrial]) -> list[str]:
        """Queue what was running when the search was killed; return the MLflow runs of it."""
        cut_off = [trial for trial in trials if trial.state == TrialState.RUNNING]
        for trial in cut_off:
            self._study.tell(trial.number, state=TrialState.FAIL)
            point = default_point() if _DEFAULT in trial.user_attrs else trial.params
            attributes = {k: v for k, v in trial.user_attrs.items() if k == _DEFAULT}
            self._study.enqueue_trial(point, user_attrs=attributes)
        return [t.user_attrs[_RUN_ID] for t in cut_off if _RUN_ID in t.user_attrs]

    @property
    def run_id(self) -> str | None:
        """The MLflow run of the whole search, once `begin` has named it."""
        found = self._study.user_attrs.get(_RUN_ID)
        return None if found is None else str(found)

    def begin(self, run_id: str) -> None:
        """Name the MLflow run of the whole search."""
        self._study.set_user_attr(_RUN_ID, run_id)

    @property
    def counts(self) -> Counts:
        """How many trials came to which end."""
        trials = self._study.get_trials(deepcopy=False)
        return Counts(
            sum(t.state == TrialState.COMPLETE for t in trials),
            sum(t.state == TrialState.PRUNED for t in trials),
            sum(t.state == TrialState.FAIL and _REASON in t.user_attrs for t in trials),
        )

    @property
    def best(self) -> tuple[int, float] | None:
        """The number of the trial that saves most, and its net savings."""
        if not self.counts.complete:
            return None
        return self._study.best_trial.number, self._study.best_value

    def ask(self) -> Asked:
        """Start the next trial."""
        trial = self._study.ask(dict(SPACE))
        return Asked(self._study, trial, self._directory)

    def kept(self) -> list[Kept]:
        """Return the trials that came to their end, in order.

        Raises:
            TrainingError: the disk has lost one.
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
                f"Trial {trial.number} of this search is not readable any more ({error}). Remove "
                f"{self._directory} to begin anew."
            ) from error
        return Kept(
            number=trial.number,
            is_default=is_default,
            parameters=_parameters(trial.params, is_default=is_default),
            run_id=trial.user_attrs[_RUN_ID],
            model=model,
            leaves=int(trial.user_attrs[_LEAVES]),
            reviewed=reviewed,
        )


class Asked:
    """A trial that is running."""

    def __init__(self, study: optuna.Study, trial: optuna.Trial, directory: Path) -> None:
        self._study = study
        self._trial = trial
        self._directory = directory
        self.number = trial.number
        self.is_default = _DEFAULT in trial.user_attrs
        self.parameters = _parameters(trial.params, is_default=self.is_default)

    def begin(self, run_id: str) -> None:
        """Name the trial's MLflow run."""
        self._trial.set_user_attr(_RUN_ID, run_id)

    def report(self, done: int, loss: float) -> None:
        """Tell the loss after a round.

        Raises:
            Pruned: it is above the median of the other trials' at that round.
        """
        if done % ROUNDS_A_REPORT:
            return
        # The study is after the largest savings, so its pruner takes larger for better.
        self._trial.report(-loss, done)
        if self._trial.should_prune():
            raise Pruned

    def complete(self, tried: Tried) -> None:
        """Keep what came of it; the model first, so that a finished trial always has one."""
        directory = _trial_directory(self._directory, self.number)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        tried.model.save(directory, tried.golden)
        np.save(directory / "reviewed.npy", tried.reviewed, allow_pickle=False)
        self._trial.set_user_attr(_LEAVES, tried.fitted.leaves)
        self._study.tell(self._trial, tried.metrics["net_savings"])

    def prune(self) -> None:
        """End it as not worth going on."""
        self._study.tell(self._trial, state=TrialState.PRUNED)

    def fail(self, reason: str) -> None:
        """End it as failed; the search goes on."""
        self._trial.set_user_attr(_REASON, reason)
        self._study.tell(self._trial, state=TrialState.FAIL)


@contextmanager
def open_study(home: Path, name: str, identity: Mapping[str, Any], seed: int) -> Iterator[Study]:
    """Open the memory of a search, or begin it.

    Args:
        home: where searches are kept.
        name: for people, the first part of the directory's name.
        identity: all that makes trials comparable, as JSON values; other values, another search.
        seed: of the sampler.

    Raises:
        TrainingError: the search is running already, or the disk has spoilt it.
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
            # The system lets go of it when the process ends, however it ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise TrainingError(
                "This search is running already, in another process. Wait for it, or end it."
            ) from error
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        with _translate_errors(directory):
            yield Study(directory, seed)


@contextmanager
def _translate_errors(directory: Path) -> Iterator[None]:
    """Translate the errors of Optuna and its database into TrainingError."""
    try:
        yield
    except (OptunaError, SQLAlchemyError) as error:
        raise TrainingError(
            f"The trials in {directory} are not readable ({type(error).__name__}). Remove it "
            "to begin anew."
        ) from error


def _trial_directory(directory: Path, number: int) -> Path:
    return directory / "trials" / f"{number:04d}"


def _parameters(point: Mapping[str, Any], *, is_default: bool) -> FitParameters:
    return FitParameters() if is_default else parameters_at(point)
