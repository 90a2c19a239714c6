"""Compilation of a booster's trees into the arrays of the kernel."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from scoring.explain.kernel import MAX_BITS, NO_TABLE, POINTS, WIDTH, Forest, fill_tables
from scoring.explain.lightgbm_text import IntArray, Tree, UnsupportedTrees
from scoring.features import FloatArray

TABLE_BYTES = 160 * 2**20
"""Memory for one model's tables. Groups whose tables do not fit, the largest ones, have none: their
leaves are computed for each row."""
GROWTH = 1.5
"""Largest size of a merged group's table, relative to the tables of its two parts together."""

Number = TypeVar("Number", np.int64, np.float64)


@dataclass(frozen=True, slots=True)
class Path:
    """The path from a tree's root to a node.

    Attributes:
        features: distinct features of the splits, in order of their first split.
        fractions: for each feature, the share of the training rows at its splits that follows the
            path.
    """

    features: tuple[int, ...] = ()
    fractions: tuple[float, ...] = ()

    def bit(self, feature: int) -> int:
        """Return the position of a feature, or the next free position if the feature is new."""
        return self.features.index(feature) if feature in self.features else len(self.features)

    def extended(self, feature: int, fraction: float) -> Path:
        """Return the path extended by a split.

        Args:
            feature: feature of the split.
            fraction: share of the split's training rows that follows the path.
        """
        bit = self.bit(feature)
        if bit == len(self.features):
            return Path((*self.features, feature), (*self.fractions, fraction))
        fractions = list(self.fractions)
        fractions[bit] *= fraction
        return Path(self.features, tuple(fractions))


@dataclass(frozen=True, slots=True)
class Step:
    """A split on the path from the top of a group to one of its leaves.

    Attributes:
        split: index of the split in the tree.
        left: whether the leaf is on the left of the split.
    """

    split: int
    left: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A subtree at the bottom of a tree whose leaves share one table.

    Attributes:
        above: number of features on the path from the root to the group, each a bit of the index.
        splits: indices in the tree of the group's splits, parents first; empty for a single leaf.
        leaves: index in the tree of each leaf, with the steps to the leaf.
    """

    above: int
    splits: tuple[int, ...]
    leaves: tuple[tuple[int, tuple[Step, ...]], ...]

    @property
    def bits(self) -> int:
        """Number of bits of an index into the group's table."""
        return self.above + len(self.splits)

    def leaves_below(self, split: int, left: bool) -> list[tuple[int, tuple[Step, ...]]]:
        """Return the group's leaves with the steps from the split directly above the group.

        Args:
            split: index of that split in the tree.
            left: whether the group is on the left of the split.
        """
        return [(leaf, (Step(split, left), *steps)) for leaf, steps in self.leaves]


@dataclass(frozen=True, slots=True)
class Plan:
    """A tree divided into upper splits and groups.

    Attributes:
        tree: tree that is divided.
        splits: path to each split.
        leaves: path to each leaf.
        uppers: indices of the splits outside of groups, parents first.
        groups: groups that together contain every leaf once.
    """

    tree: Tree
    splits: Sequence[Path]
    leaves: Sequence[Path]
    uppers: Sequence[int]
    groups: Sequence[Group]


def build_forest(trees: Sequence[Tree], table_bytes: int = TABLE_BYTES) -> Forest:
    """Convert trees to flat arrays and compute the groups' tables.

    Args:
        trees: trees of a booster, at least one.
        table_bytes: largest size of all tables together; small tables have priority.

    Raises:
        UnsupportedTrees: no training row reached a node, or the booster has too many features.
    """
    if any((tree.feature >= WIDTH - 1).any() for tree in trees):
        raise UnsupportedTrees(f"the booster has more than {WIDTH - 1} features")
    plans = [_plan(tree) for tree in trees]
    groups = [group for plan in plans for group in plan.groups]
    leaves = [plan.leaves[leaf] for plan in plans for g in plan.groups for leaf, _ in g.leaves]
    orders = [_order(plan) for plan in plans]
    steps = [step for plan in plans for step in _steps(plan)]
    tables, rows = _tables(np.array([1 << group.bits for group in groups]), table_bytes)
    points, weights = _quadrature()

    def by_split(values: Iterable[NDArray[Number]]) -> NDArray[Number]:
        return np.concatenate([v[order] for v, order in zip(values, orders, strict=True)])

    split_slots = np.concatenate([_split_slots(plan) for plan in plans])
    forest = Forest(
        split_start=_starts(tree.feature.size for tree in trees),
        upper_start=_starts(len(plan.uppers) for plan in plans),
        group_start=_starts(len(plan.groups) for plan in plans),
        feature=by_split(tree.feature for tree in trees),
        threshold=by_split(tree.threshold for tree in trees),
        missing=by_split(tree.missing for tree in trees),
        default_left=by_split(tree.default_left for tree in trees),
        left_slot=split_slots[:, 0].copy(),
        right_slot=split_slots[:, 1].copy(),
        bit=split_slots[:, 2].copy(),
        is_new=split_slots[:, 3].copy(),
        group_above=np.array([group.above for group in groups], dtype=np.int64),
        group_bits=np.array([group.bits for group in groups], dtype=np.int64),
        group_table=tables,
        leaf_start=_starts(len(group.leaves) for group in groups),
        leaf_value=np.concatenate(
            [
                plan.tree.leaf_value[[leaf for g in plan.groups for leaf, _ in g.leaves]]
                for plan in plans
            ]
        ),
        step_start=_starts(len(s) for group in groups for _, s in group.leaves),
        step_bit=np.array([step[0] for step in steps], dtype=np.int64),
        step_at=np.array([step[1] for step in steps], dtype=np.int64),
        step_left=np.array([step[2] for step in steps], dtype=np.int64),
        condition_start=_starts(len(leaf.features) for leaf in leaves),
        condition_feature=np.array([f for leaf in leaves for f in leaf.features], dtype=np.int64),
        condition_fraction=np.array([z for leaf in leaves for z in leaf.fractions]),
        condition_ratio=_ratios(leaves, points),
        points=points,
        weights=weights,
        table=np.zeros((rows, WIDTH)),
    )
    fill_tables(forest)
    return forest


def _plan(tree: Tree) -> Plan:
    """Divide a tree: from the bottom up, subtrees merge if GROWTH and MAX_BITS allow the table."""
    splits, leaves = _paths(tree)
    group_at: dict[int, Group] = {
        ~leaf: Group(len(path.features), (), ((leaf, ()),)) for leaf, path in enumerate(leaves)
    }
    uppers: list[int] = []
    left, right = tree.left.tolist(), tree.right.tolist()
    for split in reversed(range(tree.feature.size)):
        parts = group_at.get(left[split]), group_at.get(right[split])
        if parts[0] and parts[1]:
            merged = Group(
                len(splits[split].features),
                (split, *sorted(parts[0].splits + parts[1].splits)),
                (*parts[0].leaves_below(split, True), *parts[1].leaves_below(split, False)),
            )
            separate = (1 << parts[0].bits) + (1 << parts[1].bits)
            if merged.bits <= MAX_BITS and 1 << merged.bits <= GROWTH * separate:
                del group_at[left[split]], group_at[right[split]]
                group_at[split] = merged
                continue
        uppers.append(split)
    # Groups keep the tree's order, which is the tables' order in memory.
    return Plan(tree, splits, leaves, uppers[::-1], list(group_at.values()))


def _order(plan: Plan) -> IntArray:
    inner = [split for group in plan.groups for split in group.splits]
    return np.array([*plan.uppers, *inner], dtype=np.int64)


def _split_slots(plan: Plan) -> IntArray:
    """Return left_slot, right_slot, bit and is_new of each split, int64 (splits, 4)."""
    slots = {split: slot for slot, split in enumerate(plan.uppers)}
    for slot, group in enumerate(plan.groups, len(plan.uppers)):
        slots[group.splits[0] if group.splits else ~group.leaves[0][0]] = slot
    left, right = plan.tree.left.tolist(), plan.tree.right.tolist()
    features = plan.tree.feature.tolist()
    rows = []
    for split in plan.uppers:
        path = plan.splits[split]
        bit = path.bit(features[split])
        is_new = int(bit == len(path.features))
        rows.append((slots[left[split]], slots[right[split]], bit, is_new))
    for slot, group in enumerate(plan.groups, len(plan.uppers)):
        rows += [(slot, slot, bit, 0) for bit, _ in enumerate(group.splits, group.above)]
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def _steps(plan: Plan) -> Iterable[tuple[int, int, bool]]:
    """Yield step_bit, step_at and step_left of each step, in the order of the leaves."""
    features = plan.tree.feature.tolist()
    for group in plan.groups:
        index_bit = {split: bit for bit, split in enumerate(group.splits, group.above)}
        for leaf, steps in group.leaves:
            for step in steps:
                path_bit = plan.leaves[leaf].bit(features[step.split])
                yield path_bit, index_bit[step.split], step.left


def _paths(tree: Tree) -> tuple[list[Path], list[Path]]:
    """Return the paths to the splits and to the leaves of a tree.

    Raises:
        UnsupportedTrees: no training row reached a node.
    """
    splits = [Path()] * tree.feature.size
    leaves = [Path()] * tree.leaf_value.size
    for split, feature in enumerate(tree.feature.tolist()):
        for child in (int(tree.left[split]), int(tree.right[split])):
            count = tree.split_count[child] if child >= 0 else tree.leaf_count[~child]
            if count <= 0:
                raise UnsupportedTrees("no training row reached one of the booster's nodes")
            path = splits[split].extended(feature, float(count / tree.split_count[split]))
            if child >= 0:
                splits[child] = path
            else:
                leaves[~child] = path
    return splits, leaves


def _tables(sizes: IntArray, table_bytes: int) -> tuple[IntArray, int]:
    """Return the first row of each group's table, or NO_TABLE, and the number of all rows.

    Args:
        sizes: number of rows of each group's table.
        table_bytes: largest size of all tables together.
    """
    order = np.argsort(sizes, kind="stable")
    fits = np.zeros(sizes.size, dtype=np.bool_)
    fits[order] = np.cumsum(sizes[order]) * WIDTH * 8 <= table_bytes
    ends = np.cumsum(np.where(fits, sizes, 0))
    return np.where(fits, ends - sizes, NO_TABLE), int(ends[-1])


def _quadrature() -> tuple[FloatArray, FloatArray]:
    points, weights = np.zeros((2, POINTS + 1, POINTS))
    for n in range(1, POINTS + 1):
        for i in range(n):
            points[n, i], weights[n, i] = _gauss_legendre(n, i)
    return points, weights


def _gauss_legendre(n: int, i: int) -> tuple[float, float]:
    """Return point i of the n-point quadrature on [0, 1], and its weight, correctly rounded.

    NumPy's values differ in the last bit between machines, and a replayed decision would too.
    Abramowitz and Stegun, "Handbook of Mathematical Functions", 25.4.29 and 22.7.10.
    """
    with localcontext(prec=40):
        x = Decimal(math.cos(math.pi * (i + 0.75) / (n + 0.5)))
        for _ in range(8):
            previous, current = Decimal(1), x
            for k in range(1, n):
                following = ((2 * k + 1) * x * current - k * previous) / (k + 1)
                previous, current = current, following
            slope = n * (previous - x * current) / (1 - x * x)
            x -= current / slope
        return float((x + 1) / 2), float(1 / ((1 - x * x) * slope * slope))


def _ratios(leaves: Sequence[Path], points: FloatArray) -> FloatArray:
    z = np.array([z for leaf in leaves for z in leaf.fractions]).reshape(-1, 1)
    counts = [(len(leaf.features) + 1) // 2 for leaf in leaves for _ in leaf.features]
    t = points[np.array(counts, dtype=np.int64)]
    return np.asarray((1 - z) / (t + z * (1 - t)))


def _starts(sizes: Iterable[int]) -> IntArray:
    return np.cumsum([0, *sizes], dtype=np.int64)
