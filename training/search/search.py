"""Search for parameters of the booster that save more, or that explain faster."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from registry.names import model_name
from registry.publish.tracking import Run, Tracking
from scoring.counted import counted
from training.data.split import Part
from training.errors import TrainingError
from training.features.of_training import features_of
from training.progress import Reporter
from training.search import plots
from training.search.latency import Latency, measure
from training.search.search_space import SPACE_VERSION
from training.search.selection import Candidate, Choice, RankedCandidate, choose
from training.search.study import Counts, Kept, Pruned, RunningTrial, Study, open_study
from training.search.trial import Material, attempt, halves
from training.tracking.provenance import git_commit
from training.train import Plan, Trained, log_data, prepare, train


@dataclass(frozen=True, slots=True)
class Search:
    """Inputs of a search.

    Attributes:
        plan: data, costs and seed of the trainings.
        trials: number of trials, including those of earlier calls.
        latency_budget_us: most microseconds to explain a row, in batches, or None.
        timeout_minutes: time after which no trial begins, or None.
        home: directory in which searches are stored.
    """

    plan: Plan
    trials: int
    latency_budget_us: float | None
    timeout_minutes: float | None
    home: Path


@dataclass(frozen=True, slots=True)
class Finalist:
    """A completed trial and its latency, measured together with all others."""

    kept: Kept
    latency: Latency


@dataclass(frozen=True, slots=True)
class Tuned:
    """Result of a search.

    Attributes:
        counts: number of trials by end state.
        finalists: completed trials in order.
        choice: choice among the finalists.
        threshold: threshold part, on which the savings were computed.
        trained: chosen model, registered, or None if it does not improve on the default.
        run_id: id of the MLflow run of the search.
        run_url: page of that run, or None without a server.
    """

    counts: Counts
    finalists: tuple[Finalist, ...]
    choice: Choice
    threshold: Part
    trained: Trained | None
    run_id: str
    run_url: str | None

    @property
    def default(self) -> Finalist | None:
        """The finalist with the parameters of `train`, or None if that trial failed."""
        return next((f for f in self.finalists if f.kept.is_default), None)

    def finalist(self, candidate: RankedCandidate) -> Finalist:
        """Return the finalist of a candidate."""
        return next(f for f in self.finalists if f.kept.number == candidate.number)


def tune(search: Search, tracking: Tracking, reporter: Reporter) -> Tuned:
    """Try parameters, choose by the one-standard-error rule, and train with the chosen ones.

    Trials use the fit, calibrate and threshold parts only (`trial.attempt`). `train` then fits a
    model with the chosen parameters, evaluates it once on the test part, and registers it. The
    savings that the choice is based on are too high, since the best of many trials is partly best
    by chance; those on the test part are not.

    Raises:
        TrainingError: the data are unusable for training, or no trial completed.
        PublishError: MLflow refuses a request.
    """
    plan = search.plan
    data, parts = prepare(plan, reporter)
    rows = parts.threshold.rows
    halves(data.is_fraud[rows], data.step[rows])
    with reporter.stage("Compute the features"):
        features = features_of(plan.event_type, plan.feature_set, data, parts.fit.rows)
        matrix = data.matrix(features)
    material = Material(data, parts, matrix, plan.costs, plan.seed, features)
    name = model_name(plan.tenant)
    identity, first = _identity(material, plan), plan.chosen(features)
    with open_study(search.home, plan.tenant, identity, plan.seed, first) as study:
        tags = {"tenant": plan.tenant, "data_fingerprint": data.fingerprint}
        commit = git_commit()
        if commit is not None:
            tags["mlflow.source.git.commit"] = commit
        with tracking.run(name, f"tune on {data.source}", tags, resume_id=study.run_id) as run:
            if run.id != study.run_id:
                log_data(run, plan, data, parts)
                run.log({"space_version": SPACE_VERSION})
                study.begin(run.id)
            for cut_off in study.cut_off_runs:
                run.end(cut_off, "KILLED")
            _try_all(search, study, run, material, reporter)
            with reporter.stage("Time the models against each other"):
                finalists = _timed(study.kept(), material)
            choice = _chosen(search, finalists, material)
            _log(run, search, study.counts, finalists, choice)
        run_url = tracking.url(run)
        counts = study.counts
        tuned = Tuned(counts, finalists, choice, parts.threshold, None, run.id, run_url)
        default = tuned.default
        if choice.chosen is None or (default and not choice.improves_on(default.kept.number)):
            return tuned
        winner = tuned.finalist(choice.chosen)
        facts = {
            "tuned_by_run": run.id,
            "tuned_trial": str(winner.kept.number),
            "tuned_trials": f"{counts.finished} ({counts.pruned} pruned, {counts.failed} failed)",
            "explained_us_per_row": f"{winner.latency.batch_us:.3g}",
        }
        trained = train(
            replace(plan, parameters=winner.kept.parameters, tags={**plan.tags, **facts}),
            tracking,
            reporter,
        )
        run.tag("registered_version", str(trained.version.version))
        return replace(tuned, trained=trained)


def _identity(material: Material, plan: Plan) -> dict[str, Any]:
    """Return the values that must be equal for trials to be comparable."""
    return {
        "tenant": plan.tenant,
        "data": material.data.fingerprint,
        "split": {part.name: [part.rows.start, part.rows.stop] for part in material.parts},
        "stopping_from": material.parts.stopping.start,
        "costs": asdict(plan.costs),
        "seed": plan.seed,
        "features": material.features.as_document(),
        "space": SPACE_VERSION,
        "default": asdict(plan.chosen(material.features)),
    }


def _try_all(
    search: Search, study: Study, run: Run, material: Material, reporter: Reporter
) -> None:
    counts = study.counts
    if counts.finished or study.cut_off_runs:
        repeated = (
            f"; {len(study.cut_off_runs)} interrupted, repeated" if study.cut_off_runs else ""
        )
        reporter.note(
            f"Resuming the search: {counts.finished} of {counted(search.trials, 'trial')} done "
            f"({counts.complete} complete, "
            f"{counts.pruned} pruned, {counts.failed} failed{repeated})."
        )
    minutes = search.timeout_minutes
    ends = None if minutes is None else time.monotonic() + 60 * minutes
    with reporter.stage("Search", total=search.trials) as advance:
        while (done := study.counts.finished) < search.trials:
            if ends is not None and time.monotonic() >= ends and study.counts.complete:
                reporter.note(
                    f"The time limit is reached after {done} of "
                    f"{counted(search.trials, 'trial')}; run the "
                    "same command to continue."
                )
                break
            advance(done)
            trial = study.start_trial()
            ended = run_trial(trial, run, material)
            advance(done + 1)
            reporter.note(_progress(trial, ended, study, search.trials))


def run_trial(trial: RunningTrial, parent: Run, material: Material) -> str:
    """Run a trial in a nested run and return a phrase on its end, for people."""
    losses: list[float] = []
    status = "FINISHED"
    with parent.nested(f"trial {trial.number}") as run:
        trial.begin(run.id)
        run.log(asdict(trial.parameters))
        try:
            tried = attempt(material, trial.parameters, _reporting(trial, losses))
            (latency,) = measure([tried.model], material.matrix[material.parts.threshold.rows])
        except Pruned:
            trial.prune()
            status, ended = "KILLED", f"pruned after {counted(len(losses), 'round')}"
        except Exception as error:  # noqa: BLE001 - the next trial may succeed after any error
            reason = f"{type(error).__name__}: {error}"[:500]
            trial.fail(reason)
            run.tag("reason", reason)
            status, ended = "FAILED", f"failed ({reason.splitlines()[0]})"
        else:
            trial.complete(tried)
            run.log(metrics={**tried.metrics, **_latency_metrics(latency)})
            ended = (
                f"saves {tried.metrics['net_savings']:,.0f} with "
                f"{counted(tried.fitted.leaves, 'leaf', 'leaves')}, "
                f"{latency.batch_us:.1f} µs a row"
            )
        run.log_series("stopping_log_loss", losses)
    parent.end(run.id, status)
    return ended


def _reporting(trial: RunningTrial, losses: list[float]) -> Callable[[int, float], None]:
    def on_round(done: int, loss: float) -> None:
        losses.append(loss)
        trial.report(done, loss)

    return on_round


def _latency_metrics(latency: Latency) -> dict[str, float]:
    return {
        "explained_us_per_row": latency.batch_us,
        "explained_us_single_row": latency.single_us,
    }


def _progress(trial: RunningTrial, ended: str, study: Study, trials: int) -> str:
    counts, best = study.counts, study.best
    so_far = "" if best is None else f"; best so far {best[1]:,.0f} (trial {best[0]})"
    which = " (train's own parameters)" if trial.is_default else ""
    return (
        f"  {counts.finished} of {trials}: trial {trial.number}{which} {ended}{so_far}; "
        f"{counts.pruned} pruned"
    )


def _timed(kept: list[Kept], material: Material) -> tuple[Finalist, ...]:
    if not kept:
        raise TrainingError(
            "No trial completed. See the runs of the trials in MLflow for the reason of each."
        )
    matrix = material.matrix[material.parts.threshold.rows]
    latencies = measure([trial.model for trial in kept], matrix)
    return tuple(Finalist(*pair) for pair in zip(kept, latencies, strict=True))


def _chosen(search: Search, finalists: tuple[Finalist, ...], material: Material) -> Choice:
    candidates = [Candidate(f.kept.number, f.kept.reviewed, f.latency.batch_us) for f in finalists]
    return choose(candidates, material.values, material.average_fraud, search.latency_budget_us)


def _log(
    run: Run, search: Search, counts: Counts, finalists: tuple[Finalist, ...], choice: Choice
) -> None:
    for finalist in finalists:
        run.log_later(finalist.kept.run_id, _latency_metrics(finalist.latency))
    run.log_json("ranked.json", {"ranked": [asdict(s) for s in choice.ranked]})
    run.log_picture(
        "savings_by_latency.png", plots.savings_by_latency(choice, search.latency_budget_us)
    )
    # Tags, since a search that is resumed with more trials or another budget overwrites them.
    facts = {
        "trials": str(counts.finished),
        "trials_pruned": str(counts.pruned),
        "trials_failed": str(counts.failed),
        "latency_budget_us": "none"
        if search.latency_budget_us is None
        else f"{search.latency_budget_us:g}",
        "best_trial": "none" if choice.best is None else str(choice.best.number),
        "chosen_trial": "none" if choice.chosen is None else str(choice.chosen.number),
    }
    for key, value in facts.items():
        run.tag(key, value)
    if choice.best is not None and choice.chosen is not None:
        run.log(
            metrics={
                "net_savings_best": choice.best.savings,
                "net_savings": choice.chosen.savings,
                "net_savings_error": choice.chosen.savings_error,
                "explained_us_per_row": choice.chosen.batch_us,
            }
        )
