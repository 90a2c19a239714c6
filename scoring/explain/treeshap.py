"""Exact contributions (SHAP values) of a tree ensemble, in log-odds, and the margin with them.

Path-dependent TreeSHAP (Lundberg et al., "From local explanations to global understanding with
explainable AI for trees", Nature Machine Intelligence 2020), twice: LightGBM's own `pred_contrib`,
which equals `shap.TreeExplainer` to the last bit, and tables compiled from the booster's trees
(`scoring/explain/kernel.py`), many times faster and held to the first whenever a model is loaded.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np

from scoring.explain.compiler import forest_of
from scoring.explain.kernel import WIDTH, Forest, explain
from scoring.explain.lightgbm_text import Tree, UnsupportedTrees, trees_of
from scoring.features import FEATURE_NAMES, FloatArray

logger = logging.getLogger("sentinel.scoring")

TOLERANCE = 1e-9
CHECKED_ROWS = 32


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """What the trees say of n rows.

    Attributes:
        margins: float64 (n,), LightGBM's to the last bit.
        contributions: float64 (n, f).
        base_value: base value plus a row's contributions is that row's margin.
    """

    margins: FloatArray
    contributions: FloatArray
    base_value: float


def by_lightgbm(booster: lgb.Booster, matrix: FloatArray) -> Explained:
    """Explain with LightGBM itself.

    Args:
        booster: a binary classifier. matrix: float64 (n, f), n >= 1.
    """
    # One thread: two made a single row 17 ms instead of 0.1 (fork-join cost per call).
    explained = np.asarray(booster.predict(matrix, pred_contrib=True, num_threads=1))
    return Explained(
        margins=np.asarray(booster.predict(matrix, raw_score=True, num_threads=1)),
        contributions=np.ascontiguousarray(explained[:, :-1]),
        base_value=float(explained[0, -1]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class CompiledTrees:
    """A booster's trees as tables; immutable, so any number of threads may explain at once."""

    forest: Forest
    base_value: float

    def explain(self, matrix: FloatArray) -> Explained:
        """Explain n >= 1 rows.

        Args:
            matrix: float64 (n, f), C-contiguous.
        """
        out = np.zeros((len(matrix), WIDTH))
        explain(self.forest, matrix, out)
        return Explained(out[:, -1].copy(), out[:, :-1].copy(), self.base_value)


def compile_trees(booster: lgb.Booster) -> CompiledTrees | None:
    """Compile a booster, and compare the result with LightGBM's on rows where it splits.

    Returns:
        None, and a warning in the log, where the trees have something that tables cannot say or
        the results differ; `by_lightgbm` is right for every booster.
    """
    try:
        trees = trees_of(booster.model_to_string())
        compiled = CompiledTrees(
            forest_of(trees), float(sum(tree.expected_value for tree in trees))
        )
    except UnsupportedTrees as error:
        logger.warning("explaining with LightGBM, which takes longer: %s", error)
        return None
    rows = _rows_at_the_splits(trees)
    expected, found = by_lightgbm(booster, rows), compiled.explain(rows)
    off = max(
        float(np.abs(expected.contributions - found.contributions).max()),
        abs(expected.base_value - found.base_value),
    )
    if not off <= TOLERANCE or not np.array_equal(expected.margins, found.margins):
        logger.warning("explaining with LightGBM: the compiled trees are off by %.3g", off)
        return None
    return compiled


def _rows_at_the_splits(trees: Sequence[Tree]) -> FloatArray:
    """Return rows whose every value is a threshold of its feature, one step above it, or NaN."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(CHECKED_ROWS, len(FEATURE_NAMES)))
    feature = np.concatenate([tree.feature for tree in trees])
    threshold = np.concatenate([tree.threshold for tree in trees])
    for column in np.unique(feature):
        at = rng.choice(threshold[feature == column], CHECKED_ROWS)
        rows[:, column] = np.where(rng.random(CHECKED_ROWS) < 0.5, at, np.nextafter(at, np.inf))
    rows[rng.random(rows.shape) < 0.05] = np.nan
    return rows
