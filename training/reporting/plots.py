"""Draw the pictures of a training run as matplotlib figures."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from sklearn.metrics import average_precision_score, precision_recall_curve

from scoring.columns import BoolArray, FloatArray
from scoring.described_features import DescribedFeatures
from scoring.evaluation.cost_curve import CostCurve
from scoring.model.calibration import PROBABILITY_FLOOR
from training.pipeline.evaluation import Evaluation
from training.reporting.figure_style import (
    BLUE,
    DPI,
    GREY,
    MONEY_TICKS,
    ORANGE,
    new_figure,
    set_style,
)

RELIABILITY_BINS = 12
WILSON_Z = 1.96
TITLES = {
    "precision_recall": "Precision over recall on the test part, with the threshold.",
    "reliability": "Observed fraud rate over predicted probability, before and after calibration.",
    "cost_curve": "Net savings of every threshold on the threshold part.",
    "shap_summary": "Contributions to the score: a dot per payment, frauds over-represented.",
}
"""Descriptions of the pictures, by file name."""


def precision_recall(evaluation: Evaluation, on: str, threshold: float) -> Figure:
    """Draw precision over recall, with the operating point.

    Args:
        evaluation: figures of a model.
        on: phrase on the data that they were made on.
        threshold: probability from which a payment is reviewed.
    """
    truth, score, counts = evaluation.is_fraud, evaluation.score, evaluation.counts
    precision, recall, _ = precision_recall_curve(truth, score, sample_weight=counts)
    figure, axes = new_figure(f"Precision and recall on {on}")
    area = average_precision_score(truth, score, sample_weight=counts)
    axes.plot(recall, precision, color=BLUE, linewidth=2, label=f"model (PR-AUC {area:.4f})")
    rate = float(np.average(truth, weights=counts))
    axes.axhline(rate, color=GREY, linestyle=":", label=f"chance ({rate:.2%} of payments)")
    here = evaluation.metrics
    axes.plot(
        here["recall"], here["precision"], "o", color=ORANGE, markersize=9, zorder=3,
        label=f"threshold {threshold:.3g}: recall {here['recall']:.1%}, "
        f"precision {here['precision']:.1%}",
    )  # fmt: skip
    axes.set(
        xlim=(0, 1.02), ylim=(0, 1.04),
        xlabel="Recall (share of frauds that are reviewed)",
        ylabel="Precision (share of reviews that are frauds)",
    )  # fmt: skip
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(loc="lower left", frameon=True, framealpha=0.95, edgecolor="none")
    return figure


def reliability(evaluation: Evaluation, on: str, kind: str) -> Figure:
    """Draw observed fraud rates over predicted ones before and after calibration.

    Both axes are logarithmic, since frauds are rare; bars are 95 % Wilson intervals. A histogram
    below shows the number of payments by score.

    Args:
        evaluation: figures of a model.
        on: phrase on the data that they were made on.
        kind: kind of its calibrator.
    """
    figure = Figure(figsize=(7.5, 6.6), dpi=DPI, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    set_style(upper, f"Reliability before and after calibration ({kind}), on {on}")
    set_style(lower, "")
    floor = PROBABILITY_FLOOR / 2
    upper.plot([floor, 1], [floor, 1], color=GREY, linestyle=":", label="perfectly calibrated")
    edges = np.logspace(np.log10(PROBABILITY_FLOOR), 0, 49)
    for name, probability, ece, colour, marker in (
        ("before", evaluation.raw, evaluation.uncalibrated["ece"], ORANGE, "s"),
        ("after", evaluation.score, evaluation.metrics["ece"], BLUE, "o"),
    ):
        predicted, observed, low, high = _reliability_bins(
            probability, evaluation.is_fraud, evaluation.counts
        )
        upper.errorbar(
            predicted, observed, yerr=(observed - low, high - observed), fmt=f"{marker}-",
            color=colour, markersize=6, linewidth=1.4, elinewidth=1, capsize=3,
            label=f"{name} (ECE {ece:.2g})",
        )  # fmt: skip
        lower.hist(
            np.clip(probability, edges[0], 1), bins=edges, histtype="step",
            weights=evaluation.counts, color=colour, linewidth=1.6,
        )  # fmt: skip
    upper.set(
        xscale="log", yscale="log", xlim=(PROBABILITY_FLOOR / 1.6, 1.3), ylim=(1e-6, 1.6),
        ylabel="Observed fraud rate",
    )  # fmt: skip
    upper.legend(loc="upper left", frameon=False)
    lower.set(yscale="log", xlabel="Predicted probability of fraud", ylabel="Payments")
    return figure


def _reliability_bins(
    probability: FloatArray, is_fraud: BoolArray, counts: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return mean prediction, observed rate and its interval, per bin of equal width in log p.

    Bins without a fraud are left out: a logarithmic axis cannot show a rate of 0. The interval is
    that of as many equal rows as the weighted ones are worth (Kish, "Survey Sampling", 1965).
    """
    edges = np.logspace(np.log10(PROBABILITY_FLOOR), 0, RELIABILITY_BINS + 1)
    bin_of = np.clip(np.searchsorted(edges, probability, side="right"), 1, RELIABILITY_BINS)

    def totals(values: FloatArray) -> FloatArray:
        return np.bincount(bin_of, values, RELIABILITY_BINS + 1).astype(np.float64)

    frauds = totals(counts * is_fraud)
    shown = frauds > 0
    size, squares = totals(counts)[shown], totals(np.square(counts))[shown]
    n, rate = size**2 / squares, frauds[shown] / size
    # Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
    spread = 1 + WILSON_Z**2 / n
    centre = (rate + WILSON_Z**2 / (2 * n)) / spread
    half = WILSON_Z * np.sqrt(rate * (1 - rate) / n + WILSON_Z**2 / (4 * n**2)) / spread
    low, high = np.minimum(centre - half, rate), np.maximum(centre + half, rate)
    predicted = totals(counts * probability)[shown] / size
    return predicted, rate, np.maximum(low, 1e-9), high


def cost(curve: CostCurve) -> Figure:
    """Draw the net savings of every threshold on the threshold part, and mark the chosen one."""
    figure, axes = new_figure("Net savings by threshold, on the threshold part")
    axes.step(curve.thresholds, curve.savings, where="post", color=BLUE, linewidth=2)
    axes.axhline(
        curve.perfect, color=GREY, linestyle=":",
        label=f"perfect: every fraud, no false alarm ({MONEY_TICKS(curve.perfect)})",
    )  # fmt: skip
    axes.axvspan(
        curve.lowest, curve.highest, color=BLUE, alpha=0.10, linewidth=0,
        label="within one fraud of the best",
    )  # fmt: skip
    share = curve.chosen_savings / curve.perfect if curve.perfect else 0.0
    axes.plot(
        curve.chosen, curve.chosen_savings, "o", color=ORANGE, markersize=9, zorder=3,
        label=f"chosen: {curve.chosen:.3g} saves {MONEY_TICKS(curve.chosen_savings)} ({share:.1%})",
    )  # fmt: skip
    bottom = min(0.0, max(float(curve.savings.min()), -0.5 * curve.perfect))
    axes.set(
        xscale="log", xlim=(max(float(curve.thresholds[-1]), PROBABILITY_FLOOR), 1.0),
        ylim=(bottom * 1.05, curve.perfect * 1.15),
        xlabel="Threshold (calibrated probability from which a payment is reviewed)",
        ylabel="Net savings (money, against approving everything)",
    )  # fmt: skip
    axes.yaxis.set_major_formatter(MONEY_TICKS)
    axes.legend(loc="lower center", frameon=True, framealpha=0.95, edgecolor="none")
    return figure


MAX_SHOWN = 20
"""Features of the picture, those with the largest contributions."""


def shap_summary(
    contributions: FloatArray,
    matrix: FloatArray,
    base_value: float,
    described: DescribedFeatures,
) -> Figure:
    """Draw each feature's contributions to the log-odds, a dot per payment (shap's beeswarm).

    Args:
        contributions: contributions, log-odds, float64 (n, number of features).
        matrix: values of the features, float64 (n, number of features).
        base_value: base value, log-odds.
        described: features as people read them.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    # Imported late: shap loads numba, which takes three seconds, also for `--help`.
    import matplotlib.pyplot as plt
    import shap

    explanation = shap.Explanation(
        values=contributions,
        base_values=np.full(contributions.shape[0], base_value),
        data=matrix,
        feature_names=[feature.description for feature in described.features],
    )
    figure: Figure = plt.figure(figsize=(9.5, 5.6), dpi=DPI, layout="constrained")
    shap.plots.beeswarm(explanation, max_display=MAX_SHOWN, show=False, plot_size=None)
    axes = figure.axes[0]
    axes.set_title("Contributions to the score (SHAP)", loc="left", fontweight="bold", fontsize=11)
    axes.set_xlabel("Contribution to the log-odds of fraud", fontsize=10)
    axes.tick_params(labelsize=9)
    colours = figure.axes[1]
    colours.set_ylabel("Value of the feature", fontsize=9)
    colours.tick_params(labelsize=9)
    plt.close(figure)
    return figure
