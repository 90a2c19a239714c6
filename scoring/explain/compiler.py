"""Compilation of a booster's trees into the arrays of the kernel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from scoring.explain.groups import Group, Plan, divide
from scoring.explain.kernel import MAX_BITS, NARROW, NO_TABLE, Forest, fill_tables
from scoring.explain.lightgbm_text import IntArray, Tree
from scoring.explain.quadrature import quadrature
from scoring.explain.value_columns import value_columns

TABLE_BYTES = 160 * 2**20
"""Memory for one model's tables. Groups whose tables do not fit, the largest ones, have none: their
leaves are computed for each row."""

Number = TypeVar("Number", np.int64, np.float64)


def build_forest(trees: Sequence[Tree], features: int, table_bytes: int = TABLE_BYTES) -> Forest:
    """Convert trees to flat arrays and compute the groups' tables.

    Args:
        trees: trees of a booster, at least one.
        features: number of columns of the matrix.
        table_bytes: largest size of all tables together; small tables have priority.

    Raises:
        UnsupportedTrees: no training row reached a node.
    """
    is_narrow = features < NARROW
    columns = value_columns(trees)
    plans = [divide(tree) for tree in trees]
    groups = [group for plan in plans for group in plan.groups]
    paths = [[plan.leaves[leaf] for leaf, _ in g.leaves] for plan in plans for g in plan.groups]
    leaves = [leaf for leaves in paths for leaf in leaves]
    members = [sorted({f for leaf in leaves for f in leaf.features}) for leaves in paths]
    table_starts, numbers = _tables(
        groups, [NARROW if is_narrow else len(member) + 1 for member in members], table_bytes
    )
    group_start = _starts(len(plan.groups) for plan in plans)
    with_table = np.split(table_starts != NO_TABLE, group_start[1:-1])
    orders = [_order(plan, has) for plan, has in zip(plans, with_table, strict=True)]
    split_start = _starts(tree.feature.size for tree in trees)
    steps = [
        (condition, start + place, left)
        for plan, order, start in zip(plans, orders, split_start.tolist(), strict=False)
        for condition, place, left in _steps(plan, order)
    ]
    points, weights = quadrature((len(leaf.features) + 1) // 2 for leaf in leaves if leaf.features)

    def by_split(values: Iterable[NDArray[Number]]) -> NDArray[Number]:
        return np.concatenate([v[order] for v, order in zip(values, orders, strict=True)])

    split_slots = by_split(_split_slots(plan) for plan in plans)
    indexed = [
        len(plan.uppers) + sum(len(g.splits) for g, h in zip(plan.groups, has, strict=True) if h)
        for plan, has in zip(plans, with_table, strict=True)
    ]
    places = [
        range(features) if is_narrow else {f: place for place, f in enumerate(member)}
        for member in members
    ]
    forest = Forest(
        features=features,
        is_narrow=is_narrow,
        column_feature=columns.feature,
        column_nan=columns.nan,
        column_zero=columns.zero,
        set_start=_starts(columns.set_counts),
        set_column=columns.set_column,
        word_start=_starts(columns.word_counts),
        words=columns.words,
        split_start=split_start,
        indexed_end=split_start[:-1] + np.array(indexed, dtype=np.int64),
        upper_start=_starts(len(plan.uppers) for plan in plans),
        group_start=group_start,
        column=by_split(columns.of_splits),
        threshold=by_split(columns.thresholds),
        left_slot=split_slots[:, 0].copy(),
        right_slot=split_slots[:, 1].copy(),
        bit=split_slots[:, 2].copy(),
        is_new=split_slots[:, 3].copy(),
        group_above=np.array([group.above for group in groups], dtype=np.int64),
        group_bits=np.array([group.bits for group in groups], dtype=np.int64),
        group_table=table_starts,
        member_start=_starts(len(member) for member in members),
        member=np.array([f for member in members for f in member], dtype=np.int64),
        leaf_start=_starts(len(group.leaves) for group in groups),
        leaf_value=np.concatenate(
            [
                plan.tree.leaf_value[[leaf for g in plan.groups for leaf, _ in g.leaves]]
                for plan in plans
            ]
        ),
        step_start=_starts(len(s) for group in groups for _, s in group.leaves),
        step_condition=np.array([step[0] for step in steps], dtype=np.int64),
        step_split=np.array([step[1] for step in steps], dtype=np.int64),
        step_left=np.array([step[2] for step in steps], dtype=np.int64),
        condition_start=_starts(len(leaf.features) for leaf in leaves),
        condition_feature=np.array([f for leaf in leaves for f in leaf.features], dtype=np.int64),
        condition_member=np.array(
            [
                place[feature]
                for place, leaves in zip(places, paths, strict=True)
                for leaf in leaves
                for feature in leaf.features
            ],
            dtype=np.int64,
        ),
        condition_fraction=np.array(
            [z for leaf in leaves for z in leaf.fractions], dtype=np.float64
        ),
        points=points,
        weights=weights,
        table=np.zeros(numbers),
    )
    fill_tables(forest)
    return forest


def _order(plan: Plan, has_table: NDArray[np.bool_]) -> IntArray:
    """Return the tree's splits in the forest's order.

    Args:
        plan: division of the tree.
        has_table: whether each group has a table, bool (groups,).
    """
    inner: tuple[list[int], list[int]] = ([], [])
    for group, has in zip(plan.groups, has_table.tolist(), strict=True):
        inner[not has].extend(group.splits)
    return np.array([*plan.uppers, *inner[0], *inner[1]], dtype=np.int64)


def _split_slots(plan: Plan) -> IntArray:
    """Return left_slot, right_slot, bit and is_new of each split of the tree, int64 (splits, 4)."""
    slots = {split: slot for slot, split in enumerate(plan.uppers)}
    for slot, group in enumerate(plan.groups, len(plan.uppers)):
        slots[group.splits[0] if group.splits else ~group.leaves[0][0]] = slot
    left, right = plan.tree.left.tolist(), plan.tree.right.tolist()
    features = plan.tree.feature.tolist()
    rows = np.zeros((plan.tree.feature.size, 4), dtype=np.int64)
    for split in plan.uppers:
        path = plan.splits[split]
        bit = path.bit(features[split])
        is_new = int(bit == len(path.features))
        rows[split] = slots[left[split]], slots[right[split]], bit, is_new
    for slot, group in enumerate(plan.groups, len(plan.uppers)):
        for bit, split in enumerate(group.splits, group.above):
            rows[split] = slot, slot, bit, 0
    return rows


def _steps(plan: Plan, order: IntArray) -> Iterable[tuple[int, int, bool]]:
    """Yield each step's condition, split and direction, in the order of the leaves.

    Args:
        plan: division of the tree.
        order: result of `_order`; a step's split is its place there.
    """
    features = plan.tree.feature.tolist()
    place = {split: n for n, split in enumerate(order.tolist())}
    for group in plan.groups:
        for leaf, steps in group.leaves:
            for step in steps:
                yield plan.leaves[leaf].bit(features[step.split]), place[step.split], step.left


def _tables(
    groups: Sequence[Group], row_sizes: Sequence[int], table_bytes: int
) -> tuple[IntArray, int]:
    """Return the first number of each group's table, or NO_TABLE, and the number of all numbers.

    Args:
        groups: groups of all trees.
        row_sizes: numbers in a row of each group's table.
        table_bytes: largest size of all tables together.
    """
    sizes = np.array(
        [
            size << group.bits if group.bits <= MAX_BITS else table_bytes
            for group, size in zip(groups, row_sizes, strict=True)
        ],
        dtype=np.int64,
    )
    fits = np.array([group.bits <= MAX_BITS for group in groups])
    order = np.argsort(sizes, kind="stable")
    fits[order] &= np.cumsum(sizes[order]) * 8 <= table_bytes
    ends = np.cumsum(np.where(fits, sizes, 0))
    return np.where(fits, ends - sizes, NO_TABLE), int(ends[-1])


def _starts(sizes: Iterable[int]) -> IntArray:
    return np.cumsum([0, *sizes], dtype=np.int64)
