"""Calibrators: functions from a margin (log-odds) to a calibrated probability, stored as numbers.

This module applies, checks and (de)serialises calibrators; `training` fits them. All three kinds
are non-decreasing, so calibration never reorders transactions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from scoring.columns import FloatArray

PROBABILITY_FLOOR = 1e-6
"""Smallest probability, and 1 minus the largest: no finite sample supports 0 or 1, and an isotonic
fit gives both without this bound."""


class Calibrator(Protocol):
    """A function from margins to probabilities, element by element."""

    @property
    def kind(self) -> str:
        """Kind of calibrator: `uncalibrated`, `sigmoid`, `beta` or `isotonic`."""
        ...

    def __call__(self, margin: FloatArray) -> FloatArray:
        """Return probabilities, never 0 or 1, in the shape of `margin`.

        Args:
            margin: log-odds.
        """
        ...

    def as_numbers(self) -> dict[str, Any]:
        """Return the calibrator as JSON-ready numbers; `calibrator_from_numbers` is the inverse."""
        ...


def sigmoid(margin: FloatArray) -> FloatArray:
    """Return 1 / (1 + exp(-margin)) without overflow: the probability before calibration."""
    half: FloatArray = np.tanh(margin * 0.5)
    return 0.5 * (1.0 + half)


def _bounded(probability: FloatArray) -> FloatArray:
    bounded: FloatArray = np.clip(probability, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR)
    return bounded


@dataclass(frozen=True, slots=True)
class SigmoidCalibrator:
    """sigmoid(slope * margin + intercept); Platt, "Probabilistic Outputs for SVMs" (1999).

    With slope 1 and intercept 0 it is the booster's own probability, and its kind `uncalibrated`.
    It is stored as a sigmoid all the same, because every release reads that.

    Raises:
        ValueError: a parameter is not finite, or the slope is negative.
    """

    slope: float
    intercept: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.slope) and np.isfinite(self.intercept) and self.slope >= 0):
            raise ValueError("a sigmoid calibrator needs finite numbers and a slope >= 0")

    @property
    def kind(self) -> str:
        """See `Calibrator`."""
        return "uncalibrated" if (self.slope, self.intercept) == (1.0, 0.0) else "sigmoid"

    def __call__(self, margin: FloatArray) -> FloatArray:
        """See `Calibrator`."""
        return _bounded(sigmoid(self.slope * margin + self.intercept))

    def as_numbers(self) -> dict[str, Any]:
        """See `Calibrator`."""
        return {"kind": "sigmoid", "slope": self.slope, "intercept": self.intercept}


@dataclass(frozen=True, slots=True)
class BetaCalibrator:
    """sigmoid(a ln p - b ln(1 - p) + c) with p = sigmoid(margin).

    Kull, Silva Filho, Flach, "Beta calibration" (AISTATS 2017), with a, b >= 0.

    Raises:
        ValueError: a parameter is not finite, or a or b is negative.
    """

    a: float
    b: float
    c: float
    kind = "beta"

    def __post_init__(self) -> None:
        finite = all(np.isfinite(value) for value in (self.a, self.b, self.c))
        if not (finite and self.a >= 0 and self.b >= 0):
            raise ValueError("a beta calibrator needs finite a, b >= 0 and a finite c")

    def __call__(self, margin: FloatArray) -> FloatArray:
        """See `Calibrator`."""
        log_p = -np.logaddexp(0.0, -margin)
        log_q = -np.logaddexp(0.0, margin)
        return _bounded(sigmoid(self.a * log_p - self.b * log_q + self.c))

    def as_numbers(self) -> dict[str, Any]:
        """See `Calibrator`."""
        return {"kind": self.kind, "a": self.a, "b": self.b, "c": self.c}


@dataclass(frozen=True, slots=True)
class IsotonicCalibrator:
    """Linear interpolation between knots, and a constant beyond the outermost knots.

    Zadrozny, Elkan, "Transforming Classifier Scores into Accurate Multiclass Probability
    Estimates" (KDD 2002).

    Attributes:
        margins: margins of the knots, strictly increasing, at least one.
        probabilities: one probability for each knot, in [0, 1], non-decreasing.

    Raises:
        ValueError: a margin or probability breaks these rules.
    """

    margins: tuple[float, ...]
    probabilities: tuple[float, ...]
    kind = "isotonic"

    def __post_init__(self) -> None:
        x, y = np.asarray(self.margins), np.asarray(self.probabilities)
        if not (
            x.ndim == 1
            and x.size
            and x.shape == y.shape
            and np.isfinite(x).all()
            and (np.diff(x) > 0).all()
            and (np.diff(y) >= 0).all()
            and (y >= 0).all()
            and (y <= 1).all()
        ):
            raise ValueError(
                "an isotonic calibrator needs strictly increasing finite margins and as many "
                "non-decreasing probabilities in [0, 1]"
            )

    def __call__(self, margin: FloatArray) -> FloatArray:
        """See `Calibrator`."""
        return _bounded(np.interp(margin, self.margins, self.probabilities))

    def as_numbers(self) -> dict[str, Any]:
        """See `Calibrator`."""
        return {
            "kind": self.kind,
            "margins": list(self.margins),
            "probabilities": list(self.probabilities),
        }


UNCALIBRATED = SigmoidCalibrator(1.0, 0.0)
"""Calibrator that changes nothing."""


def calibrator_from_numbers(numbers: Mapping[str, Any]) -> Calibrator:
    """Return the calibrator that `Calibrator.as_numbers` serialised.

    Args:
        numbers: result of `Calibrator.as_numbers`, possibly read from JSON.

    Raises:
        ValueError: the kind is unknown, or a number is missing or out of range.
    """
    try:
        match numbers["kind"]:
            case "sigmoid":
                return SigmoidCalibrator(float(numbers["slope"]), float(numbers["intercept"]))
            case "beta":
                return BetaCalibrator(*(float(numbers[name]) for name in "abc"))
            case "isotonic":
                return IsotonicCalibrator(
                    tuple(map(float, numbers["margins"])),
                    tuple(map(float, numbers["probabilities"])),
                )
            case kind:
                raise ValueError(f"unknown calibrator kind {kind!r}")
    except (KeyError, TypeError) as error:
        raise ValueError(f"the calibrator is incomplete or malformed: {error}") from error
