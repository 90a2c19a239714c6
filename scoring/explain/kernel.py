"""The compiled part of exact TreeSHAP: it fills the groups' tables and explains rows with them.

A leaf's SHAP values depend on a row only through one bit for each distinct feature of the leaf's
path: whether the row satisfies all of the path's conditions on that feature. So a table of 2^bits
rows holds every possible contribution of the leaf (Yang, "Fast TreeSHAP", arXiv 2109.09847, version
2). Here the leaves of a group, a subtree at the bottom of a tree, share one table. Its index is
made of the bits of the path from the root to the group and the directions at the group's splits.

Numba compiles this module once for each machine, caches the result on disk, and runs it without the
GIL. Numba 0.68.1 recompiles a function only if its own file changes: with `Forest` in another file,
a change of its fields left the old code in the cache, which returned wrong numbers. So the arrays,
the constants and the functions stay in one file, although it is longer than the project's others:
each function reads `Forest`, is inlined into another, or calls one that is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.explain.lightgbm_text import FloatArray, IntArray, WordArray

ZERO_THRESHOLD = float(np.float32(1e-35))
"""LightGBM's kZeroThreshold: a value that is not further from 0 counts as 0."""
NO_TABLE = -1
MAX_BITS = 16
"""Largest number of bits of a group's index, which is a uint16."""
NARROW = 12
"""Numbers in a row of a narrow model's tables: contributions of up to 11 features, and the margin.
With the layout of wider models, 11 features and 2,900 leaves take 1.1 times as long for one row,
and 1.5 times as long for 64 rows."""
BLOCK = 256
"""Rows that pass a tree together, while the CPU's cache has the tree's tables. With 31,500 leaves,
blocks of 64 take 1.2 times as long; blocks of 1000 take 0.8 times as long, but four times the
memory."""
MIN_BLOCK = 4
"""Fewest rows for which it is faster to loop over rows inside the loop over splits."""

# A call passes every array of the forest: without inlining, one row takes 33 us instead of 26.
_inlined = njit(nogil=True, cache=True, inline="always")


class Forest(NamedTuple):
    """Trees as flat arrays.

    A `*_start` array has, for each parent, the index of its first child, and the number of all
    children at the end. The splits of a tree are first its upper splits, parents first, then the
    splits inside of its groups with a table, then those of the other groups. The slots of a tree
    are first its upper splits, in order, then its groups. A leaf has a step for each split between
    the top of its group and itself, and a condition for each feature of its path.

    A split sends a value left if it is at most the threshold. It reads a column of values: one for
    each feature and kind of missing value, then one for each set of categories of the tree.

    Attributes:
        features: number of columns of the matrix, and position of the margin in a row of sums.
        is_narrow: whether a row of a table has the positions of a row of sums, and NARROW numbers.
            Otherwise it has the columns of its group, then the margin.
        column_feature: feature of each column, int64.
        column_nan: value of NaN in each column: NaN goes right and -inf goes left, float64.
        column_zero: value of 0 in each column, float64.
        set_start: first set of categories of each tree, int64.
        set_column: column whose categories each set is compared with, int64.
        word_start: first word of each set, int64.
        words: bitsets as in `scoring.explain.lightgbm_text.Tree`.
        split_start: first split of each tree, int64.
        indexed_end: end of each tree's upper splits and of those inside of groups with a table,
            int64.
        upper_start: first upper split of each tree among all upper splits, int64.
        group_start: first group of each tree, int64.
        column: column of values that a split reads, int64.
        threshold: largest value that goes left, float64.
        left_slot: slot of an upper split's left child; inside a group, the group's slot; int64.
        right_slot: slot of an upper split's right child; inside a group, the group's slot; int64.
        bit: for an upper split, the feature's bit in the paths below; inside a group, the
            direction's bit (1: left) in the group's index; int64.
        is_new: 1 for an upper split whose feature no split above it uses, else 0, int64.
        group_above: number of low bits of a group's index that are the path to the group, int64.
        group_bits: number of all bits of a group's index; the others are directions, int64.
        group_table: first number of a group's table in `table`, or NO_TABLE, int64.
        member_start: first member of each group, int64.
        member: positions in a row of sums of the group's features, int64.
        leaf_start: first leaf of each group, int64.
        leaf_value: log-odds of each leaf, float64.
        step_start: first step of each leaf, int64.
        step_condition: condition of the leaf that a step belongs to, int64.
        step_split: split of a step, int64.
        step_left: direction of a step that leads to the leaf (1: left), int64.
        condition_start: first condition of each leaf, int64.
        condition_feature: feature of each condition, int64.
        condition_member: position of the condition's feature in a row of the group's table, int64.
        condition_fraction: share of the training rows at the splits on the feature that follows the
            path, float64.
        points: quadrature points on [0, 1], float64 (m + 1, m); row n has n points, if a leaf uses
            n points.
        weights: quadrature weights, float64 (m + 1, m).
        table: rows of all tables, one after the other, float64.
    """

    features: int
    is_narrow: bool
    column_feature: IntArray
    column_nan: FloatArray
    column_zero: FloatArray
    set_start: IntArray
    set_column: IntArray
    word_start: IntArray
    words: WordArray
    split_start: IntArray
    indexed_end: IntArray
    upper_start: IntArray
    group_start: IntArray
    column: IntArray
    threshold: FloatArray
    left_slot: IntArray
    right_slot: IntArray
    bit: IntArray
    is_new: IntArray
    group_above: IntArray
    group_bits: IntArray
    group_table: IntArray
    member_start: IntArray
    member: IntArray
    leaf_start: IntArray
    leaf_value: FloatArray
    step_start: IntArray
    step_condition: IntArray
    step_split: IntArray
    step_left: IntArray
    condition_start: IntArray
    condition_feature: IntArray
    condition_member: IntArray
    condition_fraction: FloatArray
    points: FloatArray
    weights: FloatArray
    table: FloatArray

    def sums(self, rows: int) -> FloatArray:
        """Return the zeros that `explain` adds to for n rows, float64 (n, more than `features`)."""
        return np.zeros((rows, NARROW if self.is_narrow else self.features + 1))


@_inlined
def _find_factors(forest: Forest, leaf: int, factors: FloatArray, ratios: FloatArray) -> None:
    """Compute what `_add_leaf` multiplies, which is the same for all rows.

    Args:
        forest: forest that contains the leaf.
        leaf: index of the leaf in the forest.
        factors: o t + z (1 - t) to fill, by point t, condition and o, float64 (m, 2 m, 2).
        ratios: (o - z) / (o t + z (1 - t)) to fill, likewise.
    """
    first = forest.condition_start[leaf]
    count = forest.condition_start[leaf + 1] - first
    size = (count + 1) // 2
    for q in range(size):
        t = forest.points[size, q]
        for i in range(count):
            z = forest.condition_fraction[first + i]
            factors[q, i, 0] = z * (1.0 - t)
            factors[q, i, 1] = z * (1.0 - t) + t
            ratios[q, i, 0] = -1.0 / (1.0 - t)  # z cancels
            ratios[q, i, 1] = (1.0 - z) / (t + z * (1.0 - t))


@njit(nogil=True, cache=True)
def _add_leaf(
    forest: Forest,
    leaf: int,
    satisfied: IntArray,
    factors: FloatArray,
    ratios: FloatArray,
    positions: IntArray,
    margin: int,
    out: FloatArray,
) -> None:
    """Add a leaf's contributions, and its value if the row satisfies all conditions.

    With o_i the conditions (1: satisfied) and z_i the fractions, feature i contributes
    value * (o_i - z_i) times the integral over t in [0, 1] of the product over the other features j
    of o_j t + z_j (1 - t): expanding the product gives Shapley's weights as Beta integrals (arXiv
    2605.04497). It is a polynomial in t, so Gauss-Legendre quadrature is exact.

    Args:
        forest: forest that contains the leaf.
        leaf: index of the leaf in the forest.
        satisfied: 1 for each condition that the row satisfies, else 0, int64 (conditions or more,).
        factors: factors of the leaf, as `_find_factors` fills them.
        ratios: ratios of the leaf, as `_find_factors` fills them.
        positions: positions in `out` of the conditions' features, int64 (conditions or more,).
        margin: position in `out` of the margin.
        out: sums that are added to, float64.
    """
    count = forest.condition_start[leaf + 1] - forest.condition_start[leaf]
    unsatisfied = count
    for i in range(count):
        unsatisfied -= satisfied[i]
    if unsatisfied == 0:
        out[margin] += forest.leaf_value[leaf]
    size = (count + 1) // 2
    for q in range(size):
        product = forest.leaf_value[leaf] * forest.weights[size, q]
        for i in range(count):
            product *= factors[q, i, satisfied[i]]
        for i in range(count):
            out[positions[i]] += product * ratios[q, i, satisfied[i]]


@njit(nogil=True, cache=True)
def fill_tables(forest: Forest) -> None:
    """Fill `forest.table`, which must be zero."""
    points = forest.points.shape[1]
    longest = min(2 * points, MAX_BITS)
    leaf_rows = np.empty((1 << longest, longest + 1))
    satisfied = np.empty(longest, np.int64)
    factors = np.empty((points, longest, 2))
    ratios = np.empty((points, longest, 2))
    in_order = np.arange(longest)
    for group in range(forest.group_table.size):
        start = forest.group_table[group]
        if start == NO_TABLE:
            continue
        members = forest.member_start[group + 1] - forest.member_start[group]
        margin = forest.features if forest.is_narrow else members
        size = NARROW if forest.is_narrow else members + 1
        for leaf in range(forest.leaf_start[group], forest.leaf_start[group + 1]):
            first = forest.condition_start[leaf]
            conditions = forest.condition_start[leaf + 1] - first
            _find_factors(forest, leaf, factors, ratios)
            for path in range(1 << conditions):
                leaf_rows[path] = 0.0
                for i in range(conditions):
                    satisfied[i] = (path >> i) & 1
                _add_leaf(
                    forest, leaf, satisfied, factors, ratios, in_order, conditions, leaf_rows[path]
                )
            for index in range(1 << forest.group_bits[group]):
                path = _leaf_path(forest, group, leaf, index)
                row = start + index * size
                for i in range(conditions):
                    place = forest.condition_member[first + i]
                    forest.table[row + place] += leaf_rows[path, i]
                forest.table[row + margin] += leaf_rows[path, conditions]


@njit(nogil=True, cache=True)
def explain(forest: Forest, matrix: FloatArray, out: FloatArray) -> None:
    """Add every row's contributions and margin to `out`.

    The margin is the sum of the trees' leaf values in LightGBM's order, so it equals LightGBM's to
    the last bit.

    Args:
        forest: forest with filled tables.
        matrix: rows of features, float64 (n, features), C-contiguous.
        out: result of `forest.sums(n)`.
    """
    most_slots, most_sets = 0, 0
    for tree in range(forest.group_start.size - 1):
        uppers = forest.upper_start[tree + 1] - forest.upper_start[tree]
        groups = forest.group_start[tree + 1] - forest.group_start[tree]
        most_slots = max(most_slots, uppers + groups)
        most_sets = max(most_sets, forest.set_start[tree + 1] - forest.set_start[tree])
    width = min(BLOCK, out.shape[0])
    slots = np.empty((most_slots, width), np.uint16)
    values = np.empty((forest.column_feature.size + most_sets, width))
    all_tables = np.all(forest.group_table != NO_TABLE)
    for first in range(0, out.shape[0], width):
        rows = min(width, out.shape[0] - first)
        for column in range(forest.column_feature.size):
            feature = forest.column_feature[column]
            nan, zero = forest.column_nan[column], forest.column_zero[column]
            for row in range(rows):
                value = matrix[first + row, feature]
                # LightGBM drops values near 0 when it reads a row.
                value = zero if abs(value) <= ZERO_THRESHOLD else value
                values[column, row] = nan if np.isnan(value) else value
        sums = out[first : first + rows]
        for tree in range(forest.group_start.size - 1):
            if most_sets:
                _find_in_sets(forest, tree, values[:, :rows])
            if rows >= MIN_BLOCK:
                _descend_block(forest, tree, values[:, :rows], slots[:, :rows])
            else:
                for row in range(rows):
                    _descend_row(forest, tree, values[:, row], slots[:, row])
            if forest.is_narrow:
                _add_narrow_tables(forest, tree, slots, sums)
            else:
                _add_tables(forest, tree, slots, sums)
            if not all_tables:
                _add_leaves(forest, tree, values, slots, sums)


@njit(nogil=True, cache=True)
def _find_in_sets(forest: Forest, tree: int, values: FloatArray) -> None:
    """Fill the columns of a tree's sets for n rows: 0 where the category is in the set, else 1.

    NaN, negative numbers and categories beyond the set are not in it, as in LightGBM's
    Tree::CategoricalDecision.
    """
    start = forest.set_start[tree]
    for n in range(start, forest.set_start[tree + 1]):
        category = values[forest.set_column[n]]
        found = values[forest.column_feature.size + n - start]
        first = forest.word_start[n]
        end = 32.0 * (forest.word_start[n + 1] - first)
        for row in range(values.shape[1]):
            is_inside = -1.0 < category[row] < end
            code = np.int64(category[row] if is_inside else 0.0)
            bit = (forest.words[first + (code >> 5)] >> np.uint32(code & 31)) & np.uint32(1)
            found[row] = 0.0 if is_inside and bit else 1.0


@njit(nogil=True, cache=True)
def _descend_block(
    forest: Forest, tree: int, values: FloatArray, slots: NDArray[np.uint16]
) -> None:
    """Fill a tree's slots for n rows.

    Args:
        forest: forest that contains the tree.
        tree: index of the tree.
        values: columns of values, float64 (columns, n).
        slots: paths and indices to fill, (slots, n).
    """
    first = forest.split_start[tree]
    inner = first + forest.upper_start[tree + 1] - forest.upper_start[tree]
    slots[0] = 0
    for split in range(first, inner):
        path = slots[split - first]
        left, right = slots[forest.left_slot[split]], slots[forest.right_slot[split]]
        value, threshold = values[forest.column[split]], forest.threshold[split]
        new_bit = np.uint16(forest.is_new[split] << forest.bit[split])
        mask = np.uint16(~(1 << forest.bit[split]))
        for row in range(values.shape[1]):
            satisfied = np.uint16(path[row] | new_bit)
            goes_left = value[row] <= threshold
            left[row] = satisfied if goes_left else np.uint16(satisfied & mask)
            right[row] = np.uint16(satisfied & mask) if goes_left else satisfied
    for split in range(inner, forest.indexed_end[tree]):
        index = slots[forest.left_slot[split]]
        value, threshold = values[forest.column[split]], forest.threshold[split]
        direction = np.uint16(1 << forest.bit[split])
        for row in range(values.shape[1]):
            index[row] |= direction if value[row] <= threshold else np.uint16(0)


@_inlined
def _descend_row(forest: Forest, tree: int, values: FloatArray, slots: NDArray[np.uint16]) -> None:
    """Fill a tree's slots for one row.

    Args:
        forest: forest that contains the tree.
        tree: index of the tree.
        values: values of the row, float64 (columns,).
        slots: paths and indices to fill, (slots,).
    """
    first = forest.split_start[tree]
    inner = first + forest.upper_start[tree + 1] - forest.upper_start[tree]
    slots[0] = 0
    for split in range(first, inner):
        left = np.int64(values[forest.column[split]] <= forest.threshold[split])
        bit = forest.bit[split]
        satisfied = slots[split - first] | (forest.is_new[split] << bit)
        slots[forest.left_slot[split]] = satisfied & ~((1 - left) << bit)
        slots[forest.right_slot[split]] = satisfied & ~(left << bit)
    for split in range(inner, forest.indexed_end[tree]):
        left = np.int64(values[forest.column[split]] <= forest.threshold[split])
        slots[forest.left_slot[split]] |= left << forest.bit[split]


@_inlined
def _add_narrow_tables(
    forest: Forest, tree: int, slots: NDArray[np.uint16], out: FloatArray
) -> None:
    """Add the table rows that n rows' slots select to the rows' sums, for a narrow model.

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
            at = np.uint64(tables[group]) + np.uint64(NARROW) * np.uint64(index[group, row])
            sum0 += table[at]
            sum1 += table[at + np.uint64(1)]
            sum2 += table[at + np.uint64(2)]
            sum3 += table[at + np.uint64(3)]
            sum4 += table[at + np.uint64(4)]
            sum5 += table[at + np.uint64(5)]
            sum6 += table[at + np.uint64(6)]
            sum7 += table[at + np.uint64(7)]
            sum8 += table[at + np.uint64(8)]
            sum9 += table[at + np.uint64(9)]
            sum10 += table[at + np.uint64(10)]
            sum11 += table[at + np.uint64(11)]
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


# Not inlined: Numba would then count references in every tree, 30 us for one row of 11 features.
@njit(nogil=True, cache=True)
def _add_tables(forest: Forest, tree: int, slots: NDArray[np.uint16], out: FloatArray) -> None:
    """Add the table rows that n rows' slots select to the rows' sums."""
    uppers = forest.upper_start[tree + 1] - forest.upper_start[tree]
    start = forest.group_start[tree]
    groups = forest.group_start[tree + 1] - start
    for row in range(np.uint64(out.shape[0])):
        margin = out[row, np.uint64(forest.features)]
        for group in range(groups):
            if forest.group_table[start + group] == NO_TABLE:
                continue
            first = np.uint64(forest.member_start[start + group])
            members = np.uint64(forest.member_start[start + group + 1]) - first
            index = np.uint64(slots[uppers + group, row])
            at = np.uint64(forest.group_table[start + group]) + index * (members + np.uint64(1))
            for j in range(members):
                out[row, np.uint64(forest.member[first + j])] += forest.table[at + j]
            margin += forest.table[at + members]
        out[row, np.uint64(forest.features)] = margin


@njit(nogil=True, cache=True)
def _add_leaves(
    forest: Forest,
    tree: int,
    values: FloatArray,
    slots: NDArray[np.uint16],
    out: FloatArray,
) -> None:
    """Add the contributions of the groups without a table to n rows' sums."""
    uppers = forest.upper_start[tree + 1] - forest.upper_start[tree]
    start = forest.group_start[tree]
    points = forest.points.shape[1]
    satisfied = np.empty(2 * points, np.int64)
    factors = np.empty((points, 2 * points, 2))
    ratios = np.empty((points, 2 * points, 2))
    for group in range(start, forest.group_start[tree + 1]):
        if forest.group_table[group] != NO_TABLE:
            continue
        path = slots[uppers + group - start]
        for leaf in range(forest.leaf_start[group], forest.leaf_start[group + 1]):
            positions = forest.condition_feature[forest.condition_start[leaf] :]
            _find_factors(forest, leaf, factors, ratios)
            for row in range(out.shape[0]):
                satisfied[:] = 1
                for i in range(forest.group_above[group]):
                    satisfied[i] = (path[row] >> i) & 1
                for step in range(forest.step_start[leaf], forest.step_start[leaf + 1]):
                    split = forest.step_split[step]
                    left = np.int64(values[forest.column[split], row] <= forest.threshold[split])
                    satisfied[forest.step_condition[step]] &= left == forest.step_left[step]
                _add_leaf(
                    forest,
                    leaf,
                    satisfied,
                    factors,
                    ratios,
                    positions,
                    forest.features,
                    out[row],
                )


@_inlined
def _leaf_path(forest: Forest, group: int, leaf: int, index: int) -> int:
    """Return the bits of a leaf's path that follow from a group's index."""
    conditions = forest.condition_start[leaf + 1] - forest.condition_start[leaf]
    above = (1 << forest.group_above[group]) - 1
    path = (index & above) | (((1 << conditions) - 1) & ~above)
    for step in range(forest.step_start[leaf], forest.step_start[leaf + 1]):
        if ((index >> forest.bit[forest.step_split[step]]) & 1) != forest.step_left[step]:
            path &= ~(1 << forest.step_condition[step])
    return int(path)
