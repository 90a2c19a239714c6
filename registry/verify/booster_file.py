"""Check a booster file before LightGBM reads it.

LightGBM does not validate the file: it reads beyond the end of one that is truncated or was edited,
which ends the process (4.6.0: a file cut in half is a segmentation fault). So the parts that it
does not check are checked here first: the trees' sizes, the lengths of their arrays, and the
children of each split.
Format: https://github.com/microsoft/LightGBM/blob/v4.6.0/src/io/gbdt_model_text.cpp.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, pairwise
from pathlib import Path

from scoring.errors import ModelRefused

_OF_SPLITS = (
    *("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child"),
    *("internal_value", "internal_weight", "internal_count"),
)
_OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")


def check_booster(path: Path) -> None:
    """Check the structure of a booster in LightGBM's text format.

    Raises:
        ModelRefused: the file is truncated or inconsistent; the message gives the place.
    """
    content = path.read_bytes()
    try:
        _check_trees(content)
    except (ValueError, KeyError) as error:
        raise ModelRefused(f"{path.name} does not load: {_reason(error)}") from error


def _check_trees(content: bytes) -> None:
    head, begin, _ = content.partition(b"\nTree=0\n")
    if not begin:
        raise ValueError("it has no tree")
    header = _fields(head)
    if (header["num_class"], header["num_tree_per_iteration"]) != ("1", "1"):
        raise ValueError("it has more than one output")
    features = int(header["max_feature_idx"]) + 1
    for name in ("feature_names", "feature_infos"):
        if len(header[name].split(" ")) != features:
            raise ValueError(f"{name} does not name {features} features")
    at = len(head) + 1
    for number, size in enumerate(map(int, header["tree_sizes"].split(" "))):
        tree = content[at : at + size]
        at += size
        if size < 1 or len(tree) < size or not tree.startswith(b"Tree=%d\n" % number):
            raise ValueError(f"tree {number} does not match tree_sizes; the file was changed")
        try:
            _check_tree(_fields(tree), features)
        except (ValueError, KeyError) as error:
            raise ValueError(f"tree {number}: {_reason(error)}") from error
    if not content.startswith(b"end of trees", at):
        raise ValueError("the end of the trees does not match tree_sizes; the file was changed")


def _check_tree(tree: Mapping[str, str], features: int) -> None:
    leaves = int(tree["num_leaves"])
    if leaves < 1 or tree.get("is_linear", "0") != "0":
        raise ValueError("it is linear or empty")
    if leaves == 1:
        if len(tree["leaf_value"].split()) != 1:
            raise ValueError("leaf_value has the wrong length")
        return
    lengths = chain(((n, leaves - 1) for n in _OF_SPLITS), ((n, leaves) for n in _OF_LEAVES))
    for name, length in lengths:
        if len(tree[name].split(" ")) != length:
            raise ValueError(f"{name} has the wrong length")
    if not all(0 <= int(feature) < features for feature in tree["split_feature"].split(" ")):
        raise ValueError("it splits on a feature that does not exist")
    _check_sets(tree)
    reached = [0] * (2 * leaves - 1)
    for side in ("left_child", "right_child"):
        for split, child in enumerate(map(int, tree[side].split(" "))):
            # A split's children come after it, so there is no cycle; a leaf is stored as ~leaf.
            if not (split < child < leaves - 1 or -leaves <= child < 0):
                raise ValueError(f"{side} of split {split} is out of range")
            reached[child] += 1
    if reached[0] or any(count != 1 for count in reached[1:]):
        raise ValueError("its splits do not form a tree")


def _check_sets(tree: Mapping[str, str]) -> None:
    """Check the sets of categories: a categorical split has the number of one as its threshold."""
    count = int(tree["num_cat"])
    if count < 0:
        raise ValueError("num_cat is negative")
    if count:
        bounds = list(map(int, tree["cat_boundaries"].split(" ")))
        if len(bounds) != count + 1 or bounds[0] != 0 or any(a >= b for a, b in pairwise(bounds)):
            raise ValueError("cat_boundaries are not those of num_cat sets")
        if len(tree["cat_threshold"].split(" ")) != bounds[-1]:
            raise ValueError("cat_threshold has the wrong length")
    splits = zip(tree["decision_type"].split(" "), tree["threshold"].split(" "), strict=True)
    for kind, threshold in splits:
        if int(kind) & 1 and not 0 <= float(threshold) < count:
            raise ValueError("it has a categorical split on a set that does not exist")


def _fields(block: bytes) -> dict[str, str]:
    lines = (line.partition("=") for line in block.decode("utf-8").split("\n"))
    return {name: value for name, equals, value in lines if equals}


def _reason(error: ValueError | KeyError) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
