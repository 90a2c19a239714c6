"""Random models in LightGBM's text format, with splits that training seldom or never makes.

They depend on Python's generator alone, whose numbers never change for a seed, so their
explanations can be compared with stored ones.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

MISSING = {"None": 0, "Zero": 1, "NaN": 2}
LARGEST_CATEGORY = 70


@dataclass(frozen=True, slots=True)
class Shape:
    """What a random model consists of.

    Attributes:
        trees: number of trees.
        leaves: number of leaves of each tree.
        features: number of columns of the matrix.
        missing: kinds of missing values that a split may have.
        categorical: features whose splits test a set of categories.
        chain: share of the splits that divide the deepest leaf; 1 makes each tree a single path.
    """

    trees: int
    leaves: int
    features: int
    missing: Sequence[str] = tuple(MISSING)
    categorical: frozenset[int] = field(default_factory=frozenset)
    chain: float = 0.0


def model_text(shape: Shape, seed: int) -> str:
    """Return a random binary classifier that `lightgbm.Booster(model_str=...)` reads."""
    rng = random.Random(seed)  # noqa: S311 - the numbers need no secrecy
    names = [f"f{n}" for n in range(shape.features)]
    header = [
        "tree",
        "version=v4",
        "num_class=1",
        "num_tree_per_iteration=1",
        "label_index=0",
        f"max_feature_idx={shape.features - 1}",
        "objective=binary sigmoid:1",
        f"feature_names={' '.join(names)}",
        f"feature_infos={' '.join('[-9:9]' for _ in names)}",
        "",
    ]
    trees = [f"\nTree={n}\n{_tree(shape, rng)}\n" for n in range(shape.trees)]
    return "\n".join(header) + "\n".join(trees) + "\nend of trees\n"


def _tree(shape: Shape, rng: random.Random) -> str:
    columns: dict[str, list[int | float]] = {
        name: []
        for name in ("split_feature", "threshold", "decision_type", "left_child", "right_child")
    }
    boundaries, words = [0], list[int]()
    counts, inner_counts = [40 * shape.leaves], list[int]()
    depths = [0]
    parents: list[tuple[str, int] | None] = [None]
    for split in range(shape.leaves - 1):
        divisible = [leaf for leaf, count in enumerate(counts) if count > 1]
        leaf = rng.choice(divisible)
        if rng.random() < shape.chain:
            leaf = max(divisible, key=lambda leaf: (depths[leaf], counts[leaf]))
        if parent := parents[leaf]:
            columns[parent[0]][parent[1]] = split
        feature = rng.randrange(shape.features)
        missing = MISSING[rng.choice(list(shape.missing))]
        columns["split_feature"].append(feature)
        if feature in shape.categorical:
            columns["decision_type"].append(1 | missing << 2)
            columns["threshold"].append(len(boundaries) - 1)
            words += [rng.getrandbits(32) for _ in range(rng.randint(1, LARGEST_CATEGORY // 32))]
            boundaries.append(len(words))
        else:
            columns["decision_type"].append(2 * rng.randrange(2) | missing << 2)
            columns["threshold"].append(rng.choice([0.0, 1e-40, round(rng.gauss(0, 1), 2)]))
        columns["left_child"].append(~leaf)
        columns["right_child"].append(~len(counts))
        inner_counts.append(counts[leaf])
        left = rng.randint(1, counts[leaf] - 1)
        if shape.chain and counts[leaf] > 2 * shape.leaves:
            left = rng.randint(1, shape.leaves // 4 + 1)
        counts.append(counts[leaf] - left)
        counts[leaf] = left
        depths[leaf] += 1
        depths.append(depths[leaf])
        parents[leaf] = ("left_child", split)
        parents.append(("right_child", split))
    values = [rng.gauss(0, 0.1) for _ in counts]
    fields = {
        "num_leaves": [shape.leaves],
        "num_cat": [len(boundaries) - 1],
        **columns,
        "leaf_value": values,
        "leaf_weight": counts,
        "leaf_count": counts,
        "internal_value": [0.0] * len(inner_counts),
        "internal_weight": inner_counts,
        "internal_count": inner_counts,
    }
    if words:
        fields |= {"cat_boundaries": boundaries, "cat_threshold": words}
    fields |= {"is_linear": [0], "shrinkage": [1]}
    return "\n".join(f"{name}={' '.join(map(repr, numbers))}" for name, numbers in fields.items())


def random_rows(shape: Shape, rows: int, seed: int) -> list[list[float]]:
    """Return rows with thresholds, categories, unseen categories, zeros and missing values."""
    rng = random.Random(seed)  # noqa: S311 - the numbers need no secrecy
    special = [0.0, -0.0, 1e-36, -1e-36, float("nan"), float("inf"), float("-inf"), 3e9, -0.5]

    def value(feature: int) -> float:
        if rng.random() < 0.15:
            return rng.choice(special)
        if feature in shape.categorical:
            return rng.choice([rng.randint(-2, LARGEST_CATEGORY), rng.uniform(-2, 40)])
        return round(rng.gauss(0, 1), 2)

    return [[value(feature) for feature in range(shape.features)] for _ in range(rows)]
