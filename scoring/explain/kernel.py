"""The compiled part of exact TreeSHAP: it fills the groups' tables and explains rows with them.

A leaf's SHAP values depend on a row only through one bit for each distinct feature of the leaf's
path: whether the row satisfies all of the path's conditions on that feature. So a table of 2^bits
rows holds every possible contribution of the leaf (Yang, "Fast TreeSHAP", arXiv 2109.09847, version
2). Here the leaves of a group, a subtree at the bottom of a tree, share one table. Its index is
made of the bits of the path from the root to the group and the directions at the group's splits.

Numba compiles this module once for each machine, caches the result on disk, and runs it without the
GIL. Numba 0.68.1 recompiles a function only if its own file changes: with `Forest` in another file,
a change of its fields left the old code in the cache, which returned wrong numbers. So the arrays,
the constants and the functions stay in one file.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.explain.lightgbm_text import MISSING_NAN, MISSING_ZERO, IntArray
from scoring.features import FEATURE_NAMES, FloatArray

WIDTH = len(FEATURE_NAMES) + 1
"""Numbers in a row of a table: one contribution for each feature, and the margin."""
ZERO_THRESHOLD = float(np.float32(1e-35))
"""LightGBM's kZeroThreshold: a value that is not further from 0 counts as 0."""
POINTS = WIDTH // 2
"""Number of quadrature points that is exact for a path with all features."""
NO_TABLE = -1
MAX_BITS = 16
"""Largest number of bits of a group's index, which is a uint16."""
BLOCK = 256
"""Rows that pass a tree together, while the CPU's cache has the tree's tables. With 31,500 leaves,
blocks of 64 take 1.2 times as long; blocks of 1000 take 0.8 times as long, but four times the
memory."""
MIN_BLOCK = 4
"""Fewest rows for which it is faster to loop over rows inside the loop over splits."""

assert WIDTH == 12, "_add_tables is written for 11 features"  # noqa: S101

# A call passes every array of the forest: without inlining, one row takes 33 us instead of 26.
_inlined = njit(nogil=True, cache=True, inline="always")


class Forest(NamedTuple):
    """Trees as flat arrays.

    A `*_start` array has, for each parent, the index of its first child, and the number of all
    children at the end. The splits of a tree are first its upper splits, parents first, then the
    splits inside of its groups. The slots of a tree are first its upper splits, in order, then its
    groups. A leaf has a step for each split between the top of its group and itself, and a
    condition for each feature of its path.

    Attributes:
        split_start: first split of each tree, int64.
        upper_start: first upper split of each tree among all upper splits, int64.
        group_start: first group of each tree, int64.
        feature: as in `scoring.explain.lightgbm_text.Tree`, by split.
        threshold: as in `Tree`, by split.
        missing: as in `Tree`, by split.
        default_left: as in `Tree`, by split.
        left_slot: slot of an upper split's left child; inside a group, the group's slot; int64.
        right_slot: slot of an upper split's right child; inside a group, the group's slot; int64.
        bit: for an upper split, the feature's bit in the paths below; inside a group, the
            direction's bit (1: left) in the group's index; int64.
        is_new: 1 for an upper split whose feature no split above it uses, else 0, int64.
        group_above: number of low bits of a group's index that are the path to the group, int64.
        group_bits: number of all bits of a group's index; the others are directions, int64.
        group_table: first row of a group's table in `table`, or NO_TABLE, int64.
        leaf_start: first leaf of each group, int64.
        leaf_value: log-odds of each leaf, float64.
        step_start: first step of each leaf, int64.
        step_bit: bit of a step's feature in the leaf's path, int64.
        step_at: bit of a step's direction in the group's index, int64.
        step_left: direction of a step that leads to the leaf (1: left), int64.
        condition_start: first condition of each leaf, int64.
        condition_feature: feature of each condition, int64.
        condition_fraction: share of the training rows at the splits on the feature that follows the
            path, float64.
        condition_ratio: (1 - z) / (t + z (1 - t)) with z the fraction and t the leaf's points,
            float64 (conditions, POINTS).
        points: quadrature points on [0, 1], float64 (POINTS + 1, POINTS); row n has n points.
        weights: quadrature weights, float64 (POINTS + 1, POINTS).
        table: rows of all tables, float64 (rows, WIDTH).
    """

    split_start: IntArray
    upper_start: IntArray
    group_start: IntArray
    feature: IntArray
    threshold: FloatArray
    missing: IntArray
    default_left: IntArray
    left_slot: IntArray
    right_slot: IntArray
    bit: IntArray
    is_new: IntArray
    group_above: IntArray
    group_bits: IntArray
    group_table: IntArray
    leaf_start: IntArray
    leaf_value: FloatArray
    step_start: IntArray
    step_bit: IntArray
    step_at: IntArray
    step_left: IntArray
    condition_start: IntArray
    condition_feature: IntArray
    condition_fraction: FloatArray
    condition_ratio: FloatArray
    points: FloatArray
    weights: FloatArray
    table: FloatArray


@njit(nogil=True, cache=True)
def add_leaf(forest: Forest, leaf: int, path: int, out: FloatArray) -> None:
    """Add a leaf's contributions, and its value if the row satisfies all conditions.

    With o_i the path's bits (1: satisfied) and z_i the fractions, feature i contributes
    value * (o_i - z_i) times the integral over t in [0, 1] of the product over the other features j
    of o_j t + z_j (1 - t): expanding the product gives Shapley's weights as Beta integrals (arXiv
    2605.04497). It is a polynomial in t, so Gauss-Legendre quadrature is exact.

    Args:
        forest: forest that contains the leaf.
        leaf: index of the leaf in the forest.
        path: bits of the leaf's path.
        out: sums that are added to, float64 (WIDTH,).
    """
    first = forest.condition_start[leaf]
    count = forest.condition_start[leaf + 1] - first
    if path == (1 << count) - 1:
        out[WIDTH - 1] += forest.leaf_value[leaf]
    points = (count + 1) // 2
    for q in range(points):
        t = forest.points[points, q]
        product = forest.leaf_value[leaf] * forest.weights[points, q]
        for i in range(count):
            product *= forest.condition_fraction[first + i] * (1.0 - t) + t * ((path >> i) & 1)
        for i in range(count):
            # (o - z) / (o t + z (1 - t)); z cancels if the condition is not satisfied.
            ratio = forest.condition_ratio[first + i, q] if (path >> i) & 1 else -1.0 / (1.0 - t)
            out[forest.condition_feature[first + i]] += product * ratio


@njit(nogil=True, cache=True)
def fill_tables(forest: Forest) -> None:
    """Fill `forest.table`, which must be zero."""
    leaf_rows = np.empty((1 << (WIDTH - 1), WIDTH))
    for group in range(forest.group_table.size):
        first = forest.group_table[group]
        if first != NO_TABLE:
            for leaf in range(forest.leaf_start[group], forest.leaf_start[group + 1]):
                conditions = forest.condition_start[leaf + 1] - forest.condition_start[leaf]
                leaf_rows[: 1 << conditions] = 0.0
                for path in range(1 << conditions):
                    add_leaf(forest, leaf, path, leaf_rows[path])
                for index in range(1 << forest.group_bits[group]):
                    path = _leaf_path(forest, group, leaf, index)
                    for j in range(WIDTH):
                        forest.table[first + index, j] += leaf_rows[path, j]


@njit(nogil=True, cache=True)
def explain(forest: Forest, matrix: FloatArray, out: FloatArray) -> None:
    """Add every row's contributions and margin to `out`.

    The margin is the sum of the trees' leaf values in LightGBM's order, so it equals LightGBM's to
    the last bit.

    Args:
        forest: forest with filled tables.
        matrix: rows of features, float64 (n, features), C-contiguous.
        out: sums that are added to, float64 (n, WIDTH), C-contiguous.
    """
    most_slots = 0
    for tree in range(forest.group_start.size - 1):
        uppers = forest.upper_start[tree + 1] - forest.upper_start[tree]
        groups = forest.group_start[tree + 1] - forest.group_start[tree]
        most_slots = max(most_slots, uppers + groups)
    width = min(BLOCK, out.shape[0])
    slots = np.empty((most_slots, width), np.uint16)
    values = np.empty((matrix.shape[1], width))
    zero_is_missing = np.any(forest.missing == MISSING_ZERO)
    all_tables = np.all(forest.group_table != NO_TABLE)
    for first in range(0, out.shape[0], width):
        rows = min(width, out.shape[0] - first)
        is_plain = not zero_is_missing
        for column in range(matrix.shape[1]):
            for row in range(rows):
                value = matrix[first + row, column]
                # LightGBM drops such values when it reads a row, so they count as 0.
                values[column, row] = 0.0 if abs(value) <= ZERO_THRESHOLD else value
                is_plain &= not np.isnan(value)
        sums = out[first : first + rows]
        for tree in range(forest.group_start.size - 1):
            if is_plain and rows >= MIN_BLOCK:
                _descend_block(forest, tree, values[:, :rows], slots[:, :rows])
            else:
                for row in range(rows):
                    _descend_row(forest, tree, values[:, row], slots[:, row], is_plain)
            _add_tables(forest, tree, slots, sums)
            if not all_tables:
                _add_leaves(forest, tree, slots, sums)


@njit(nogil=True, cache=True)
def _descend_block(
    forest: Forest, tree: int, values: FloatArray, slots: NDArray[np.uint16]
) -> None:
    """Fill a tree's slots for rows without missing values.

    Args:
        forest: forest that contains the tree.
        tree: index of the tree.
        values: columns of features, float64 (features, n).
        slots: paths and indices to fill, (slots, n).
    """
    first = forest.split_start[tree]
    inner = first + forest.upper_start[tree + 1] - forest.upper_start[tree]
    slots[0] = 0
    for split in range(first, inner):
        path = slots[split - first]
        left, right = slots[forest.left_slot[split]], slots[forest.right_slot[split]]
        value, threshold = values[forest.feature[split]], forest.threshold[split]
        new_bit = np.uint16(forest.is_new[split] << forest.bit[split])
        mask = np.uint16(~(1 << forest.bit[split]))
        for row in range(values.shape[1]):
            satisfied = np.uint16(path[row] | new_bit)
            goes_left = value[row] <= threshold
            left[row] = satisfied if goes_left else np.uint16(satisfied & mask)
            right[row] = np.uint16(satisfied & mask) if goes_left else satisfied
    for split in range(inner, forest.split_start[tree + 1]):
        index = slots[forest.left_slot[split]]
        value, threshold = values[forest.feature[split]], forest.threshold[split]
        direction = np.uint16(1 << forest.bit[split])
        for row in range(values.shape[1]):
            index[row] |= direction if value[row] <= threshold else np.uint16(0)


@_inlined
def _descend_row(
    forest: Forest, tree: int, values: FloatArray, slots: NDArray[np.uint16], is_plain: bool
) -> None:
    """Fill a tree's slots for one row.

    Args:
        forest: forest that contains the tree.
        tree: index of the tree.
        values: features of the row, float64 (features,).
        slots: paths and indices to fill, (slots,).
        is_plain: whether the row has no missing values.
    """
    first = forest.split_start[tree]
    inner = first + forest.upper_start[tree + 1] - forest.upper_start[tree]
    slots[0] = 0
    for split in range(first, inner):
        left = _goes_left(forest, split, values[forest.feature[split]], is_plain)
        bit = forest.bit[split]
        satisfied = slots[split - first] | (forest.is_new[split] << bit)
        slots[forest.left_slot[split]] = satisfied & ~((1 - left) << bit)
        slots[forest.right_slot[split]] = satisfied & ~(left << bit)
    for split in range(inner, forest.split_start[tree + 1]):
        left = _goes_left(forest, split, values[forest.feature[split]], is_plain)
        slots[forest.left_slot[split]] |= left << forest.bit[split]


@_inlined
def _add_tables(forest: Forest, tree: int, slots: NDArray[np.uint16], out: FloatArray) -> None:
    """Add the table rows that n rows' slots select to the rows' sums.

    LLVM keeps the sums in registers only if they are separate variables and the indices are
    unsigned: 3.6 us a row instead of 10.9.
    """
    uppers = forest.upper_start[tree + 1] - forest.upper_start[tree]
    tables = forest.group_table[forest.group_start[tree] : forest.group_start[tree + 1]]
    table, index = forest.table, slots[uppers:]
    for row in range(np.uint64(out.shape[0])):
        sum0 = out[row, 0]
        sum1 = out[row, 1]
        sum2 = out[row, 2]
        sum3 = out[row, 3]
        sum4 = out[row, 4]
        sum5 = out[row, 5]
        sum6 = out[row, 6]
        sum7 = out[row, 7]
        sum8 = out[row, 8]
        sum9 = out[row, 9]
        sum10 = out[row, 10]
        sum11 = out[row, 11]
        for group in range(np.uint64(tables.size)):
            if tables[group] == NO_TABLE:
                continue
            at = np.uint64(tables[group] + index[group, row])
            sum0 += table[at, np.uint64(0)]
            sum1 += table[at, np.uint64(1)]
            sum2 += table[at, np.uint64(2)]
            sum3 += table[at, np.uint64(3)]
            sum4 += table[at, np.uint64(4)]
            sum5 += table[at, np.uint64(5)]
            sum6 += table[at, np.uint64(6)]
            sum7 += table[at, np.uint64(7)]
            sum8 += table[at, np.uint64(8)]
            sum9 += table[at, np.uint64(9)]
            sum10 += table[at, np.uint64(10)]
            sum11 += table[at, np.uint64(11)]
        out[row, 0] = sum0
        out[row, 1] = sum1
        out[row, 2] = sum2
        out[row, 3] = sum3
        out[row, 4] = sum4
        out[row, 5] = sum5
        out[row, 6] = sum6
        out[row, 7] = sum7
        out[row, 8] = sum8
        out[row, 9] = sum9
        out[row, 10] = sum10
        out[row, 11] = sum11


@njit(nogil=True, cache=True)
def _add_leaves(forest: Forest, tree: int, slots: NDArray[np.uint16], out: FloatArray) -> None:
    """Add the contributions of the groups without a table to n rows' sums."""
    uppers = forest.upper_start[tree + 1] - forest.upper_start[tree]
    start = forest.group_start[tree]
    for group in range(start, forest.group_start[tree + 1]):
        if forest.group_table[group] == NO_TABLE:
            for row in range(out.shape[0]):
                index = slots[uppers + group - start, row]
                for leaf in range(forest.leaf_start[group], forest.leaf_start[group + 1]):
                    add_leaf(forest, leaf, _leaf_path(forest, group, leaf, index), out[row])


@njit(nogil=True, cache=True)
def _leaf_path(forest: Forest, group: int, leaf: int, index: int) -> int:
    """Return the bits of a leaf's path that follow from a group's index."""
    conditions = forest.condition_start[leaf + 1] - forest.condition_start[leaf]
    above = (1 << forest.group_above[group]) - 1
    path = (index & above) | (((1 << conditions) - 1) & ~above)
    for step in range(forest.step_start[leaf], forest.step_start[leaf + 1]):
        if ((index >> forest.step_at[step]) & 1) != forest.step_left[step]:
            path &= ~(1 << forest.step_bit[step])
    return int(path)


@njit(nogil=True, cache=True)
def _goes_left(forest: Forest, split: int, value: float, is_plain: bool) -> np.int64:
    """Return 1 if a value goes left, else 0, as LightGBM's Tree::NumericalDecision does."""
    if is_plain:
        return np.int64(value <= forest.threshold[split])
    missing = forest.missing[split]
    if np.isnan(value):
        if missing == MISSING_NAN:
            return np.int64(forest.default_left[split])
        value = 0.0
    if value == 0.0 and missing == MISSING_ZERO:
        return np.int64(forest.default_left[split])
    return np.int64(value <= forest.threshold[split])
