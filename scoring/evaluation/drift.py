"""Drift: how far a model's inputs and scores are from those of its training.

The measure is the population stability index over the bins of the training distribution,

    PSI = sum over bins of (a - e) ln(a / e),

with `e` the share of the training rows in a bin and `a` the share of the window's rows. It is the
symmetric Kullback-Leibler divergence in nats, 0 where the distributions are equal (N. Siddiqi,
"Credit Risk Scorecards", 2006, which also defines MODERATE and MAJOR). Half a row is added to each
bin on both sides (the Jeffreys prior), so that the term of an empty bin is finite and its weight
depends on the number of rows; with a fixed minimum share, it would depend on that choice.

Two samples of the same distribution, of n and m rows in B bins, differ by chance: PSI is then
about (1/n + 1/m) times a chi-square variable of B - 1 degrees of freedom (B. Yurdakul, "Statistical
Properties of Population Stability Index", Western Michigan University, 2018). Where chance alone
could reach MODERATE, no PSI is returned.

The packages that compute PSI (Evidently, NannyML) need pandas, scikit-learn and the rows; here
Postgres counts the rows in each bin, and the rest is one line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from scoring.columns import FloatArray

SCORE = "score"
"""Name of the calibrated score among the measured quantities."""

MODERATE = 0.1
MAJOR = 0.25

Level = Literal["stable", "moderate", "major", "insufficient", "empty", "constant"]
"""How far a distribution has moved, or why there is no PSI: too few rows, no rows, or one bin."""

_PRIOR = 0.5
_Z = 3.0902
"""Quantile of the standard normal distribution, exceeded once in a thousand."""


@dataclass(frozen=True, slots=True)
class Binned:
    """The distribution of one quantity in training.

    Attributes:
        edges: e_1 < ... < e_k, k >= 0; a value equal to an edge is in the bin above it.
        proportions: k + 1 shares of the rows, which sum to 1.
        rows: number of rows, at least 1.
    """

    edges: tuple[float, ...]
    proportions: tuple[float, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class Shift:
    """The distance between the distributions of a window and of training.

    Attributes:
        level: `stable` below MODERATE, `moderate` from there, `major` from MAJOR on;
            `insufficient` where chance alone could reach MODERATE, `empty` without rows, `constant`
            where training has one value only, so nothing can be compared.
        psi: population stability index in nats, at least 0; None for the last three levels.
        expected_without_drift: mean of the index without drift; None without rows or bins.
        limit_without_drift: value that the index exceeds without drift once in a thousand windows;
            None without rows or bins.
    """

    level: Level
    psi: float | None
    expected_without_drift: float | None
    limit_without_drift: float | None


def shift(trained: Binned, counts: Sequence[int]) -> Shift:
    """Compare a window with training.

    Args:
        trained: distribution in training.
        counts: number of the window's rows in each bin of `trained`.
    """
    rows = sum(counts)
    if not trained.edges:
        return Shift("constant", None, None, None)
    if not rows:
        return Shift("empty", None, None, None)
    degrees = len(trained.edges)
    chance = 1 / rows + 1 / trained.rows
    expected, limit = degrees * chance, _chi_square_quantile(degrees) * chance
    if limit >= MODERATE:
        return Shift("insufficient", None, expected, limit)
    before = _shares(np.asarray(trained.proportions) * trained.rows)
    now = _shares(np.asarray(counts, dtype=np.float64))
    psi = float(np.sum((now - before) * np.log(now / before)))
    level: Level = "stable" if psi < MODERATE else "moderate" if psi < MAJOR else "major"
    return Shift(level, psi, expected, limit)


def training_distribution(numbers: Mapping[str, Any]) -> dict[str, Binned]:
    """Read the training distribution of a model version from its `features.json`.

    Args:
        numbers: content of the file, which `training/pipeline/distribution.py` writes.

    Returns:
        Distributions by feature name and SCORE; empty where the version has none.

    Raises:
        ValueError: the numbers are no distribution; the message names the feature.
    """
    if not numbers:
        return {}
    try:
        features = {
            name: _binned(name, bins, numbers["feature_rows"])
            for name, bins in numbers["features"].items()
        }
        return features | {SCORE: _binned(SCORE, numbers["score"], numbers["score_rows"])}
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"the training distribution is not usable: {error!r}") from error


def _binned(name: str, bins: Mapping[str, Any], rows: int) -> Binned:
    edges = np.asarray(bins["edges"], dtype=np.float64)
    proportions = np.asarray(bins["proportions"], dtype=np.float64)
    usable = (
        edges.ndim == proportions.ndim == 1
        and proportions.size == edges.size + 1
        and bool(np.isfinite(edges).all())
        and bool((np.diff(edges) > 0).all())
        and bool((proportions >= 0).all())
        and abs(float(proportions.sum()) - 1) < 1e-6
        and rows >= 1
    )
    if not usable:
        raise ValueError(f"the training distribution of {name} is not usable")
    return Binned(tuple(edges.tolist()), tuple(proportions.tolist()), int(rows))


def _shares(counts: FloatArray) -> FloatArray:
    filled = counts + _PRIOR
    return np.asarray(filled / filled.sum())


def _chi_square_quantile(degrees: int) -> float:
    """Return the value that a chi-square variable exceeds once in a thousand.

    The approximation is that of Wilson and Hilferty (1931); its error is 3 % at one degree of
    freedom and 0.7 % at nine. scipy.special would load scipy.linalg, 80 ms and 5 MB a process, for
    a limit that is a rule of thumb: docs/decisions/0011-libraries.md.
    """
    spread = 2 / (9 * degrees)
    return float(degrees * (1 - spread + _Z * spread**0.5) ** 3)
