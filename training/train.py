"""The pipeline: transactions in, a registered model version with the alias `candidate` out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from registry.names import model_name
from registry.publish import Run, Tracking, registering
from scoring.features import FloatArray, feature_matrix
from scoring.model import FraudModel
from scoring.policy import CostModel, Policy
from scoring.prediction import ModelVersion
from training import plots, simulator
from training.calibrate import Calibration, calibrate
from training.data import LabelledTransactions, from_table, read
from training.distribution import distribution
from training.evaluate import Evaluation, evaluate
from training.fit import MAX_ROUNDS, Fitted, fit
from training.golden import golden_rows
from training.progress import Reporter
from training.provenance import git_commit
from training.split import Part, Split, split
from training.threshold import CostCurve, cost_curve

SHAP_FRAUDS, SHAP_OTHERS = 400, 1600
"""Payments in the SHAP picture; at their true rate frauds would not be seen."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train.

    Attributes:
        tenant: slug, names the registered model.
        data: CSV or Parquet, or None for the simulator.
        until_step: the last hour to use, or None for `split.last_busy_step`.
        costs: what errors cost.
        seed: of the simulator and the booster.
    """

    tenant: str
    data: Path | None
    until_step: int | None
    costs: CostModel
    seed: int


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of it."""

    data: LabelledTransactions
    parts: Split
    fitted: Fitted
    calibration: Calibration
    curve: CostCurve
    model: FraudModel
    evaluation: Evaluation
    version: ModelVersion
    run_id: str
    run_url: str | None


def train(plan: Plan, tracking: Tracking, reporter: Reporter) -> Trained:
    """Train, judge and register.

    Nothing is registered unless all of it succeeds.

    Raises:
        TrainingError: the data cannot be trained on.
        PublishError: MLflow refuses.
    """
    data, parts = _prepare(plan, reporter)
    name = model_name(plan.tenant)
    tags = {"tenant": plan.tenant, "data_fingerprint": data.fingerprint}
    commit = git_commit()
    if commit is not None:
        # MLflow's own name for it, so that its pages show it.
        tags["mlflow.source.git.commit"] = commit
    with tracking.run(name, f"train on {data.source}", tags) as run:
        _log_data(run, plan, data, parts)
        with reporter.stage("Compute the features"):
            matrix = feature_matrix(data.columns)
        fitted = _fit(plan, run, reporter, data, parts, matrix)
        with reporter.stage("Score the later parts"):
            later = _margins(fitted, matrix, parts)
        calibration = _calibrate(run, reporter, data, parts, later["calibrate"])
        curve = _choose_threshold(
            plan, run, reporter, data, parts, calibration.calibrator(later["threshold"])
        )
        model = FraudModel(
            booster=fitted.booster,
            calibrator=calibration.calibrator,
            policy=Policy.at(curve.chosen, plan.costs),
            distribution=distribution(
                matrix[parts.fit.rows], calibration.calibrator(later["threshold"])
            ),
        )
        with reporter.stage("Judge on the test part"):
            test = parts.test.rows
            evaluation = evaluate(
                model, later["test"], data.columns.amount[test], data.is_fraud[test]
            )
            run.log(metrics=_figures(evaluation))
        with reporter.stage("Draw the pictures"):
            _draw(run, model, evaluation, curve, matrix[parts.threshold.rows], data, parts)
        version = _register(run, reporter, name, model, evaluation, matrix, parts, later, tags)
        return Trained(
            data, parts, fitted, calibration, curve, model, evaluation, version,
            run.id, tracking.url(run),
        )  # fmt: skip


def _prepare(plan: Plan, reporter: Reporter) -> tuple[LabelledTransactions, Split]:
    if plan.data is None:
        with reporter.stage("Simulate a month of payments"):
            table = simulator.simulate(seed=plan.seed)
            data = from_table(table, f"simulator (seed {plan.seed})")
    else:
        with reporter.stage(f"Read {plan.data.name}"):
            data = read(plan.data)
    parts = split(data.step, data.is_fraud, plan.until_step)
    if parts.dropped_rows and plan.until_step is None:
        reporter.note(
            f"Left out: {parts.dropped_rows:,} transactions ({parts.dropped_frauds:,} frauds) "
            f"after step {parts.until_step}, where traffic falls below a tenth of a usual day for "
            "good; --until-step keeps more."
        )
    return data, parts


def _log_data(run: Run, plan: Plan, data: LabelledTransactions, parts: Split) -> None:
    facts = {
        "source": data.source,
        "fingerprint": data.fingerprint,
        "rows": str(len(data)),
        "frauds": str(int(data.is_fraud.sum())),
        "steps": f"{int(data.step[0])} to {int(data.step[-1])}",
    }
    run.log_data(data.source, data.fingerprint[:32], facts)
    run.log({f"data_{key}": value for key, value in facts.items()})
    run.log({"tenant": plan.tenant, "seed": plan.seed, **asdict(plan.costs)})
    run.log({"until_step": parts.until_step, "dropped_rows": parts.dropped_rows})
    for part in parts:
        run.log(_part_parameters(part))


def _part_parameters(part: Part) -> dict[str, object]:
    return {
        f"{part.name}_steps": f"{part.first_step} to {part.last_step}",
        f"{part.name}_rows": part.row_count,
        f"{part.name}_frauds": part.fraud_count,
    }


def _fit(
    plan: Plan,
    parent: Run,
    reporter: Reporter,
    data: LabelledTransactions,
    parts: Split,
    matrix: FloatArray,
) -> Fitted:
    with (
        parent.nested("fit") as run,
        reporter.stage("Fit the booster", total=MAX_ROUNDS) as advance,
    ):
        fitted = fit(matrix, data.is_fraud, parts, seed=plan.seed, on_round=advance)
        run.log(fitted.parameters, {"rounds": fitted.rounds, "leaves": fitted.leaves})
        run.log_series("stopping_log_loss", fitted.stopping_log_loss)
    return fitted


def _margins(fitted: Fitted, matrix: FloatArray, parts: Split) -> dict[str, FloatArray]:
    return {
        part.name: np.asarray(
            fitted.booster.predict(matrix[part.rows], raw_score=True, num_threads=1)
        )
        for part in (parts.calibrate, parts.threshold, parts.test)
    }


def _calibrate(
    parent: Run,
    reporter: Reporter,
    data: LabelledTransactions,
    parts: Split,
    margin: FloatArray,
) -> Calibration:
    with parent.nested("calibration") as run, reporter.stage("Calibrate"):
        rows = parts.calibrate.rows
        calibration = calibrate(margin, data.is_fraud[rows], data.step[rows])
        run.log({"kind": calibration.calibrator.kind})
        for comparison in calibration.comparisons:
            numbers = asdict(comparison)
            kind = numbers.pop("kind")
            run.log(metrics={f"{kind}_{name}": value for name, value in numbers.items()})
        run.log_json("calibrator.json", calibration.calibrator.as_numbers())
    return calibration


def _choose_threshold(
    plan: Plan,
    parent: Run,
    reporter: Reporter,
    data: LabelledTransactions,
    parts: Split,
    score: FloatArray,
) -> CostCurve:
    with parent.nested("threshold") as run, reporter.stage("Choose the threshold"):
        rows = parts.threshold.rows
        curve = cost_curve(score, data.columns.amount[rows], data.is_fraud[rows], plan.costs)
        run.log(
            asdict(plan.costs),
            {
                "threshold": curve.chosen,
                "tied_from": curve.lowest,
                "tied_to": curve.highest,
                "net_savings": curve.chosen_savings,
                "net_savings_best": float(curve.savings[curve.best]),
                "net_savings_perfect": curve.perfect,
            },
        )
    return curve


def _figures(evaluation: Evaluation) -> dict[str, float]:
    before = {f"{name}_uncalibrated": value for name, value in evaluation.uncalibrated.items()}
    return {**evaluation.metrics, **before}


def _draw(
    run: Run,
    model: FraudModel,
    evaluation: Evaluation,
    curve: CostCurve,
    threshold_matrix: FloatArray,
    data: LabelledTransactions,
    parts: Split,
) -> None:
    run.log_picture(
        "precision_recall.png", plots.precision_recall(evaluation, model.policy.threshold)
    )
    run.log_picture("reliability.png", plots.reliability(evaluation, model.calibrator.kind))
    run.log_picture("cost_curve.png", plots.cost(curve))
    is_fraud = data.is_fraud[parts.threshold.rows]
    rng = np.random.default_rng(0)
    shown = np.concatenate(
        [
            rng.permutation(np.flatnonzero(is_fraud))[:SHAP_FRAUDS],
            rng.permutation(np.flatnonzero(~is_fraud))[:SHAP_OTHERS],
        ]
    )
    explained = model.explain_matrix(np.ascontiguousarray(threshold_matrix[shown]))
    picture = plots.shap_summary(explained.contributions, explained.features, explained.base_value)
    run.log_picture("shap_summary.png", picture)


def _register(
    run: Run,
    reporter: Reporter,
    name: str,
    model: FraudModel,
    evaluation: Evaluation,
    matrix: FloatArray,
    parts: Split,
    later: Mapping[str, FloatArray],
    tags: Mapping[str, str],
) -> ModelVersion:
    with reporter.stage("Register"), tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "model"
        directory.mkdir()
        score = model.calibrator(later["threshold"])
        model.save(directory, golden_rows(matrix[parts.threshold.rows], score, model.policy))
        # What is registered is what loads, verified as the service will.
        FraudModel.load(directory)
        shown = ("pr_auc", "ece", "precision", "recall", "net_savings_share")
        version_tags = {
            **{key: value for key, value in tags.items() if not key.startswith("mlflow.")},
            "git_commit": tags.get("mlflow.source.git.commit", "unknown"),
            "calibration": model.calibrator.kind,
            "threshold": f"{model.policy.threshold:.6g}",
            **{name: f"{evaluation.metrics[name]:.6g}" for name in shown},
        }
        with registering(
            run, directory, name, tags=version_tags, metrics=_figures(evaluation)
        ) as version:
            pass
    return version
