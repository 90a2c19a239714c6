"""The compiled part of exact TreeSHAP: fill the groups' tables, and explain rows with them.

A leaf's SHAP values depend on a row only through one bit for each distinct feature of its path:
whether the row meets all of the path's conditions on that feature. So a table of 2^bits rows holds
all that the leaf can ever contribute (Yang, "Fast TreeSHAP", arXiv 2109.09847, version 2). Leaves
that lie together share one table here: a subtree at the bottom of a tree, a group, is looked up
once, by the bits of the path down to it and the directions at its own splits.

Numba compiles this once a machine and keeps the result on disk; it runs without the interpreter's
lock.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.explain.lightgbm_text import MISSING_NAN, MISSING_ZERO, IntArray
from scoring.features import FEATURE_NAMES, FloatArray

WIDTH = len(FEATURE_NAMES) + 1
"""Numbers in a table's row: a contribution a feature, and the margin."""
ZERO = float(np.float32(1e-35))
"""LightGBM's kZeroThreshold: what lies within counts as 0."""
POINTS = WIDTH // 2
"""Quadrature points that are exact for a path of all features."""
NO_TABLE = -1
MAX_BITS = 16
"""Of a group's index, which is kept in a uint16."""
BLOCK = 256
"""Rows that go through a tree together, while its tables are in the cache: with 31,500 leaves, 64
at a time take 1.2 times as long, and 1000 take 0.8 times, but four times the room."""
FEW = 4
"""Rows from which a loop over rows inside of the one over splits pays."""

assert WIDTH == 12, "_add_tables is written for 11 features"  # noqa: S101

# A call hands over every array of the forest: for one row, 33 us instead of 26.
_inlined = njit(nogil=True, cache=True, inline="always")


class Forest(NamedTuple):
    """Trees as flat arrays; a `*_start` array has one more entry than what it indexes.

    A tree's splits are its upper ones, parents first, and then those inside of groups. Its slots
    are its upper splits, in order, and then its groups.

    Attributes:
        split_start, upper_start, group_start: int64, by tree; upper splits alone in the second.
        feature, threshold, missing, default_left: by split, see
        `scoring.explain.lightgbm_text.Tree`.
        left_slot, right_slot: int64, by split: where an upper one leads; inside a group, the
            group's slot, twice.
        bit: int64, by split: of an upper one's feature in the paths below; inside a group, of the
            split's direction (1: left) in the group's index.
        is_new: int64, by split: whether no split above an upper one is on the same feature.
        group_above, group_bits: int64, by group; the index is so many bits of the path to the
            group, and then a direction for each of its splits, together so many.
        group_table: int64, by group, row of `table`, or NO_TABLE.
        leaf_start: int64, by group.
        leaf_value: float64, by leaf, log-odds.
        step_start: int64, by leaf; a leaf has a step for each split between its group and itself.
        step_bit, step_at, step_left: int64, by step: the feature's bit in the leaf's path, the
            direction's bit in the group's index, and which direction leads to the leaf.
        condition_start: int64, by leaf; a leaf has a condition for each feature of its path.
        condition_feature: int64. condition_fraction: float64, the share of the training rows at
            the splits on this feature that goes the leaf's way.
        condition_ratio: float64 (conditions, POINTS), (1 - z) / (t + z (1 - t)) with z the fraction
            and t the leaf's points.
        points, weights: float64 (POINTS + 1, POINTS), quadrature on [0, 1]; row n has n points.
        table: float64 (rows, WIDTH).
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
    of_leaf = np.empty((1 << (WIDTH - 1), WIDTH))
    for group in range(forest.group_table.size):
        first = forest.group_table[group]
        if first != NO_TABLE:
            for leaf in range(forest.leaf_start[group], forest.leaf_start[group + 1]):
                conditions = forest.condition_start[leaf + 1] - forest.condition_start[leaf]
                of_leaf[: 1 << conditions] = 0.0
                for path in range(1 << conditions):
                    add_leaf(forest, leaf, path, of_leaf[path])
                for index in range(1 << forest.group_bits[group]):
                    path = _leaf_path(forest, group, leaf, index)
                    for j in range(WIDTH):
                        forest.table[first + index, j] += of_leaf[path, j]


@njit(nogil=True, cache=True)
def explain(forest: Forest, matrix: FloatArray, out: FloatArray) -> None:
    """Add every row's contributions and margin to `out`.

    The margin adds the trees' leaf values in LightGBM's order, so it is equal to the last bit.

    Args:
        forest: with its table filled.
        matrix: float64 (n, features), C-contiguous.
        out: float64 (n, WIDTH), C-contiguous.
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
                # LightGBM leaves such values out when it reads a row, so that they count as 0.
                values[column, row] = 0.0 if abs(value) <= ZERO else value
                is_plain &= not np.isnan(value)
        sums = out[first : first + rows]
        for tree in range(forest.group_start.size - 1):
            if is_plain and rows >= FEW:
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
        values: float64 (features, n). slots: (slots, n).
    """
    first = forest.split_start[tree]
    inner = first + forest.upper_start[tree + 1] - forest.upper_start[tree]
    slots[0] = 0
    for split in range(first, inner):
        path = slots[split - first]
        left, right = slots[forest.left_slot[split]], slots[forest.right_slot[split]]
        value, threshold = values[forest.feature[split]], forest.threshold[split]
        new = np.uint16(forest.is_new[split] << forest.bit[split])
        kept = np.uint16(~(1 << forest.bit[split]))
        for row in range(values.shape[1]):
            met = np.uint16(path[row] | new)
            goes_left = value[row] <= threshold
            left[row] = met if goes_left else np.uint16(met & kept)
            right[row] = np.uint16(met & kept) if goes_left else met
    for split in range(inner, forest.split_start[tree + 1]):
        index = slots[forest.left_slot[split]]
        value, threshold = values[forest.feature[split]], forest.threshold[split]
        mark = np.uint16(1 << forest.bit[split])
        for row in range(values.shape[1]):
            index[row] |= mark if value[row] <= threshold else np.uint16(0)


@_inlined
def _descend_row(
    forest: Forest, tree: int, values: FloatArray, slots: NDArray[np.uint16], is_plain: bool
) -> None:
    """Fill a tree's slots for one row.

    Args:
        values: float64 (features,). slots: (slots,). is_plain: nothing is missing.
    """
    first = forest.split_start[tree]
    inner = first + forest.upper_start[tree + 1] - forest.upper_start[tree]
    slots[0] = 0
    for split in range(first, inner):
        left = _goes_left(forest, split, values[forest.feature[split]], is_plain)
        bit = forest.bit[split]
        met = slots[split - first] | (forest.is_new[split] << bit)
        slots[forest.left_slot[split]] = met & ~((1 - left) << bit)
        slots[forest.right_slot[split]] = met & ~(left << bit)
    for split in range(inner, forest.split_start[tree + 1]):
        left = _goes_left(forest, split, values[forest.feature[split]], is_plain)
        slots[forest.left_slot[split]] |= left << forest.bit[split]


@_inlined
def _add_tables(forest: Forest, tree: int, slots: NDArray[np.uint16], out: FloatArray) -> None:
    """Add a tree's tables to n rows' sums, by their slots.

    The sums are variables, and the indices unsigned, since only then LLVM keeps them in registers:
    3.6 us a row instead of 10.9.
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
    """Add the contributions of the groups that have no table to n rows' sums."""
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
    """Return a leaf's bits as a group's index implies them."""
    conditions = forest.condition_start[leaf + 1] - forest.condition_start[leaf]
    above = (1 << forest.group_above[group]) - 1
    path = (index & above) | (((1 << conditions) - 1) & ~above)
    for step in range(forest.step_start[leaf], forest.step_start[leaf + 1]):
        if ((index >> forest.step_at[step]) & 1) != forest.step_left[step]:
            path &= ~(1 << forest.step_bit[step])
    return int(path)


@njit(nogil=True, cache=True)
def _goes_left(forest: Forest, split: int, value: float, is_plain: bool) -> np.int64:
    """Say whether a value goes left, 1 or 0, as LightGBM's Tree::NumericalDecision."""
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
