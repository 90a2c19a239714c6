"""A booster's trees as flat arrays, read from LightGBM's text format.

The text has every threshold and leaf value to the last bit (17 digits). Reading it takes
milliseconds, unlike `Booster.dump_model`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
WordArray = NDArray[np.uint32]

# Bits of decision_type: https://github.com/microsoft/LightGBM/blob/v4.6.0/include/LightGBM/tree.h
_CATEGORICAL = 1
_DEFAULT_LEFT = 2
_MISSING_SHIFT = 2
MISSING_ZERO = 1
MISSING_NAN = 2


class UnsupportedTrees(ValueError):
    """The booster has a property that the arrays cannot represent; the message names it."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree of n leaves, n >= 1, and n - 1 splits; a split's children come after it.

    Attributes:
        feature: columns of the matrix, int64 (n - 1,).
        threshold: largest values that go left, float64 (n - 1,); meaningless for a categorical
            split.
        is_categorical: whether a set of categories goes left, bool (n - 1,).
        word_start: first word of each split's set of categories, and the number of all words at the
            end, int64 (n,). A numeric split has no words.
        words: bitsets: category c is in a set if bit c % 32 of its word c // 32 is 1, uint32 (w,).
        missing: kinds of missing values, int64 (n - 1,). MISSING_ZERO: NaN and 0 are missing;
            MISSING_NAN: NaN is missing; otherwise no value is missing, and NaN counts as 0.
        default_left: 1 where a missing value goes left, else 0, int64 (n - 1,).
        left: left children, int64 (n - 1,): the index of a split, or ~leaf.
        right: right children, int64 (n - 1,): the index of a split, or ~leaf.
        leaf_value: log-odds, float64 (n,).
        split_count: number of training rows that reached each split, float64 (n - 1,).
        leaf_count: number of training rows that reached each leaf, float64 (n,).
    """

    feature: IntArray
    threshold: FloatArray
    is_categorical: NDArray[np.bool_]
    word_start: IntArray
    words: WordArray
    missing: IntArray
    default_left: IntArray
    left: IntArray
    right: IntArray
    leaf_value: FloatArray
    split_count: FloatArray
    leaf_count: FloatArray

    @property
    def expected_value(self) -> float:
        """Mean of the leaf values over the training rows."""
        if self.leaf_value.size == 1:
            return float(self.leaf_value[0])
        return float((self.leaf_count / self.split_count[0] * self.leaf_value).sum())


def read_trees(model_text: str) -> list[Tree]:
    """Read the trees of a model in LightGBM's text format.

    Args:
        model_text: result of `Booster.model_to_string()`.

    Raises:
        UnsupportedTrees: the booster has linear leaves or several classes, or averages its trees.
    """
    header, *rest = model_text.split("\nTree=")
    lines = header.splitlines()
    if "average_output" in lines:
        raise UnsupportedTrees("the booster averages its trees")
    if "num_tree_per_iteration=1" not in lines:
        raise UnsupportedTrees("the booster has several classes")
    return [_tree(dict(_fields(text))) for text in rest]


def _fields(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\nend of trees", 1)[0].splitlines()[1:]:
        name, _, value = line.partition("=")
        yield name, value


def _tree(fields: dict[str, str]) -> Tree:
    if fields.get("is_linear", "0") != "0":
        raise UnsupportedTrees("the booster has linear leaves")
    decision_type = _numbers(fields, "decision_type").astype(np.int64)
    threshold = _numbers(fields, "threshold")
    is_categorical = (decision_type & _CATEGORICAL) == 1
    # A categorical split has the number of its set in place of a threshold.
    sets = threshold[is_categorical].astype(np.int64)
    boundaries = _numbers(fields, "cat_boundaries").astype(np.int64)
    words = _numbers(fields, "cat_threshold").astype(np.uint32)
    in_order = [words[boundaries[n] : boundaries[n + 1]] for n in sets]
    sizes = np.zeros(threshold.size, dtype=np.int64)
    sizes[is_categorical] = [word.size for word in in_order]
    return Tree(
        feature=_numbers(fields, "split_feature").astype(np.int64),
        threshold=threshold,
        is_categorical=is_categorical,
        word_start=np.cumsum([0, *sizes], dtype=np.int64),
        words=np.concatenate([words[:0], *in_order]),
        missing=(decision_type >> _MISSING_SHIFT) & 3,
        default_left=(decision_type & _DEFAULT_LEFT) // _DEFAULT_LEFT,
        left=_numbers(fields, "left_child").astype(np.int64),
        right=_numbers(fields, "right_child").astype(np.int64),
        leaf_value=_numbers(fields, "leaf_value"),
        split_count=_numbers(fields, "internal_count"),
        leaf_count=_numbers(fields, "leaf_count"),
    )


def _numbers(fields: dict[str, str], name: str) -> FloatArray:
    # float() rounds correctly; NumPy does not document that its parser does.
    return np.array([float(word) for word in fields.get(name, "").split()], dtype=np.float64)
