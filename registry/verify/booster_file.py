"""Check a booster file before LightGBM reads it.

LightGBM does not validate the file: it reads beyond the end of one that is truncated or was edited,
and a word that is no number ends the process (4.6.0: a file cut in half is a segmentation fault,
`internal_value=abc` an abort). So the file has to be what LightGBM writes: each name once, numbers
that are written as it writes them, arrays of the trees' sizes, and splits that form a tree. Python
is more lenient than LightGBM about numbers (`1_0`, other scripts' digits) and about lines that are
given twice, hence the patterns.
Format: https://github.com/microsoft/LightGBM/blob/v4.6.0/src/io/gbdt_model_text.cpp.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from itertools import chain, pairwise
from pathlib import Path

from registry.verify.booster_tail import check_tail
from scoring.errors import ModelRefused

MAX_FEATURES = 10_000
MAX_LEAF_VALUE = 1e6
"""Largest distance of a leaf's log-odds from 0: sums of trees stay far from overflow, which gives
contributions that are no numbers."""
MAX_STEPS = 2_000_000
"""Splits on the way to each leaf, of all leaves together, which compiling for explanations takes
time for: 17 s for 3.2 million (100 trees of 255 leaves, each one long chain), 10 s for the 0.3
million of 500 ordinary trees of 63 leaves. Training makes at most 512 trees of 31 leaves."""

_FLOAT = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_FINITE = re.compile(rf"{_FLOAT}(?: {_FLOAT})*", re.ASCII)
_ANY_FLOAT = re.compile(rf"(?:{_FLOAT}|-?inf|-?nan)(?: (?:{_FLOAT}|-?inf|-?nan))*", re.ASCII)
_INTEGERS = re.compile(r"-?\d{1,10}(?: -?\d{1,10})*", re.ASCII)

_OF_SPLITS = {
    "split_feature": _INTEGERS,
    "split_gain": _ANY_FLOAT,
    "threshold": _ANY_FLOAT,
    "decision_type": _INTEGERS,
    "left_child": _INTEGERS,
    "right_child": _INTEGERS,
    "internal_value": _FINITE,
    "internal_weight": _FINITE,
    "internal_count": _INTEGERS,
}
_OF_LEAVES = {"leaf_value": _FINITE, "leaf_weight": _FINITE, "leaf_count": _INTEGERS}
_OF_SETS = {"cat_boundaries": _INTEGERS, "cat_threshold": _INTEGERS}
_OF_TREES = {"num_leaves": _INTEGERS, "num_cat": _INTEGERS, "is_linear": _INTEGERS}
_PATTERNS = {**_OF_SPLITS, **_OF_LEAVES, **_OF_SETS, **_OF_TREES, "shrinkage": _FINITE}
_EMPTY_IN_A_LEAF = {*_OF_SPLITS, *_OF_LEAVES} - {"leaf_value"}
"""Fields that have no number in a tree without a split."""
_FINITE_FIELDS = [name for name, pattern in _PATTERNS.items() if pattern is _FINITE]
_WITHOUT_VALUE = {"tree", "average_output"}


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
    if b"\0" in content or b"\r" in content:
        raise ValueError("it has a character that ends a line or the text for LightGBM")
    header = _fields(head.removesuffix(b"\n"), _WITHOUT_VALUE)
    if (header["num_class"], header["num_tree_per_iteration"]) != ("1", "1"):
        raise ValueError("it has more than one output")
    features = _integers(header, "max_feature_idx")[0] + 1
    if not 1 <= features <= MAX_FEATURES:
        raise ValueError(f"it has {features} features; 1 to {MAX_FEATURES:,} are taken")
    for name in ("feature_names", "feature_infos"):
        if len(header[name].split(" ")) != features:
            raise ValueError(f"{name} does not name {features} features")
    at = len(head) + 1
    steps = 0
    for number, size in enumerate(_integers(header, "tree_sizes")):
        tree = content[at : at + size]
        at += size
        if size < 1 or len(tree) < size or not tree.startswith(b"Tree=%d\n" % number):
            raise ValueError(f"tree {number} does not match tree_sizes; the file was changed")
        try:
            steps += _check_tree(_tree(tree), features)
        except (ValueError, KeyError) as error:
            raise ValueError(f"tree {number}: {_reason(error)}") from error
        if steps > MAX_STEPS:
            raise ValueError(f"its trees are too large: more than {MAX_STEPS:,} steps to leaves")
    if not content.startswith(b"end of trees\n", at):
        raise ValueError("the end of the trees does not match tree_sizes; the file was changed")
    check_tail(content[at:])


def _tree(block: bytes) -> dict[str, str]:
    """Return the fields of a tree, whose first line was checked."""
    tree = _fields(block.partition(b"\n")[2].rstrip(b"\n"), frozenset())
    is_leaf = tree["num_leaves"] == "1"
    for name, value in tree.items():
        pattern = _PATTERNS.get(name)
        if pattern is None:
            raise ValueError("it has a field that is not taken")
        if not pattern.fullmatch(value) and not (
            is_leaf and not value and name in _EMPTY_IN_A_LEAF
        ):
            raise ValueError(f"{name} is not numbers as LightGBM writes them")
    return tree


def _check_tree(tree: Mapping[str, str], features: int) -> int:
    """Check a tree; return the splits on the way to each leaf, of all leaves together."""
    leaves = int(tree["num_leaves"])
    if leaves < 1 or tree.get("is_linear", "0") != "0":
        raise ValueError("it is linear or empty")
    for name in _FINITE_FIELDS:
        if any(abs(float(word)) == float("inf") for word in tree.get(name, "").split()):
            raise ValueError(f"{name} has a number beyond the range of float64")
    if any(abs(float(word)) > MAX_LEAF_VALUE for word in tree["leaf_value"].split()):
        raise ValueError(f"leaf_value is beyond {MAX_LEAF_VALUE:,.0f}")
    if leaves == 1:
        if len(tree["leaf_value"].split()) != 1:
            raise ValueError("leaf_value has the wrong length")
        return 0
    lengths = chain(((n, leaves - 1) for n in _OF_SPLITS), ((n, leaves) for n in _OF_LEAVES))
    for name, length in lengths:
        if len(tree[name].split(" ")) != length:
            raise ValueError(f"{name} has the wrong length")
    if not all(0 <= feature < features for feature in _integers(tree, "split_feature")):
        raise ValueError("it splits on a feature that does not exist")
    _check_sets(tree)
    return _check_shape(tree, leaves)


def _check_shape(tree: Mapping[str, str], leaves: int) -> int:
    """Check that the splits form a tree, and that a split has the rows of its children.

    Where it has not, contributions do not add up to the margin.

    Returns:
        Splits on the way to each leaf, of all leaves together.
    """
    left, right = _integers(tree, "left_child"), _integers(tree, "right_child")
    reached = [0] * (2 * leaves - 1)
    for side, children in (("left_child", left), ("right_child", right)):
        for split, child in enumerate(children):
            # A split's children come after it, so there is no cycle; a leaf is stored as ~leaf.
            if not (split < child < leaves - 1 or -leaves <= child < 0):
                raise ValueError(f"{side} of split {split} is out of range")
            reached[child] += 1
    if reached[0] or any(count != 1 for count in reached[1:]):
        raise ValueError("its splits do not form a tree")
    # Child c >= 0 is split c, and c < 0 is leaf ~c, which a list in this order has at c too.
    rows = [*_integers(tree, "internal_count"), *reversed(_integers(tree, "leaf_count"))]
    if min(rows) < 0:
        raise ValueError("a number of rows is negative")
    depth = [0] * len(rows)
    for split, (a, b) in enumerate(zip(left, right, strict=True)):
        if rows[split] != rows[a] + rows[b]:
            raise ValueError(f"split {split} has not the rows of its children")
        depth[a] = depth[b] = depth[split] + 1
    return sum(depth[-leaves:])


def _check_sets(tree: Mapping[str, str]) -> None:
    """Check the sets of categories: a categorical split has the number of one as its threshold."""
    count = int(tree["num_cat"])
    if count < 0:
        raise ValueError("num_cat is negative")
    if count:
        bounds = _integers(tree, "cat_boundaries")
        if len(bounds) != count + 1 or bounds[0] != 0 or any(a >= b for a, b in pairwise(bounds)):
            raise ValueError("cat_boundaries are not those of num_cat sets")
        words = _integers(tree, "cat_threshold")
        if len(words) != bounds[-1]:
            raise ValueError("cat_threshold has the wrong length")
        if not all(0 <= word < 2**32 for word in words):
            raise ValueError("cat_threshold has a number that is no word of 32 bits")
    splits = zip(_integers(tree, "decision_type"), tree["threshold"].split(" "), strict=True)
    for kind, threshold in splits:
        if not 0 <= kind < 16:
            raise ValueError("decision_type is out of range")
        if kind & 1 and not (threshold.isdigit() and int(threshold) < count):
            raise ValueError("it has a categorical split on a set that does not exist")


def _integers(fields: Mapping[str, str], name: str) -> list[int]:
    if not _INTEGERS.fullmatch(fields[name]):
        raise ValueError(f"{name} is not numbers as LightGBM writes them")
    return [int(word) for word in fields[name].split(" ")]


def _fields(block: bytes, without_value: Collection[str]) -> dict[str, str]:
    """Return the values by name.

    Raises:
        ValueError: a line is none, or a name is given twice: LightGBM may take the other one.
    """
    found: dict[str, str] = {}
    for line in block.decode("utf-8").split("\n"):
        name, equals, value = line.partition("=")
        if name in found or not (equals or name in without_value):
            raise ValueError("a line is given twice or is no field; the file was changed")
        found[name] = value
    return found


def _reason(error: ValueError | KeyError) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
