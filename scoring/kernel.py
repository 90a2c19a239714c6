"""The compiled part of exact TreeSHAP: fill the leaves' tables, and explain rows with them.

A leaf's SHAP values depend on a row only through one bit for each distinct feature of its path:
whether the row meets all of the path's conditions on that feature. So a table of 2^bits rows a leaf
holds all that it can ever contribute (Yang, "Fast TreeSHAP", arXiv 2109.09847, version 2).

Numba compiles this once a machine and keeps the result on disk; it runs without the interpreter's
lock.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from scoring.features import FEATURE_NAMES, FloatArray
from scoring.trees import MISSING_NAN, MISSING_ZERO, IntArray

WIDTH = len(FEATURE_NAMES) + 1
"""Numbers in a table's row: a contribution a feature, and the margin."""
ZERO = float(np.float32(1e-35))
"""LightGBM's kZeroThreshold: what lies within counts as 0."""
POINTS = WIDTH // 2
"""Quadrature points that are exact for a path of all features."""
NO_TABLE = -1


class Forest(NamedTuple):
    """Trees as flat arrays; a `*_start` array has one more entry than what it indexes.

    A node's slot within its tree is the split's index, or the number of splits plus the leaf's.

    Attributes:
        split_start, leaf_start: int64, by tree.
        feature, threshold, missing, default_left: by split, see `scoring.trees.Tree`.
        left_slot, right_slot: int64, by split.
        bit, is_new: int64, by split: its feature's bit in the paths below, and whether no split
            above is on the same feature.
        leaf_value: float64, by leaf, log-odds. leaf_table: int64, row of `table`, or NO_TABLE.
        condition_start: int64, by leaf; a leaf has a condition for each feature of its path.
        condition_feature: int64. condition_fraction: float64, the share of the training rows at
            the splits on this feature that goes the leaf's way.
        condition_ratio: float64 (conditions, POINTS), (1 - z) / (t + z (1 - t)) with z the fraction
            and t the leaf's points.
        points, weights: float64 (POINTS + 1, POINTS), quadrature on [0, 1]; row n has n points.
        table: float64 (rows, WIDTH).
    """

    split_start: IntArray
    leaf_start: IntArray
    feature: IntArray
    threshold: FloatArray
    missing: IntArray
    default_left: IntArray
    left_slot: IntArray
    right_slot: IntArray
    bit: IntArray
    is_new: IntArray
    leaf_value: FloatArray
    leaf_table: IntArray
    condition_start: IntArray
    condition_feature: IntArray
    condition_fraction: FloatArray
    condition_ratio: FloatArray
    points: FloatArray
    weights: FloatArray
    table: FloatArray


@njit(nogil=True, cache=True)
def add_leaf(forest: Forest, leaf: int, path: int, out: FloatArray) -> None:
    """Add a leaf's contributions, and its value where all conditions are met.

    With o_i the path's bits (1: met) and z_i the fractions, feature i contributes
    value * (o_i - z_i) times the integral over t in [0, 1] of the product over the other features j
    of o_j t + z_j (1 - t): expanding the product gives Shapley's weights as Beta integrals (arXiv
    2605.04497). It is a polynomial in t, so Gauss-Legendre quadrature is exact.

    Args:
        forest, leaf: which.
        path: its bits.
        out: float64 (WIDTH,).
    """
    first = forest.condition_start[leaf]
    count = forest.condition_start[leaf + 1] - first
    if path == (1 << count) - 1:
        out[WIDTH - 1] += forest.leaf_value[leaf]
    row = (count + 1) // 2
    for q in range(row):
        t = forest.points[row, q]
        product = forest.leaf_value[leaf] * forest.weights[row, q]
        for i in range(count):
            product *= forest.condition_fraction[first + i] * (1.0 - t) + t * ((path >> i) & 1)
        for i in range(count):
            # (o - z) / (o t + z (1 - t)); where the condition is not met, z cancels.
            ratio = forest.condition_ratio[first + i, q] if (path >> i) & 1 else -1.0 / (1.0 - t)
            out[forest.condition_feature[first + i]] += product * ratio


@njit(nogil=True, cache=True)
def fill(forest: Forest) -> None:
    """Fill the table, which has to be zero."""
    for leaf in range(forest.leaf_value.size):
        first = forest.leaf_table[leaf]
        if first != NO_TABLE:
            conditions = forest.condition_start[leaf + 1] - forest.condition_start[leaf]
            for path in range(1 << conditions):
                add_leaf(forest, leaf, path, forest.table[first + path])


@njit(nogil=True, cache=True)
def explain(forest: Forest, matrix: FloatArray, out: FloatArray) -> None:
    """Add every row's contributions and margin to `out`.

    The margin adds the trees' leaf values in LightGBM's order, so it is equal to the last bit.

    Args:
        forest: with its table filled.
        matrix: float64 (n, features), C-contiguous.
        out: float64 (n, WIDTH).
    """
    most_leaves = 0
    for tree in range(forest.leaf_start.size - 1):
        most_leaves = max(most_leaves, forest.leaf_start[tree + 1] - forest.leaf_start[tree])
    path = np.zeros(2 * most_leaves, np.int64)
    total = np.empty(WIDTH)
    zero_is_missing = np.any(forest.missing == MISSING_ZERO)
    # LightGBM leaves such values out when it reads a row, so that they count as 0.
    values = np.where(np.abs(matrix) <= ZERO, 0.0, matrix)
    is_plain = np.empty(out.shape[0], np.bool_)
    for row in range(out.shape[0]):
        is_plain[row] = not (zero_is_missing or np.isnan(values[row]).any())
    for tree in range(forest.leaf_start.size - 1):
        first_split, end_split = forest.split_start[tree], forest.split_start[tree + 1]
        first_leaf, end_leaf = forest.leaf_start[tree], forest.leaf_start[tree + 1]
        for row in range(out.shape[0]):
            for split in range(first_split, end_split):
                value = values[row, forest.feature[split]]
                if is_plain[row]:
                    left = np.int64(value <= forest.threshold[split])
                else:
                    left = _goes_left(forest, split, value)
                bit = forest.bit[split]
                above = path[split - first_split] | (forest.is_new[split] << bit)
                path[forest.left_slot[split]] = above & ~((1 - left) << bit)
                path[forest.right_slot[split]] = above & ~(left << bit)
            total[:] = 0.0
            for leaf in range(first_leaf, end_leaf):
                bits = path[end_split - first_split + leaf - first_leaf]
                if forest.leaf_table[leaf] == NO_TABLE:
                    add_leaf(forest, leaf, bits, total)
                else:
                    at = forest.leaf_table[leaf] + bits
                    for j in range(WIDTH):
                        total[j] += forest.table[at, j]
            for j in range(WIDTH):
                out[row, j] += total[j]


@njit(nogil=True, cache=True)
def _goes_left(forest: Forest, split: int, value: float) -> np.int64:
    """Say whether a value goes left, 1 or 0, as LightGBM's Tree::NumericalDecision."""
    missing = forest.missing[split]
    if np.isnan(value):
        if missing == MISSING_NAN:
            return np.int64(forest.default_left[split])
        value = 0.0
    if value == 0.0 and missing == MISSING_ZERO:
        return np.int64(forest.default_left[split])
    return np.int64(value <= forest.threshold[split])
