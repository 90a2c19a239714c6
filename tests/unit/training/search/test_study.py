"""A search keeps its trials on disk and resumes them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.factories import a_booster, a_model, feature_rows
from training.errors import TrainingError
from training.pipeline.booster import OWN_WINDOWS, FitParameters, Fitted
from training.search.study import UNPRUNED_ROUNDS, UNPRUNED_TRIALS, Pruned, Study
from training.search.study import open_study as open_one
from training.search.trial import Tried

Open = Callable[..., AbstractContextManager[Study]]


@pytest.fixture
def open_study(tmp_path: Path) -> Open:
    """A way to open the test's search, or another by its identity or its default trial."""

    def open_it(
        default: FitParameters | None = None, **identity: object
    ) -> AbstractContextManager[Study]:
        default = default or FitParameters()
        return open_one(tmp_path, "acme", {"data": "a", **identity}, seed=7, default=default)

    return open_it


def tried(savings: float) -> Tried:
    booster = a_booster()
    return Tried(
        fitted=Fitted(booster, {}, booster.num_trees(), 180, (0.2, 0.1)),
        model=a_model(),
        reviewed=np.array([1, 5, 9]),
        golden=feature_rows(4),
        metrics={"net_savings": savings},
    )


def run_trials(study: Study, *savings: float) -> None:
    for value in savings:
        asked = study.start_trial()
        asked.begin(f"run-{asked.number}")
        asked.complete(tried(value))


def test_the_default_is_trial_0_and_whole_and_trial_1_is_the_same_trimmed(
    open_study: Open,
) -> None:
    with open_study() as study:
        first, second, third = study.start_trial(), study.start_trial(), study.start_trial()
    assert (first.number, first.is_default, first.parameters) == (0, True, FitParameters())
    assert (second.number, second.is_default) == (1, False)
    assert second.parameters == FitParameters(trimmed=True)
    assert third.parameters not in (FitParameters(), FitParameters(trimmed=True))


def test_the_default_of_an_own_event_type_has_the_settings_of_its_training(
    open_study: Open,
) -> None:
    with open_study(OWN_WINDOWS) as study:
        run_trials(study, 1.0)
        trimmed = study.start_trial()
        assert study.kept()[0].parameters == OWN_WINDOWS
    assert trimmed.parameters == replace(OWN_WINDOWS, trimmed=True)
    with open_study(OWN_WINDOWS) as study:
        assert study.kept()[0].parameters == OWN_WINDOWS
        assert study.start_trial().parameters == trimmed.parameters


def test_finished_trials_are_kept_when_the_search_is_opened_again(
    open_study: Open,
) -> None:
    with open_study() as study:
        study.begin("parent")
        run_trials(study, 100.0, 300.0)
    with open_study() as study:
        assert study.run_id == "parent"
        assert study.counts.complete == study.counts.finished == 2
        assert study.best == (1, 300.0)
        default, other = study.kept()
        assert (default.is_default, other.is_default) == (True, False)
        assert other.run_id == "run-1"
        assert other.leaves == 180
        assert other.reviewed.tolist() == [1, 5, 9]
        rows = feature_rows(50)
        assert np.array_equal(other.model.margins(rows), a_model().margins(rows))
        assert study.start_trial().number == 2


def test_an_interrupted_trial_is_repeated_with_the_same_parameters(
    open_study: Open,
) -> None:
    with open_study() as study:
        run_trials(study, 1.0, 2.0)
        cut = study.start_trial()
        cut.begin("run-cut")
    with open_study() as study:
        assert study.cut_off_runs == ["run-cut"]
        assert study.counts.finished == 2, "it does not count"
        again = study.start_trial()
        assert again.parameters == cut.parameters
        assert again.number == 3
    with open_study() as study:
        assert study.cut_off_runs == [], "named once; this one had no run yet"


def test_an_interrupted_default_trial_is_repeated_as_the_default(open_study: Open) -> None:
    with open_study() as study:
        study.start_trial()
    with open_study() as study:
        order = [study.start_trial() for _ in range(2)]
        assert sorted(asked.is_default for asked in order) == [False, True]
        assert next(a for a in order if a.is_default).parameters == FitParameters()


def test_a_resumed_search_does_not_repeat_its_points(open_study: Open) -> None:
    drawn = []
    for _ in range(3):
        with open_study() as study:
            if not drawn:
                run_trials(study, 1.0, 2.0)
            asked = study.start_trial()
            asked.begin(f"run-{asked.number}")
            asked.complete(tried(3.0))
            drawn.append(asked.parameters)
    assert len(set(drawn)) == 3


def test_a_failed_trial_counts_and_is_not_repeated(open_study: Open) -> None:
    with open_study() as study:
        asked = study.start_trial()
        asked.fail("MemoryError: too large")
        assert study.counts.failed == study.counts.finished == 1
        assert study.best is None
        assert study.kept() == []
    with open_study() as study:
        assert study.cut_off_runs == []
        assert not study.start_trial().is_default


def test_a_trial_behind_the_median_is_pruned_after_the_warm_up(open_study: Open) -> None:
    with open_study() as study:
        for _ in range(UNPRUNED_TRIALS):
            asked = study.start_trial()
            asked.begin("run")
            for done in range(1, 65):
                asked.report(done, 0.01)
            asked.complete(tried(1.0))
        worse = study.start_trial()
        for done in range(1, UNPRUNED_ROUNDS):
            worse.report(done, 0.02)
        with pytest.raises(Pruned):
            worse.report(UNPRUNED_ROUNDS, 0.02)
        worse.prune()
        better = study.start_trial()
        for done in range(1, 65):
            better.report(done, 0.005)
        assert study.counts.pruned == 1


def test_other_data_or_costs_are_another_search(open_study: Open) -> None:
    with open_study() as study:
        run_trials(study, 1.0)
    with open_study(costs=[1, 2]) as other:
        assert other.counts.finished == 0
    with open_study() as study:
        assert study.counts.finished == 1


def test_two_processes_do_not_run_one_search(open_study: Open) -> None:
    with (
        open_study(),
        pytest.raises(TrainingError, match="running already"),
        open_study(),
    ):
        pass


def test_an_unreadable_study_is_reported_in_a_sentence(open_study: Open, tmp_path: Path) -> None:
    with open_study() as study:
        run_trials(study, 1.0)
    (database,) = tmp_path.glob("*/study.db")
    database.write_bytes(b"this is no database" * 100)
    with (
        pytest.raises(TrainingError, match=r"not readable .* Remove the directory to start"),
        open_study(),
    ):
        pass


def test_a_missing_model_of_a_trial_is_reported_in_a_sentence(
    open_study: Open, tmp_path: Path
) -> None:
    with open_study() as study:
        run_trials(study, 1.0)
        (booster,) = tmp_path.glob("*/trials/0000/booster.txt")
        booster.unlink()
        with pytest.raises(TrainingError, match=r"Trial 0 .*booster.txt is missing"):
            study.kept()
