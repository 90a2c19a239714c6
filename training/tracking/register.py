"""Register a trained model with its card."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from registry.publish.registration import registering
from registry.publish.tracking import Card, Run
from registry.verify.booster_file import check_booster
from scoring.counted import counted
from scoring.model.fraud_model import FraudModel
from scoring.prediction import ModelVersion
from scoring.transaction import PAYSIM
from training.data.labelled_events import LabelledEvents
from training.data.split import Split
from training.pipeline.evaluation import Evaluation
from training.pipeline.golden_rows import golden_rows
from training.pipeline.pipeline import Learned, Sample
from training.reporting.model_card import CardFacts, CardPart, inputs, render
from training.tracking.provenance import versions
from training.tracking.run_logging import Drawn

_ROLES = {
    "fit": "fitting the trees; early stopping on its last hours",
    "calibrate": "fitting the calibrator",
    "threshold": "choosing the threshold",
    "test": "the figures only",
}
_TUNED_ON_PAYSIM = (
    "The booster's default settings were chosen by the figures on the test part of PaySim; figures "
    "on PaySim itself are therefore a little too good."
)
_SHOWN_TAGS = ("pr_auc", "ece", "precision", "recall", "net_savings_share")


def register(
    run: Run,
    name: str,
    data: LabelledEvents,
    parts: Split,
    sample: Sample,
    learned: Learned,
    drawn: Drawn,
    random: Evaluation | None,
    random_note: str,
    seed: int,
    tags: Mapping[str, str],
) -> ModelVersion:
    """Log the model's files, register them under `name`, and attach the card.

    Args:
        run: open run, whose figures and pictures are logged already.
        name: name of the registered model.
        data: transactions that the model was trained on.
        parts: split of the transactions by time.
        sample: features and labels of the transactions.
        learned: model and its figures.
        drawn: pictures of the model.
        random: figures on a random split, or None without one.
        random_note: interpretation of the difference between the two splits.
        seed: seed of the booster.
        tags: tags of the run; the version gets those that are not MLflow's own.
    """
    model = learned.model
    commit = tags.get("mlflow.source.git.commit", "unknown")
    own_tags = {key: value for key, value in tags.items() if not key.startswith("mlflow.")}

    def card(version: ModelVersion) -> Card:
        return render(
            CardFacts(
                version=version,
                made_by=f"Trained on {data.source}.",
                made_at=datetime.now(UTC),
                data=_data_facts(data, parts),
                parts=[
                    CardPart(
                        part.name,
                        _ROLES[part.name],
                        " to ".join(data.scale.bounds(part.rows)),
                        part.row_count,
                        part.fraud_count,
                    )
                    for part in parts
                ],
                inputs=inputs(model.features),
                policy=model.policy,
                threshold_source="the net savings on the threshold part, see the cost curve",
                evaluation=learned.evaluation,
                calibrator_kind=model.calibrator.kind,
                comparisons=learned.calibration.comparisons,
                compared_on=learned.calibration.data(data.scale.bounds, parts.calibrate.rows.start),
                provenance={
                    "MLflow run": run.id,
                    "git commit": commit,
                    "seed": str(seed),
                    "trees, leaves": f"{learned.fitted.rounds}, {learned.fitted.leaves:,}",
                    **versions(),
                    **{key: value for key, value in own_tags.items() if key.startswith("tuned_")},
                },
                random=random,
                random_note=random_note,
                influences=drawn.influences,
                caveats=[_TUNED_ON_PAYSIM] if data.event_type is PAYSIM else [],
                pictures=drawn.pictures,
            )
        )

    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "model"
        directory.mkdir()
        score = model.calibrator(learned.margins["threshold"])
        golden = golden_rows(
            sample.matrix[parts.threshold.rows], score, model.policy, model.features.described
        )
        model.save(directory, golden)
        # Apply the service's checks before the version is registered.
        check_booster(directory / "booster.txt")
        FraudModel.load(directory)
        figures = learned.evaluation.figures()
        version_tags = {
            **own_tags,
            "git_commit": commit,
            "calibration": model.calibrator.kind,
            "threshold": f"{model.policy.threshold:.6g}",
            **{tag: f"{figures[tag]:.6g}" for tag in _SHOWN_TAGS},
        }
        with registering(
            run, directory, name, tags=version_tags, metrics=figures, card=card
        ) as version:
            pass
    return version


def _data_facts(data: LabelledEvents, parts: Split) -> dict[str, str]:
    scale = data.scale
    used = slice(0, parts.test.rows.stop)
    facts = {
        "source": data.source,
        "SHA-256 of the numbers": data.fingerprint,
        **({scale.heading: " to ".join(scale.bounds(used))} if scale.is_by_time else {}),
        "rows": f"{parts.test.rows.stop:,}",
        "frauds": f"{sum(part.fraud_count for part in parts):,}",
        "split": "by time, at hour boundaries, in four parts"
        if scale.is_by_time
        else "at random, in four parts, since the rows have no time",
    }
    if parts.dropped_rows:
        facts["left out"] = (
            f"{counted(parts.dropped_rows, 'row')} with {counted(parts.dropped_frauds, 'fraud')} "
            "after "
            f"{scale.place(used.stop - 1)}"
        )
    return facts
