"""The columns of values that splits compare with their thresholds.

A split sends a value left if it is at most the threshold. Values are prepared so that this also
holds for missing values and categories, which the loops over splits then need not distinguish.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scoring.explain.lightgbm_text import (
    MISSING_NAN,
    MISSING_ZERO,
    FloatArray,
    IntArray,
    Tree,
    WordArray,
)

# Kinds of columns: no missing values, categories; zeros and NaN, or NaN only, go right or left.
_PLAIN, _CATEGORY, _ZERO_RIGHT, _ZERO_LEFT, _NAN_RIGHT, _NAN_LEFT = range(6)
# NaN is not at most a threshold, -inf is; and -1 is in no set of categories.
_NAN = np.array([0.0, -1.0, np.nan, -np.inf, np.nan, -np.inf])
_ZERO = np.array([0.0, 0.0, np.nan, -np.inf, 0.0, 0.0])


@dataclass(frozen=True, slots=True)
class ValueColumns:
    """The columns of values of a booster's splits, as in `scoring.explain.kernel.Forest`.

    Attributes:
        feature: feature of each column, int64.
        nan: value of NaN in each column, float64.
        zero: value of 0 in each column, float64.
        of_splits: for each tree, the columns that its splits read, int64.
        thresholds: for each tree, the largest values that its splits send left, float64.
        set_counts: number of sets of categories of each tree.
        set_column: column whose categories each set is compared with, int64.
        word_counts: number of words of each set.
        words: bitsets of all sets, uint32.
    """

    feature: IntArray
    nan: FloatArray
    zero: FloatArray
    of_splits: Sequence[IntArray]
    thresholds: Sequence[FloatArray]
    set_counts: Sequence[int]
    set_column: IntArray
    word_counts: IntArray
    words: WordArray


def value_columns(trees: Sequence[Tree]) -> ValueColumns:
    """Return the columns of values that the splits of trees need."""
    kinds = len(_NAN)
    keys = np.concatenate([tree.feature * kinds + _kinds(tree) for tree in trees])
    distinct, column = np.unique(keys, return_inverse=True)
    ends = np.cumsum([tree.feature.size for tree in trees])[:-1]
    sources = np.split(column.astype(np.int64), ends)
    of_splits, thresholds = [], []
    for tree, source in zip(trees, sources, strict=True):
        read, threshold = source.copy(), tree.threshold.copy()
        read[tree.is_categorical] = distinct.size + np.arange(tree.is_categorical.sum())
        threshold[tree.is_categorical] = 0.0
        of_splits.append(read)
        thresholds.append(threshold)
    is_set = np.concatenate([tree.is_categorical for tree in trees])
    return ValueColumns(
        feature=distinct // kinds,
        nan=_NAN[distinct % kinds],
        zero=_ZERO[distinct % kinds],
        of_splits=of_splits,
        thresholds=thresholds,
        set_counts=[int(tree.is_categorical.sum()) for tree in trees],
        set_column=column[is_set].astype(np.int64),
        word_counts=np.concatenate([np.diff(tree.word_start) for tree in trees])[is_set],
        # The kernel reads a word after an empty set too.
        words=np.concatenate([*(tree.words for tree in trees), np.zeros(1, dtype=np.uint32)]),
    )


def _kinds(tree: Tree) -> IntArray:
    kinds = np.full(tree.feature.size, _PLAIN)
    for missing, right, left in (
        (MISSING_ZERO, _ZERO_RIGHT, _ZERO_LEFT),
        (MISSING_NAN, _NAN_RIGHT, _NAN_LEFT),
    ):
        is_missing = tree.missing == missing
        kinds[is_missing] = np.where(tree.default_left[is_missing] == 1, left, right)
    kinds[tree.is_categorical] = _CATEGORY
    return kinds
