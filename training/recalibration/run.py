"""Recalibrate a version in an MLflow run, and register the new version if it is better."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from registry.client.base import RegisteredVersion
from registry.publish.registration import registering
from registry.publish.tracking import Run, Tracking
from scoring.model.fraud_model import FraudModel
from scoring.prediction import ModelVersion
from training.comparison import summary
from training.comparison.lineage import SOURCE_TAG
from training.data.labels import Labels
from training.pipeline.golden_rows import golden_rows
from training.progress import Reporter
from training.recalibration.recalibrate import CURRENT, Recalibrated, recalibrate
from training.reporting import plots
from training.reporting.model_card import CardFacts, CardPart, Picture, inputs, render
from training.tracking.provenance import git_commit
from training.tracking.run_config import Configuration

_ROLES = {
    "calibrate": "choosing and fitting the calibrator",
    "threshold": "choosing the threshold",
    "test": "the figures only",
}


@dataclass(frozen=True, slots=True)
class Recalibration:
    """Result of a recalibration and its run.

    Attributes:
        source: version whose booster was recalibrated.
        result: new model and its figures.
        version: registered version, or None if the new calibrator is not better.
        why_not: reason why no version is registered, a sentence, or empty.
        labels: labels on which the version was recalibrated.
        run_id: id of the MLflow run.
        run_url: page of the run, or None without a server.
    """

    source: ModelVersion
    result: Recalibrated
    version: ModelVersion | None
    why_not: str
    labels: Labels
    run_id: str
    run_url: str | None


def run_recalibration(
    tenant: str,
    registered: RegisteredVersion,
    model: FraudModel,
    booster: bytes,
    labels: Labels,
    tracking: Tracking,
    reporter: Reporter,
    configuration: Configuration,
) -> Recalibration:
    """Recalibrate, log the run, and register the new version as `candidate` if it helps.

    Args:
        tenant: slug of the tenant.
        registered: version to recalibrate.
        model: that version, loaded.
        booster: bytes of its booster.txt, which the new version gets unchanged.
        labels: labels in time order.
        tracking: MLflow client.
        reporter: display of the stages.
        configuration: options of the command.

    Raises:
        TrainingError: the labels are too few.
        PublishError: MLflow refuses a request.
    """
    # Before the run, so that too few labels leave no run in MLflow.
    result = recalibrate(model, labels, reporter)
    source = ModelVersion(registered.name, registered.version)
    tags = {
        "tenant": tenant,
        SOURCE_TAG: str(source.version),
        "labels": f"{labels.time.size} {labels.source}",
    }
    commit = git_commit()
    if commit is not None:
        tags["mlflow.source.git.commit"] = commit
    with tracking.run(source.name, f"recalibrate version {source.version}", tags) as run:
        configuration.log(run)
        _log(run, labels, result)
        on = f"the test part, {' to '.join(labels.span(result.parts[-1].rows))}"
        drawn = plots.reliability(result.evaluation, on, result.calibration.chosen)
        picture = run.log_picture("reliability.png", drawn)
        why_not = _why_not(source, result)
        version = None
        if not why_not:
            card = _facts(source, labels, result, run, tracking, picture)
            version = _register(run, reporter, source, result, booster, tags, card)
        return Recalibration(source, result, version, why_not, labels, run.id, tracking.url(run))


def _why_not(source: ModelVersion, result: Recalibrated) -> str:
    if result.keeps_calibrator:
        return (
            f"No calibrator is better than that of version {source.version} by more than chance; "
            "nothing was registered."
        )
    if not result.helps:
        before, after = (
            side.log_loss.value
            for side in (result.comparison.champion, result.comparison.challenger)
        )
        return (
            f"The new calibrator is not better on the test part (log loss {before:.6f} before, "
            f"{after:.6f} after); nothing was registered."
        )
    return ""


def _log(run: Run, labels: Labels, result: Recalibrated) -> None:
    run.log(
        dict(labels.facts)
        | {
            "kind": result.calibration.chosen,
            "calibrators": result.calibration.data(labels.span),
        }
    )
    run.log(result.model.policy.cost_model.as_numbers() | {"rows": labels.time.size})
    for part in result.parts:
        run.log(
            {
                f"{part.name}_steps": " to ".join(labels.span(part.rows)),
                f"{part.name}_rows": part.row_count,
                f"{part.name}_frauds": part.fraud_count,
            }
        )
    for tried in result.calibration.comparisons:
        numbers = asdict(tried)
        kind = numbers.pop("kind")
        run.log(metrics={f"{kind}_{name}": value for name, value in numbers.items()})
    run.log(metrics=result.evaluation.figures())
    run.log(metrics=summary.metrics(result.comparison, "before", "after"))
    run.log_json("calibrator.json", result.model.calibrator.as_numbers())
    run.log_json("comparison.json", summary.as_json(result.comparison))


def _register(
    run: Run,
    reporter: Reporter,
    source: ModelVersion,
    result: Recalibrated,
    booster: bytes,
    tags: dict[str, str],
    facts: CardFacts,
) -> ModelVersion:
    model = result.model
    with reporter.stage("Register"), tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "model"
        directory.mkdir()
        golden = golden_rows(
            result.golden_matrix, result.golden_score, model.policy, model.features.described
        )
        model.save(directory, golden)
        (directory / "booster.txt").write_bytes(booster)
        # Apply the service's checks before the version is registered.
        FraudModel.load(directory)
        figures = result.evaluation.figures()
        shown = ("pr_auc", "ece", "precision", "recall", "net_savings_share")
        version_tags = {
            **{key: value for key, value in tags.items() if not key.startswith("mlflow.")},
            "git_commit": tags.get("mlflow.source.git.commit", "unknown"),
            "calibration": model.calibrator.kind,
            "threshold": f"{model.policy.threshold:.6g}",
            **{name: f"{figures[name]:.6g}" for name in shown},
        }
        with registering(
            run,
            directory,
            source.name,
            tags=version_tags,
            metrics=figures,
            card=lambda version: render(replace(facts, version=version)),
        ) as version:
            pass
    return version


def _facts(
    source: ModelVersion,
    labels: Labels,
    result: Recalibrated,
    run: Run,
    tracking: Tracking,
    picture: bytes,
) -> CardFacts:
    return CardFacts(
        version=source,
        made_by=f"Version {source.version} of {source.name}, recalibrated on newer labels: the "
        "same booster, a new calibrator and threshold.",
        made_at=datetime.now(UTC),
        data={key.replace("_", " "): str(value) for key, value in labels.facts.items()},
        parts=[
            CardPart(
                p.name,
                _ROLES[p.name],
                " to ".join(labels.span(p.rows)),
                p.row_count,
                p.fraud_count,
            )
            for p in result.parts
        ],
        inputs=inputs(result.model.features),
        policy=result.model.policy,
        threshold_source="the net savings on the threshold part",
        evaluation=result.evaluation,
        calibrator_kind=result.calibration.chosen,
        comparisons=result.calibration.comparisons,
        compared_on=result.calibration.data(labels.span),
        provenance={
            "source version": f"{source.name} version {source.version}",
            "MLflow run": tracking.url(run) or run.id,
            "git commit": git_commit() or "unknown",
        },
        caveats=(
            f"Figures before calibration are those of version {source.version}'s calibrator, which "
            f"is `{CURRENT}` among the calibrators that were compared.",
            *labels.notes,
        ),
        pictures=[Picture("Reliability before and after recalibration", picture)],
    )
