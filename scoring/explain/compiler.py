"""From a booster's trees to the compiled kernel's arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from scoring.explain.kernel import MAX_BITS, NO_TABLE, POINTS, WIDTH, Forest, fill
from scoring.explain.lightgbm_text import IntArray, Tree, UnsupportedTrees
from scoring.features import FloatArray

TABLE_BYTES = 160 * 2**20
"""Memory for one model's tables; the leaves of the largest ones beyond it are computed anew for
each row."""
GROWTH = 1.5
"""How much larger than its parts' tables a group's may be."""

Number = TypeVar("Number", np.int64, np.float64)


@dataclass(frozen=True, slots=True)
class Path:
    """The way to a node.

    Attributes:
        features: distinct, in order.
        fractions: for each, the share of the training rows at the splits on it that goes this way.
    """

    features: tuple[int, ...] = ()
    fractions: tuple[float, ...] = ()

    def bit(self, feature: int) -> int:
        """Return the feature's position, which is the next one where it is new."""
        return self.features.index(feature) if feature in self.features else len(self.features)

    def extended(self, feature: int, fraction: float) -> Path:
        """Return the way on through a split."""
        bit = self.bit(feature)
        if bit == len(self.features):
            return Path((*self.features, feature), (*self.fractions, fraction))
        fractions = list(self.fractions)
        fractions[bit] *= fraction
        return Path(self.features, tuple(fractions))


@dataclass(frozen=True, slots=True)
class Step:
    """A split between a group's top and one of its leaves.

    Attributes:
        split: of the tree.
        left: whether the leaf lies on its left.
    """

    split: int
    left: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A subtree at the bottom of a tree whose leaves share one table.

    Attributes:
        above: bits of the path down to it.
        splits: its own, of the tree, parents first; none where it is one leaf.
        leaves: its own, of the tree, with the steps to each.
    """

    above: int
    splits: tuple[int, ...]
    leaves: tuple[tuple[int, tuple[Step, ...]], ...]

    @property
    def bits(self) -> int:
        """Of an index into its table."""
        return self.above + len(self.splits)

    def stepped(self, split: int, left: bool) -> list[tuple[int, tuple[Step, ...]]]:
        """Return its leaves as they are seen from a split right above it."""
        return [(leaf, (Step(split, left), *steps)) for leaf, steps in self.leaves]


@dataclass(frozen=True, slots=True)
class Plan:
    """A tree cut into upper splits and groups.

    Attributes:
        tree: which.
        splits, leaves: the paths to them.
        uppers: splits outside of groups, parents first.
        groups: every leaf is in one.
    """

    tree: Tree
    splits: Sequence[Path]
    leaves: Sequence[Path]
    uppers: Sequence[int]
    groups: Sequence[Group]


def forest_of(trees: Sequence[Tree], table_bytes: int = TABLE_BYTES) -> Forest:
    """Compute every group's table.

    Args:
        trees: at least one.
        table_bytes: the tables' size at most; the smallest ones come first.

    Raises:
        UnsupportedTrees: no training row reached a node, or there are too many features.
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

    wiring = np.concatenate([_wiring(plan) for plan in plans])
    forest = Forest(
        split_start=_starts(tree.feature.size for tree in trees),
        upper_start=_starts(len(plan.uppers) for plan in plans),
        group_start=_starts(len(plan.groups) for plan in plans),
        feature=by_split(tree.feature for tree in trees),
        threshold=by_split(tree.threshold for tree in trees),
        missing=by_split(tree.missing for tree in trees),
        default_left=by_split(tree.default_left for tree in trees),
        left_slot=wiring[:, 0].copy(),
        right_slot=wiring[:, 1].copy(),
        bit=wiring[:, 2].copy(),
        is_new=wiring[:, 3].copy(),
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
    fill(forest)
    return forest


def _plan(tree: Tree) -> Plan:
    """Cut a tree: from the bottom up, subtrees merge where that hardly makes tables larger."""
    splits, leaves = _paths(tree)
    whole: dict[int, Group] = {
        ~leaf: Group(len(path.features), (), ((leaf, ()),)) for leaf, path in enumerate(leaves)
    }
    uppers: list[int] = []
    left, right = tree.left.tolist(), tree.right.tolist()
    for split in reversed(range(tree.feature.size)):
        parts = whole.get(left[split]), whole.get(right[split])
        if parts[0] and parts[1]:
            merged = Group(
                len(splits[split].features),
                (split, *sorted(parts[0].splits + parts[1].splits)),
                (*parts[0].stepped(split, True), *parts[1].stepped(split, False)),
            )
            apart = (1 << parts[0].bits) + (1 << parts[1].bits)
            if merged.bits <= MAX_BITS and 1 << merged.bits <= GROWTH * apart:
                del whole[left[split]], whole[right[split]]
                whole[split] = merged
                continue
        uppers.append(split)
    # In the tree's order, which is the order of memory.
    return Plan(tree, splits, leaves, uppers[::-1], list(whole.values()))


def _order(plan: Plan) -> IntArray:
    inner = [split for group in plan.groups for split in group.splits]
    return np.array([*plan.uppers, *inner], dtype=np.int64)


def _wiring(plan: Plan) -> IntArray:
    """Return left_slot, right_slot, bit and is_new of each split, int64 (splits, 4)."""
    slots = {split: slot for slot, split in enumerate(plan.uppers)}
    for slot, group in enumerate(plan.groups, len(plan.uppers)):
        slots[group.splits[0] if group.splits else ~group.leaves[0][0]] = slot
    left, right = plan.tree.left.tolist(), plan.tree.right.tolist()
    features = plan.tree.feature.tolist()
    rows = []
    for split in plan.uppers:
        way = plan.splits[split]
        bit = way.bit(features[split])
        is_new = int(bit == len(way.features))
        rows.append((slots[left[split]], slots[right[split]], bit, is_new))
    for slot, group in enumerate(plan.groups, len(plan.uppers)):
        rows += [(slot, slot, bit, 0) for bit, _ in enumerate(group.splits, group.above)]
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def _steps(plan: Plan) -> Iterable[tuple[int, int, bool]]:
    """Return step_bit, step_at and step_left of each step, in the leaves' order."""
    features = plan.tree.feature.tolist()
    for group in plan.groups:
        at = {split: bit for bit, split in enumerate(group.splits, group.above)}
        for leaf, steps in group.leaves:
            for step in steps:
                yield plan.leaves[leaf].bit(features[step.split]), at[step.split], step.left


def _paths(tree: Tree) -> tuple[list[Path], list[Path]]:
    """Return the paths to a tree's splits and to its leaves."""
    splits = [Path()] * tree.feature.size
    leaves = [Path()] * tree.leaf_value.size
    for split, feature in enumerate(tree.feature.tolist()):
        for child in (int(tree.left[split]), int(tree.right[split])):
            count = tree.split_count[child] if child >= 0 else tree.leaf_count[~child]
            if count <= 0:
                raise UnsupportedTrees("no training row reached one of the booster's nodes")
            way = splits[split].extended(feature, float(count / tree.split_count[split]))
            if child >= 0:
                splits[child] = way
            else:
                leaves[~child] = way
    return splits, leaves


def _tables(sizes: IntArray, table_bytes: int) -> tuple[IntArray, int]:
    """Return each group's first row, or NO_TABLE, and how many rows there are."""
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
    """Return the i-th of n points on [0, 1], and its weight, rounded correctly.

    NumPy's differ in the last bit between machines, and so would a decision that is replayed.
    Abramowitz and Stegun, "Handbook of Mathematical Functions", 25.4.29 and 22.7.10.
    """
    with localcontext(prec=40):
        x = Decimal(math.cos(math.pi * (i + 0.75) / (n + 0.5)))
        for _ in range(8):
            before, here = Decimal(1), x
            for k in range(1, n):
                before, here = here, ((2 * k + 1) * x * here - k * before) / (k + 1)
            slope = n * (before - x * here) / (1 - x * x)
            x -= here / slope
        return float((x + 1) / 2), float(1 / ((1 - x * x) * slope * slope))


def _ratios(leaves: Sequence[Path], points: FloatArray) -> FloatArray:
    z = np.array([z for leaf in leaves for z in leaf.fractions]).reshape(-1, 1)
    counts = [(len(leaf.features) + 1) // 2 for leaf in leaves for _ in leaf.features]
    t = points[np.array(counts, dtype=np.int64)]
    return np.asarray((1 - z) / (t + z * (1 - t)))


def _starts(sizes: Iterable[int]) -> IntArray:
    return np.cumsum([0, *sizes], dtype=np.int64)
