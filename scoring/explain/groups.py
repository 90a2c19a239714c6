"""The division of a tree into upper splits and groups, subtrees whose leaves share one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scoring.explain.kernel import MAX_BITS
from scoring.explain.lightgbm_text import Tree, UnsupportedTrees

GROWTH = 1.5
"""Largest size of a merged group's table, relative to the tables of its two parts together."""


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
        """Number of bits of an index into the group's table; with over MAX_BITS it has none."""
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


def divide(tree: Tree) -> Plan:
    """Divide a tree: from the bottom up, subtrees merge if GROWTH and MAX_BITS allow the table.

    A split below which the paths have more than MAX_BITS features is the top of a group without a
    table.

    Raises:
        UnsupportedTrees: no training row reached a node.
    """
    splits, leaves = _paths(tree)
    group_at: dict[int, Group] = {
        ~leaf: Group(len(path.features), (), ((leaf, ()),))
        for leaf, path in enumerate(leaves)
        if len(path.features) <= MAX_BITS
    }
    uppers: list[int] = []
    left, right, features = tree.left.tolist(), tree.right.tolist(), tree.feature.tolist()
    for split in reversed(range(tree.feature.size)):
        above = len(splits[split].features)
        if above > MAX_BITS:
            continue
        if above == MAX_BITS == splits[split].bit(features[split]):
            group_at[split] = _subtree(left, right, split, above)
            continue
        parts = group_at.get(left[split]), group_at.get(right[split])
        if parts[0] and parts[1]:
            merged = Group(
                above,
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


def _subtree(left: Sequence[int], right: Sequence[int], top: int, above: int) -> Group:
    """Return the group of all leaves below a split."""
    splits, leaves = list[int](), list[tuple[int, tuple[Step, ...]]]()
    nodes: list[tuple[int, tuple[Step, ...]]] = [(top, ())]
    while nodes:
        node, steps = nodes.pop()
        if node < 0:
            leaves.append((~node, steps))
        else:
            splits.append(node)
            nodes.append((right[node], (*steps, Step(node, False))))
            nodes.append((left[node], (*steps, Step(node, True))))
    return Group(above, tuple(splits), tuple(leaves))


def _paths(tree: Tree) -> tuple[list[Path], list[Path]]:
    """Return the paths to the splits and to the leaves of a tree."""
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
