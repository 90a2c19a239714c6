"""Fit three calibrators, compare them and none on data that no fit used, and keep the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from scoring.columns import BoolArray, FloatArray
from scoring.counted import counted
from scoring.evaluation.probability_metrics import brier, expected_calibration_error, log_losses
from scoring.evaluation.weights import scaled
from scoring.model.calibration import (
    UNCALIBRATED,
    BetaCalibrator,
    Calibrator,
    IsotonicCalibrator,
    SigmoidCalibrator,
    sigmoid,
)
from training.errors import TrainingError


@dataclass(frozen=True, slots=True)
class KindMetrics:
    """Metrics of one calibrator on the later half of the calibrate part; lower is better.

    Attributes:
        kind: name of a fixed calibrator, or a calibrator's kind.
        log_loss: mean log loss, nats.
        brier: Brier score.
        ece: expected calibration error.
        behind: mean log loss minus that of the best calibrator.
        behind_error: standard error of `behind`, see `calibrate`.
    """

    kind: str
    log_loss: float
    brier: float
    ece: float
    behind: float
    behind_error: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The chosen calibrator and the comparison that it was chosen by.

    Attributes:
        calibrator: calibrator to serve, fitted on the whole part.
        chosen: name of that calibrator in `comparisons`.
        comparisons: metrics of every calibrator that was tried.
        fitted: rows that the compared calibrators were fitted on.
        compared: rows that they were compared on, later than `fitted`.
    """

    calibrator: Calibrator
    chosen: str
    comparisons: tuple[KindMetrics, ...]
    fitted: slice
    compared: slice

    @property
    def why_not_the_best(self) -> str | None:
        """A sentence on why the chosen calibrator is not that of the least loss; None if it is."""
        best = min(self.comparisons, key=lambda tried: tried.log_loss).kind
        if best == self.chosen:
            return None
        reason = "has fewer parameters" if self.chosen in CALIBRATORS else "needs no new fit"
        near = f"within one standard error of the best log loss ({best})"
        return f"{self.chosen} is {near} and {reason}."

    def data(self, span: Callable[[slice], tuple[str, str]], first_row: int = 0) -> str:
        """Return a phrase on the data of the comparison.

        Args:
            span: function from rows to their first and last moment.
            first_row: number that `span` gives to the first row of the calibrate part.
        """
        fitted, compared = (
            " to ".join(span(slice(rows.start + first_row, rows.stop + first_row)))
            for rows in (self.fitted, self.compared)
        )
        count = self.compared.stop - self.compared.start
        return (
            f"fitted on the earlier half of the calibrate part ({fitted}), compared on the later "
            f"({compared}, {counted(count, 'row')})"
        )


def calibrate(
    margin: FloatArray,
    is_fraud: BoolArray,
    step: FloatArray,
    fixed: Mapping[str, Calibrator] | None = None,
    weights: FloatArray | None = None,
) -> Calibration:
    """Choose a calibrator by log loss, a proper score, and fit it.

    The rows are cut at the median time of the frauds. Each kind is fitted on the earlier half and
    compared on the later. Kinds whose loss is within one standard error of the best are tied, and
    the tied one with the fewest parameters is chosen: sigmoid, then beta, then isotonic.

    The booster's own probabilities stay uncalibrated only if they have the least loss of all. They
    have no parameters and would win nearly every tie, mostly at a loss: on the threshold part of
    twelve simulated months (seeds 104 to 115) the mean log loss is 0.01049 if they win ties and
    0.01032 by this rule.

    The standard error always includes one more fraud, scored at the average rate. Without that
    fraud, isotonic is chosen on nearly separable data by 1e-5 nats, and its jump between the
    classes misses frauds of a new kind (PaySim, three seeds, on the steps that this rule was chosen
    on: two to three of 165 missed with isotonic, none with sigmoid). The chosen kind is fitted
    again on all rows, since frauds are scarce; the metrics are those of the first fit.

    Args:
        margin: log-odds in time order, float64 (n,).
        is_fraud: labels, bool (n,), at least two true.
        step: hours or any other time, non-decreasing, float64 (n,).
        fixed: calibrators that need no fit, by their name in the comparison. They have no
            parameters to fit, so they precede the other kinds, uncalibrated too, in a tie.
        weights: number of transactions that each stands for, before scaling
            (`scoring.evaluation.weights`), float64 (n,); None: one each.

    Raises:
        TrainingError: one half by time lacks frauds or honest transactions.
    """
    if weights is None:
        weights = np.ones(margin.size)
    is_fraud = is_fraud & (weights > 0)
    # At a step boundary with half of the frauds on each side, since frauds are scarce.
    middle = int(np.searchsorted(step, np.median(step[is_fraud])))
    early, late = slice(0, middle), slice(middle, margin.size)
    if not is_fraud[early].any() or is_fraud[early].all() or is_fraud[late].all():
        raise TrainingError(
            "The calibration part cannot be cut by time into two halves with frauds and honest "
            "transactions in each. Give labels of a longer period."
        )
    unfitted = dict(fixed or {})
    unfitted[UNCALIBRATED.kind] = UNCALIBRATED
    probabilities = {kind: calibrator(margin[late]) for kind, calibrator in unfitted.items()} | {
        kind: fit(margin[early], is_fraud[early], scaled(weights[early]))(margin[late])
        for kind, fit in CALIBRATORS.items()
    }
    counts = scaled(weights[late])
    losses = {kind: log_losses(p, is_fraud[late]) for kind, p in probabilities.items()}
    best = losses[min(losses, key=lambda kind: float(np.average(losses[kind], weights=counts)))]
    comparisons = tuple(
        _compared(kind, probability, is_fraud[late], best, counts)
        for kind, probability in probabilities.items()
    )
    winner = next(
        c.kind
        for c in comparisons
        if c.behind <= (0.0 if c.kind == UNCALIBRATED.kind else c.behind_error)
    )
    calibrator = (
        unfitted[winner]
        if winner in unfitted
        else CALIBRATORS[winner](margin, is_fraud, scaled(weights))
    )
    return Calibration(calibrator, winner, comparisons, early, late)


def _compared(
    kind: str, probability: FloatArray, is_fraud: BoolArray, best: FloatArray, counts: FloatArray
) -> KindMetrics:
    losses = log_losses(probability, is_fraud)
    difference = losses - best
    behind = np.average(difference, weights=counts)
    spread = np.square(counts * (difference - behind)).sum()
    one_fraud = -np.log(np.average(is_fraud, weights=counts))
    error = np.sqrt(spread + one_fraud**2) / counts.sum()
    return KindMetrics(
        kind=kind,
        log_loss=float(np.average(losses, weights=counts)),
        brier=brier(probability, is_fraud, counts),
        ece=expected_calibration_error(probability, is_fraud, counts=counts),
        behind=float(behind),
        behind_error=float(error),
    )


def smoothed_targets(is_fraud: BoolArray) -> FloatArray:
    """Return targets moved off 0 and 1 by the rule of succession, float64 (n,).

    (F + 1) / (F + 2) for the F frauds and 1 / (L + 2) for the L others: Platt (1999), section 2.2.
    Where the margins separate the sample perfectly, targets of 0 and 1 make the slope infinite and
    every probability 0 or 1, which no finite sample supports.
    """
    frauds = int(np.count_nonzero(is_fraud))
    others = is_fraud.size - frauds
    return np.where(is_fraud, (frauds + 1) / (frauds + 2), 1 / (others + 2))


def fit_sigmoid(
    margin: FloatArray, is_fraud: BoolArray, counts: FloatArray | None = None
) -> SigmoidCalibrator:
    """Fit Platt's sigmoid with a slope >= 0, on smoothed targets; arguments as for `fit_beta`."""
    slope, intercept = _logistic(margin[:, None], smoothed_targets(is_fraud), counts)
    return SigmoidCalibrator(slope, intercept)


def fit_beta(
    margin: FloatArray, is_fraud: BoolArray, counts: FloatArray | None = None
) -> BetaCalibrator:
    """Fit beta calibration: logistic regression on ln p and -ln(1 - p), on smoothed targets.

    Kull, Silva Filho, Flach (AISTATS 2017), algorithm 1. The paper drops a negative coefficient and
    fits again; a lower bound of 0 on both reaches the same optimum, as the loss is convex.

    Args:
        margin: log-odds, float64 (n,).
        is_fraud: labels, bool (n,).
        counts: number of transactions that each stands for, float64 (n,); None: one each.
    """
    inputs = np.column_stack([-np.logaddexp(0.0, -margin), np.logaddexp(0.0, margin)])
    a, b, c = _logistic(inputs, smoothed_targets(is_fraud), counts)
    return BetaCalibrator(a, b, c)


def fit_isotonic(
    margin: FloatArray, is_fraud: BoolArray, counts: FloatArray | None = None
) -> IsotonicCalibrator:
    """Fit the step function of least squares, on smoothed targets; arguments as for `fit_beta`."""
    regression = IsotonicRegression(out_of_bounds="clip")
    regression.fit(margin, smoothed_targets(is_fraud), counts)
    return IsotonicCalibrator(
        tuple(map(float, regression.X_thresholds_)),
        tuple(map(float, np.clip(regression.y_thresholds_, 0.0, 1.0))),
    )


CALIBRATORS: Mapping[str, Callable[[FloatArray, BoolArray, FloatArray | None], Calibrator]] = {
    "sigmoid": fit_sigmoid,
    "beta": fit_beta,
    "isotonic": fit_isotonic,
}
"""Fit function by kind of calibrator, fewest parameters first."""


def _logistic(
    inputs: FloatArray, target: FloatArray, counts: FloatArray | None
) -> tuple[float, ...]:
    """Minimise the mean log loss of sigmoid(inputs @ w + c) with w >= 0; return (*w, c)."""
    if counts is None:
        counts = np.ones(target.size)
    size = counts.sum()
    scale = np.maximum(np.abs(inputs).max(axis=0), 1e-12)
    design = np.column_stack([inputs / scale, np.ones(inputs.shape[0])])

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        margin = design @ weights
        value = (counts * (np.logaddexp(0.0, margin) - target * margin)).sum() / size
        return float(value), design.T @ (counts * (sigmoid(margin) - target)) / size

    rate = float((counts * target).sum() / size)
    start = np.append(np.ones(inputs.shape[1]), np.log(rate / (1 - rate)))
    bounds = [(0.0, None)] * inputs.shape[1] + [(None, None)]
    optimum = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds,
        options={"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-10},
    )  # fmt: skip
    return (*(float(w) for w in optimum.x[:-1] / scale), float(optimum.x[-1]))
