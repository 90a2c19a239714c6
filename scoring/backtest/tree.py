"""A shallow tree: regions of payments with many frauds, as conditions.

LightGBM grows one tree of depth MAX_PARTS. Each node but the root is a region. The conditions have
the meaning of rules, where a missing value makes a part false: a path that a missing value takes
too is given once without and once with only those that are missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import lightgbm as lgb
import numpy as np

from scoring.backtest.conditions import (
    Condition,
    Interval,
    IsMissing,
    OneOf,
    Part,
    Truth,
    shortest_between,
)
from scoring.backtest.rule_columns import RuleColumn
from scoring.columns import BoolArray, FloatArray

MAX_PARTS = 3
MAX_LISTED = 6
"""Values of a category that one part lists."""
_PARAMETERS = {
    "objective": "binary",
    "max_depth": MAX_PARTS,
    "num_leaves": 2**MAX_PARTS,
    "max_bin": 1023,
    "bin_construct_sample_cnt": 50_000,
    "max_cat_threshold": MAX_LISTED,
    "min_sum_hessian_in_leaf": 0.0,
    "feature_pre_filter": False,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


@dataclass(slots=True)
class _Path:
    """What the splits above a node ask of one column.

    Attributes:
        above: thresholds that the value exceeds.
        upto: thresholds that the value does not exceed.
        among: sets of codes that the value is in.
        outside: codes that the value is none of.
        takes_missing: whether each split sends a missing value to the node.
    """

    above: list[float] = field(default_factory=list)
    upto: list[float] = field(default_factory=list)
    among: list[set[int]] = field(default_factory=list)
    outside: set[int] = field(default_factory=set)
    takes_missing: bool = True


class ShallowTrees:
    """Grows trees on parts of the same n payments.

    Args:
        columns: columns of the payments.
        is_fraud: labels, bool (n,).
        weights: what an error at each payment costs, float64 (n,), >= 0, with a sum > 0.
        min_rows: smallest number of payments of a region.
    """

    def __init__(
        self,
        columns: Sequence[RuleColumn],
        is_fraud: BoolArray,
        weights: FloatArray,
        min_rows: int,
    ) -> None:
        self._columns = columns
        self._parameters = _PARAMETERS | {
            "min_data_in_leaf": min_rows,
            "min_data_per_group": min_rows,
        }
        # Its bins are most of the work, and those of every part.
        self._data = lgb.Dataset(
            np.column_stack([column.values for column in columns]),
            label=is_fraud.astype(np.float64),
            weight=weights / weights.mean(),
            categorical_feature=[
                place for place, column in enumerate(columns) if column.kind == "category"
            ],
            params=self._parameters,
            free_raw_data=False,
        ).construct()

    def regions(self, rows: BoolArray) -> Iterator[Condition]:
        """Yield the conditions of the nodes of a tree, the largest regions first.

        Args:
            rows: payments that the tree is grown on, bool (n,).
        """
        part = self._data.subset(np.flatnonzero(rows).tolist())
        booster = lgb.train(self._parameters, part, num_boost_round=1)
        root = booster.dump_model()["tree_info"][0]["tree_structure"]
        columns = [replace(one, values=one.values[rows]) for one in self._columns]
        for splits in _paths(root):
            yield from _conditions(_by_column(splits), columns)


_Split = tuple[Mapping[str, Any], bool]
"""A split of LightGBM's dump, and whether the path goes left."""


def _paths(root: Mapping[str, Any]) -> Iterator[tuple[_Split, ...]]:
    """Yield the splits above each node but the root, level by level."""
    level: list[tuple[Mapping[str, Any], tuple[_Split, ...]]] = [(root, ())]
    while level:
        below = []
        for node, splits in level:
            if splits:
                yield splits
            if "split_feature" in node:
                below.append((node["left_child"], (*splits, (node, True))))
                below.append((node["right_child"], (*splits, (node, False))))
        level = below


def _by_column(splits: Sequence[_Split]) -> dict[int, _Path]:
    paths: dict[int, _Path] = {}
    for split, is_left in splits:
        path = paths.setdefault(split["split_feature"], _Path())
        if split["decision_type"] == "==":
            codes = {int(code) for code in split["threshold"].split("||")}
            if is_left:
                path.among.append(codes)
            else:
                path.outside |= codes
            missing_is_left = False
        else:
            (path.upto if is_left else path.above).append(split["threshold"])
            missing_is_left = split["default_left"]
        path.takes_missing &= missing_is_left == is_left
    return paths


def _conditions(paths: Mapping[int, _Path], columns: Sequence[RuleColumn]) -> Iterator[Condition]:
    choices = []
    for place, path in paths.items():
        parts = [part for part in [_part(place, path, columns[place])] if part is not None]
        if path.takes_missing and np.isnan(columns[place].values).any():
            parts.append(IsMissing(place))
        choices.append(parts)
    yield from product(*choices)


def _part(place: int, path: _Path, column: RuleColumn) -> Part | None:
    """Return the part that is true for the values of a path; None if it has none."""
    if column.kind == "category":
        return _one_of(place, path, column)
    values = column.values[~np.isnan(column.values)]
    above, upto = max(path.above, default=-np.inf), min(path.upto, default=np.inf)
    if not (values > above).any() or not (values <= upto).any():
        return None
    low, high = _cut(values, above), _cut(values, upto)
    if column.kind == "boolean" and (low is None) != (high is None):
        return Truth(place, low is not None)
    return Interval(place, low, high)


def _cut(values: FloatArray, threshold: float) -> float | None:
    """Return a short number that parts the values as a threshold does; None if it does not."""
    is_above = values > threshold
    if is_above.all() or not is_above.any():
        return None
    return shortest_between(float(values[~is_above].max()), float(values[is_above].min()))


def _one_of(place: int, path: _Path, column: RuleColumn) -> OneOf | None:
    """Return the part for a set of codes; a code without a name can only be left over."""
    named = set(range(len(column.categories)))
    if path.among:
        codes = set.intersection(*path.among) - path.outside
        is_negated = not codes <= named
    else:
        codes = named - path.outside
        is_negated = path.outside <= named
    listed = tuple(sorted(named - codes if is_negated else codes))
    if not listed or len(listed) > MAX_LISTED:
        return None
    return OneOf(place, listed, is_negated)
