"""Compare two registered versions, and log the comparison as an MLflow run."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from registry.client.base import RegisteredVersion
from registry.publish.tracking import Tracking
from scoring.evaluation.comparison import Comparison, TooFewFrauds
from scoring.evaluation.comparison import compare as compare_decisions
from scoring.prediction import ModelVersion
from training.comparison import summary
from training.comparison.evidence import Evidence
from training.errors import NoEvidence
from training.progress import Reporter
from training.tracking.run_config import Configuration


@dataclass(frozen=True, slots=True)
class Compared:
    """Result of a comparison.

    Attributes:
        champion: version in production.
        challenger: version that is compared with it.
        comparison: figures of both.
        over: phrase for the transactions, which follows their number in a sentence.
        sentence: difference in net savings, and whether the challenger is shown to be better.
        notes: sentences to print with the figures.
        run_id: id of the comparison's MLflow run.
        run_url: page of that run, or None without a server.
    """

    champion: ModelVersion
    challenger: ModelVersion
    comparison: Comparison
    over: str
    sentence: str
    notes: tuple[str, ...]
    run_id: str
    run_url: str | None


def compare(
    tenant: str,
    champion: RegisteredVersion,
    challenger: RegisteredVersion,
    evidence: Evidence,
    tracking: Tracking,
    reporter: Reporter,
    configuration: Configuration,
) -> Compared:
    """Compare two versions on the evidence, and log the comparison and the command's options.

    Raises:
        NoEvidence: the evidence has too few frauds, or only frauds.
        PublishError: MLflow refuses a request.
    """
    first, second = (ModelVersion(v.name, v.version) for v in (champion, challenger))
    with reporter.stage("Compare"):
        try:
            comparison = compare_decisions(
                evidence.champion,
                evidence.challenger,
                evidence.amount,
                evidence.is_fraud,
                evidence.costs,
                evidence.weights,
            )
        except TooFewFrauds as error:
            raise NoEvidence(str(error)) from error
    sentence = summary.verdict(comparison, first, second, evidence.over)
    tags = {
        "tenant": tenant,
        "champion": str(first.version),
        "challenger": str(second.version),
        "mlflow.note.content": " ".join((sentence, *evidence.notes)),
    }
    name = f"compare version {first.version} with version {second.version}"
    with reporter.stage("Log to MLflow"), tracking.run(champion.name, name, tags) as run:
        configuration.log(run)
        run.log(evidence.facts | asdict(evidence.costs))
        run.log(metrics=summary.metrics(comparison, "champion", "challenger"))
        run.log_json(
            "comparison.json",
            {
                "champion": asdict(first),
                "challenger": asdict(second),
                "over": evidence.over,
                "verdict": sentence,
                "notes": list(evidence.notes),
                "costs": asdict(evidence.costs),
                "figures": summary.as_json(comparison),
            },
        )
    return Compared(
        first, second, comparison, evidence.over, sentence, evidence.notes,
        run.id, tracking.url(run),
    )  # fmt: skip
