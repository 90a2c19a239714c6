"""The pipeline: transactions in, a registered model version with the alias `candidate` out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from registry.names import model_name
from registry.publish.tracking import Run, Tracking
from scoring.features import feature_matrix
from scoring.policy import CostModel
from scoring.prediction import ModelVersion
from training.data import simulator
from training.data.loading import LabelledTransactions, from_table, read
from training.data.split import Part, Split, split
from training.pipeline.booster import FitParameters
from training.pipeline.evaluation import Evaluation
from training.pipeline.pipeline import Learned, Sample, learn
from training.pipeline.random_split import random_order, reordered, what_the_difference_means
from training.progress import Reporter
from training.tracking.provenance import git_commit
from training.tracking.register import register
from training.tracking.run_config import Configuration
from training.tracking.run_logging import draw, log_learned


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train.

    Attributes:
        tenant: slug, names the registered model.
        data: CSV or Parquet, or None for the simulator.
        until_step: the last hour to use, or None for `split.last_busy_step`.
        costs: what errors cost.
        seed: of the simulator and the booster.
        parameters: of the booster.
        tags: more for the run and the version, such as the search that found the parameters.
        configuration: of the command, to be logged.
    """

    tenant: str
    data: Path | None
    until_step: int | None
    costs: CostModel
    seed: int
    parameters: FitParameters = field(default_factory=FitParameters)
    tags: Mapping[str, str] = field(default_factory=dict)
    configuration: Configuration | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of it.

    Attributes:
        data, parts: what it was made of, and its split by time.
        learned: the model, how it came about, and how it did on the test part.
        random: how the same pipeline does on a random split, and
        random_note: what the difference means.
        version: as registered.
        run_id, run_url, version_url: in MLflow; no URL without a server.
    """

    data: LabelledTransactions
    parts: Split
    learned: Learned
    random: Evaluation
    random_note: str
    version: ModelVersion
    run_id: str
    run_url: str | None
    version_url: str | None


def train(plan: Plan, tracking: Tracking, reporter: Reporter) -> Trained:
    """Train, judge and register.

    Nothing is registered unless all of it succeeds.

    Raises:
        TrainingError: the data cannot be trained on.
        PublishError: MLflow refuses.
    """
    data, parts = prepare(plan, reporter)
    name = model_name(plan.tenant)
    tags = {"tenant": plan.tenant, "data_fingerprint": data.fingerprint, **plan.tags}
    commit = git_commit()
    if commit is not None:
        # MLflow's own name for it, so that its pages show it.
        tags["mlflow.source.git.commit"] = commit
    with tracking.run(name, f"train on {data.source}", tags) as run:
        log_data(run, plan, data, parts)
        with reporter.stage("Compute the features"):
            matrix = feature_matrix(data.columns)
        sample = Sample(matrix, data.columns.amount, data.is_fraud, data.step)
        learned = learn(sample, parts, plan.costs, plan.seed, reporter, chosen=plan.parameters)
        log_learned(run, learned)
        random = _learn_at_random(plan, run, reporter, sample, parts)
        note = what_the_difference_means(learned.evaluation, random)
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
    """Run the same steps on a random split; nothing but its figures is kept."""
    with parent.nested("random split") as run:
        shuffled = reordered(sample, random_order(sample.is_fraud, parts, plan.seed))
        evaluation = learn(
            shuffled, parts, plan.costs, plan.seed, reporter,
            chosen=plan.parameters, split_name="random split",
        ).evaluation  # fmt: skip
        figures = evaluation.figures()
        run.log({"registered": False, "seed": plan.seed}, figures)
    parent.log(metrics={f"random_split_{name}": value for name, value in figures.items()})
    return evaluation


def prepare(plan: Plan, reporter: Reporter) -> tuple[LabelledTransactions, Split]:
    """Read or simulate the transactions and split them.

    Raises:
        TrainingError: they cannot be read or split.
    """
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


def log_data(run: Run, plan: Plan, data: LabelledTransactions, parts: Split) -> None:
    """Log what goes in: the transactions, their split, the costs, the command's options."""
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
