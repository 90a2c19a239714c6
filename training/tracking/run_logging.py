"""Log the steps of a training in its run: nested runs, figures, pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from registry.publish.tracking import Run
from training.data.split import Split
from training.pipeline.pipeline import Learned, Sample
from training.reporting import plots
from training.reporting.model_card import Influence, Picture, influences

SHAP_FRAUDS, SHAP_OTHERS = 400, 1600
"""Payments in the SHAP picture; at their true rate frauds would be invisible."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Pictures of a model, and the numbers of the SHAP picture.

    Attributes:
        pictures: plots as PNG files.
        influences: mean size of the contributions of each feature.
    """

    pictures: tuple[Picture, ...]
    influences: tuple[Influence, ...]


def log_learned(run: Run, learned: Learned, calibrators: str) -> None:
    """Log each step as a nested run, and the test part's figures.

    Args:
        run: open run.
        learned: model and its figures.
        calibrators: phrase on the data on which the calibrators were compared.
    """
    fitted, calibration, curve = learned.fitted, learned.calibration, learned.curve
    with run.nested("fit") as nested:
        nested.log(fitted.parameters, {"rounds": fitted.rounds, "leaves": fitted.leaves})
        nested.log_series("stopping_log_loss", fitted.stopping_log_loss)
    with run.nested("calibration") as nested:
        nested.log({"kind": calibration.calibrator.kind, "calibrators": calibrators})
        for comparison in calibration.comparisons:
            numbers = asdict(comparison)
            kind = numbers.pop("kind")
            nested.log(metrics={f"{kind}_{name}": value for name, value in numbers.items()})
        nested.log_json("calibrator.json", calibration.calibrator.as_numbers())
    with run.nested("threshold") as nested:
        nested.log(
            learned.model.policy.cost_model.as_numbers(),
            {
                "threshold": curve.chosen,
                "tied_from": curve.lowest,
                "tied_to": curve.highest,
                "net_savings": curve.chosen_savings,
                "net_savings_best": float(curve.savings[curve.best]),
                "net_savings_perfect": curve.perfect,
            },
        )
    run.log(metrics=learned.evaluation.figures())


def draw(run: Run, learned: Learned, sample: Sample, parts: Split) -> Drawn:
    """Draw the pictures and log them under `plots/`.

    The contributions are those of the threshold part; the test part is for evaluation only.
    """
    model, evaluation = learned.model, learned.evaluation
    rows = parts.threshold.rows
    is_fraud = sample.is_fraud[rows]
    rng = np.random.default_rng(0)
    shown = np.concatenate(
        [
            rng.permutation(np.flatnonzero(is_fraud))[:SHAP_FRAUDS],
            rng.permutation(np.flatnonzero(~is_fraud))[:SHAP_OTHERS],
        ]
    )
    explained = model.explain_matrix(np.ascontiguousarray(sample.matrix[rows][shown]))
    on = f"the test part, {parts.test.span}"
    figures = {
        "precision_recall": plots.precision_recall(evaluation, on, model.policy.threshold),
        "reliability": plots.reliability(evaluation, on, model.calibrator.kind),
        "cost_curve": plots.cost(learned.curve),
        "shap_summary": plots.shap_summary(
            explained.contributions,
            explained.features,
            explained.base_value,
            model.features.described,
        ),
    }
    pictures = tuple(
        Picture(plots.TITLES[name], run.log_picture(f"{name}.png", figure))
        for name, figure in figures.items()
    )
    return Drawn(
        pictures,
        influences(
            explained.contributions,
            is_fraud[shown],
            float(is_fraud.mean()),
            model.features.described,
        ),
    )
