"""Train a model on transactions and register it under the alias `candidate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from registry.names import model_name
from registry.publish.tracking import Run, Tracking
from scoring.counted import counted
from scoring.event_type.fields import EventType
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.model_features import ModelFeatures
from scoring.policy import CostModel
from scoring.prediction import ModelVersion
from scoring.transaction import PAYSIM
from sentinel.sentences import shown
from training.data import simulator
from training.data.labelled_events import LabelledEvents
from training.data.loading import from_table, note_ignored
from training.data.split import Part, Split, split
from training.event_types.training_data import read_labelled
from training.features.of_training import features_of
from training.pipeline.booster import FitParameters, settings_for
from training.pipeline.evaluation import Evaluation
from training.pipeline.pipeline import Learned, Sample, learn
from training.pipeline.random_split import NO_TIME, explain_difference, random_order, reordered
from training.progress import Reporter
from training.tracking.provenance import git_commit
from training.tracking.register import register
from training.tracking.run_config import Configuration
from training.tracking.run_logging import draw, log_learned


@dataclass(frozen=True, slots=True)
class Plan:
    """Inputs of a training.

    Attributes:
        tenant: slug of the tenant, part of the registered model's name.
        data: CSV or Parquet file, or None for the simulator.
        until_step: last hour that is used, or None for `split.last_busy_step`.
        costs: cost of a missed fraud and of a false alarm.
        seed: seed of the simulator and the booster.
        parameters: settings of the booster; None for those that suit the features.
        tags: additional tags of the run and the version, such as the search that found the
            parameters.
        event_type: event type of the data.
        feature_set: features to compute; None for PaySim's, or those that are suggested for
            another event type.
        configuration: options of the command, which are logged.
    """

    tenant: str
    data: Path | None
    until_step: int | None
    costs: CostModel
    seed: int
    parameters: FitParameters | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    event_type: EventType = PAYSIM
    feature_set: FeatureSet | None = None
    configuration: Configuration | None = None

    def chosen(self, features: ModelFeatures) -> FitParameters:
        """Return the settings of the booster."""
        return self.parameters or settings_for(features)


@dataclass(frozen=True, slots=True)
class Trained:
    """Result of a training.

    Attributes:
        data: transactions that the model was trained on.
        parts: their split by time.
        learned: model, results of each step, and figures on the test part.
        random: figures of the same pipeline on a random split; None where the first split is
            random too, since the data have no time.
        random_note: interpretation of the difference between the two splits.
        version: registered model version.
        run_id: id of the MLflow run.
        run_url: page of the run, or None without a server.
        version_url: page of the version, or None without a server.
    """

    data: LabelledEvents
    parts: Split
    learned: Learned
    random: Evaluation | None
    random_note: str
    version: ModelVersion
    run_id: str
    run_url: str | None
    version_url: str | None


def train(plan: Plan, tracking: Tracking, reporter: Reporter) -> Trained:
    """Train, evaluate and register a model; register nothing if a step fails.

    Raises:
        TrainingError: the data are unusable for training.
        PublishError: MLflow refuses a request.
    """
    data, parts = prepare(plan, reporter)
    name = model_name(plan.tenant)
    tags = {"tenant": plan.tenant, "data_fingerprint": data.fingerprint, **plan.tags}
    commit = git_commit()
    if commit is not None:
        # The tag that MLflow's pages show.
        tags["mlflow.source.git.commit"] = commit
    with tracking.run(name, f"train on {data.source}", tags) as run:
        log_data(run, plan, data, parts)
        with reporter.stage("Compute the features"):
            features = features_of(plan.event_type, plan.feature_set, data, parts.fit.rows)
            matrix = data.matrix(features)
        sample = Sample(matrix, data.amount, data.is_fraud, data.step, features)
        chosen = plan.chosen(features)
        learned = learn(sample, parts, plan.costs, plan.seed, reporter, chosen=chosen)
        compared_on = learned.calibration.data(data.scale.bounds, parts.calibrate.rows.start)
        log_learned(run, learned, compared_on)
        random, note = None, NO_TIME
        if data.scale.is_by_time:
            random = _learn_at_random(plan, run, reporter, sample, parts)
            note = explain_difference(learned.evaluation, random)
        with reporter.stage("Draw the pictures"):
            drawn = draw(run, learned, sample, parts)
        with reporter.stage("Register"):
            version = register(
                run, name, data, parts, sample, learned, drawn, random, note, plan.seed, tags
            )
        return Trained(
            data, parts, learned, random, note, version,
            run.id, tracking.url(run), tracking.version_url(version),
        )  # fmt: skip


def _learn_at_random(
    plan: Plan, parent: Run, reporter: Reporter, sample: Sample, parts: Split
) -> Evaluation:
    """Run the same steps on a random split and return the figures; discard the model."""
    with parent.nested("random split") as run:
        shuffled = reordered(sample, random_order(sample.is_fraud, parts, plan.seed))
        evaluation = learn(
            shuffled, parts, plan.costs, plan.seed, reporter,
            chosen=plan.chosen(sample.features), split_name="random split",
        ).evaluation  # fmt: skip
        figures = evaluation.figures()
        run.log({"registered": False, "seed": plan.seed}, figures)
    parent.log(metrics={f"random_split_{name}": value for name, value in figures.items()})
    return evaluation


def prepare(plan: Plan, reporter: Reporter) -> tuple[LabelledEvents, Split]:
    """Read or simulate the transactions and split them.

    Raises:
        TrainingError: the transactions cannot be read or split.
    """
    if plan.data is None:
        with reporter.stage("Simulate a month of payments"):
            table = simulator.simulate(seed=plan.seed)
            data = from_table(table, f"simulator (seed {plan.seed})")
    else:
        with reporter.stage(f"Read {shown(plan.data.name)}"):
            data = read_labelled(plan.data, plan.event_type, plan.seed)
        note_ignored(data, reporter)
    parts = split(data.step, data.is_fraud, plan.until_step, data.scale)
    if parts.dropped_rows and plan.until_step is None:
        reporter.note(
            f"Left out: {counted(parts.dropped_rows, 'transaction')} "
            f"({counted(parts.dropped_frauds, 'fraud')}) "
            f"after {data.scale.place(parts.test.rows.stop - 1)}, from where traffic stays below a "
            "tenth of a usual day; --until-step keeps more."
        )
    return data, parts


def log_data(run: Run, plan: Plan, data: LabelledEvents, parts: Split) -> None:
    """Log the inputs: the transactions, their split, the costs, the command's options."""
    if plan.configuration is not None:
        plan.configuration.log(run)
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
