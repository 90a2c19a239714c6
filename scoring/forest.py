"""From a booster's trees to the compiled kernel's arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

import numpy as np

from scoring.features import FloatArray
from scoring.kernel import NO_TABLE, POINTS, WIDTH, Forest, fill
from scoring.trees import IntArray, Tree, UnsupportedTrees

TABLE_BYTES = 160 * 2**20
"""Memory for one model's tables; the leaves of the longest paths beyond it are computed anew for
each row."""


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


def forest_of(trees: Sequence[Tree], table_bytes: int = TABLE_BYTES) -> Forest:
    """Compute every leaf's table.

    Args:
        trees: at least one.
        table_bytes: the tables' size at most; the shortest paths come first.

    Raises:
        UnsupportedTrees: no training row reached a node, or there are too many features.
    """
    if any((tree.feature >= WIDTH - 1).any() for tree in trees):
        raise UnsupportedTrees(f"the booster has more than {WIDTH - 1} features")
    ways = [_paths(tree) for tree in trees]
    splits = [split for of_tree, _ in ways for split in of_tree]
    leaves = [leaf for _, of_tree in ways for leaf in of_tree]
    features = np.concatenate([tree.feature for tree in trees])
    bits = [way.bit(feature) for way, feature in zip(splits, features.tolist(), strict=True)]
    tables, rows = _tables(np.array([1 << len(leaf.features) for leaf in leaves]), table_bytes)
    points, weights = _quadrature()
    forest = Forest(
        split_start=_starts(tree.feature.size for tree in trees),
        leaf_start=_starts(tree.leaf_value.size for tree in trees),
        feature=features,
        threshold=np.concatenate([tree.threshold for tree in trees]),
        missing=np.concatenate([tree.missing for tree in trees]),
        default_left=np.concatenate([tree.default_left for tree in trees]),
        left_slot=np.concatenate([_slots(tree, tree.left) for tree in trees]),
        right_slot=np.concatenate([_slots(tree, tree.right) for tree in trees]),
        bit=np.array(bits, dtype=np.int64),
        is_new=np.array(
            [bit == len(way.features) for bit, way in zip(bits, splits, strict=True)],
            dtype=np.int64,
        ),
        leaf_value=np.concatenate([tree.leaf_value for tree in trees]),
        leaf_table=tables,
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


def _slots(tree: Tree, children: IntArray) -> IntArray:
    return np.where(children >= 0, children, tree.feature.size + ~children)


def _tables(sizes: IntArray, table_bytes: int) -> tuple[IntArray, int]:
    """Return each leaf's first row, or NO_TABLE, and how many rows there are."""
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
