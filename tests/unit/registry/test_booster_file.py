"""A damaged booster file is refused in a sentence; LightGBM alone would end the process."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.verify.booster_file import check_booster
from scoring.errors import ModelRefused
from tests.support.factories import a_booster, feature_rows

CHANGED = a_booster(trees=2).model_to_string()


@pytest.fixture
def text() -> str:
    return a_booster().model_to_string()


def check(path: Path, text: str) -> None:
    path.write_text(text, newline="")
    check_booster(path)


def test_a_file_written_by_lightgbm_is_accepted(tmp_path: Path, text: str) -> None:
    check(tmp_path / "booster.txt", text)
    check(tmp_path / "booster.txt", a_booster(trees=1).model_to_string())


def test_a_booster_of_single_leaves_is_accepted(tmp_path: Path) -> None:
    data = lgb.Dataset(feature_rows(50), np.arange(50) % 2)
    settings = {"objective": "binary", "verbose": -1, "min_data_in_leaf": 50}
    booster = lgb.train(settings, data, 3)
    assert booster.dump_model()["tree_info"][0]["num_leaves"] == 1
    check(tmp_path / "booster.txt", booster.model_to_string())


def test_a_booster_that_splits_by_sets_of_categories_is_accepted(tmp_path: Path) -> None:
    check(tmp_path / "booster.txt", categorical_booster().model_to_string())


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (("num_cat=1", "num_cat=2"), "cat_boundaries are not those of num_cat sets"),
        (("cat_boundaries=0 ", "cat_boundaries=1 "), "cat_boundaries are not those of num_cat"),
        (("cat_threshold=", "cat_threshold=7 "), "cat_threshold has the wrong length"),
        (("num_cat=1", "num_cat=0"), "a set that does not exist"),
        (("num_cat=1", "num_cat=-1"), "num_cat is negative"),
    ],
)
def test_sets_of_categories_that_do_not_match_are_refused(
    tmp_path: Path, damage: tuple[str, str], sentence: str
) -> None:
    text = categorical_booster().model_to_string()
    with pytest.raises(ModelRefused, match=re.escape(sentence)):
        check(tmp_path / "booster.txt", resized(text.replace(*damage, 1)))


def categorical_booster() -> lgb.Booster:
    """Return a booster whose first tree splits by one set of categories."""
    code = np.random.default_rng(0).integers(0, 60, 4000)
    data = lgb.Dataset(code[:, None].astype(float), code % 3 == 0, categorical_feature=[0])
    settings = {"objective": "binary", "verbose": -1, "num_leaves": 2, "max_cat_to_onehot": 1}
    return lgb.train(settings, data, 2)


def test_a_file_truncated_anywhere_is_refused(tmp_path: Path, text: str) -> None:
    end = text.index("end of trees")
    for length in range(0, end, 119):
        with pytest.raises(ModelRefused, match=r"booster\.txt does not load: "):
            check(tmp_path / "booster.txt", text[:length])


def resized(text: str) -> str:
    """Write tree_sizes again, so that only what lies inside the trees is wrong."""
    blocks = re.findall(r"Tree=\d+\n.*?\n\n\n?(?=Tree=|end of trees)", text, re.DOTALL)
    sizes = " ".join(str(len(block)) for block in blocks)
    return re.sub(r"tree_sizes=.*", f"tree_sizes={sizes}", text, count=1)


def change(pattern: str, new: str) -> Callable[[str], str]:
    return lambda text: resized(re.sub(pattern, new, text, count=1))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda _text: "", "it has no tree"),
        (lambda text: text.replace("\n", "\r\n"), "it has no tree"),
        (
            lambda t: t.replace("shrinkage=", "shrinkage=0", 1),
            "tree 1 does not match tree_sizes",
        ),
        (change(r"decision_type=\S+", "decision_type=1"), "a set that does not exist"),
        (lambda text: re.sub("tree_sizes=.*\n", "", text), "tree_sizes is missing"),
        (change("num_leaves=15", "num_leaves=150"), "tree 0: split_feature has the wrong length"),
        (change("num_leaves=15", "num_leaves=-1"), "tree 0: it is linear or empty"),
        (change(r"left_child=\S+", "left_child=900"), "left_child of split 0 is out of range"),
        (change(r"left_child=\S+", "left_child=0"), "left_child of split 0 is out of range"),
        (change(r"left_child=\S+", "left_child=-1"), "its splits do not form a tree"),
        (change(r"split_feature=\S+", "split_feature=11"), "a feature that does not exist"),
        (change(r"leaf_value=\S+ ", "leaf_value="), "leaf_value has the wrong length"),
        (change("num_class=1", "num_class=2"), "more than one output"),
        (change("num_leaves=15", "num_leaves=1_5"), "num_leaves is not numbers as LightGBM"),
        (
            change(r"split_feature=\S+", "split_feature=\N{ARABIC-INDIC DIGIT ONE}"),
            "is not numbers",
        ),
        (change(r"internal_value=\S+", "internal_value=abc"), "internal_value is not numbers"),
        (change(r"leaf_value=\S+", "leaf_value=nan"), "leaf_value is not numbers"),
        (change(r"leaf_value=\S+", "leaf_value=1e400"), "beyond"),
        (change(r"leaf_value=\S+", "leaf_value=1e300"), "beyond"),
        (change(r"leaf_count=\S+", "leaf_count=0"), "not the rows of its children"),
        (change(r"leaf_count=\S+", "leaf_count=-5"), "a number of rows is negative"),
        (change(r"decision_type=\S+", "decision_type=-2"), "decision_type is out of range"),
        (change("left_child=", "left_child=1 2\nleft_child="), "given twice"),
        (change("left_child=", "\nleft_child="), "no field"),
        (change("left_child=", "left_child=\r"), "ends a line"),
        (change("num_cat=0", "num_cat=0\nlinear=1"), "a field that is not taken"),
        (lambda t: t.replace("label_index", "num_class=1\nlabel_index"), "given twice"),
        (lambda t: t.replace("[boosting: gbdt]", "left_child=1"), "follows the trees"),
        (lambda t: t.replace("max_feature_idx=10", "max_feature_idx=99999999"), "features; 1 to"),
        (lambda t: t + "[" * 2**20, "follows the trees"),
        (lambda t: t + "pandas_categorical:" + "[" * 10_000, "follows the trees"),
    ],
)
def test_an_inconsistent_booster_is_refused(
    tmp_path: Path, text: str, damage: Callable[[str], str], sentence: str
) -> None:
    assert resized(text) == text, "the untouched file would pass"
    with pytest.raises(ModelRefused, match=re.escape(sentence)):
        check(tmp_path / "booster.txt", damage(text))


@pytest.mark.parametrize(
    "written",
    [
        lambda t: t.replace("pandas_categorical:null", "pandas_categorical:[]"),
        lambda t: t.replace(
            "[boosting: gbdt]", "[boosting: gbdt]\n[interaction_constraints: [0,1],[2]]"
        ),
    ],
    ids=["trained from a table", "with constraints"],
)
def test_what_lightgbm_writes_behind_the_trees_is_taken(
    tmp_path: Path, text: str, written: Callable[[str], str]
) -> None:
    assert written(text) != text
    check(tmp_path / "booster.txt", written(text))


def test_trees_that_are_too_deep_to_explain_are_refused(tmp_path: Path, text: str) -> None:
    splits = range(2_100)
    arrays = {
        "split_feature": [0 for _ in splits],
        "split_gain": [1 for _ in splits],
        "threshold": list(splits),
        "decision_type": [2 for _ in splits],
        "left_child": [~split for split in splits],
        "right_child": [*splits[1:], ~len(splits)],
        "leaf_value": [0.1 for _ in range(len(splits) + 1)],
        "leaf_weight": [1 for _ in range(len(splits) + 1)],
        "leaf_count": [1 for _ in range(len(splits) + 1)],
        "internal_value": [0 for _ in splits],
        "internal_weight": [1 for _ in splits],
        "internal_count": [len(splits) + 1 - split for split in splits],
    }
    lines = [f"{name}={' '.join(map(str, values))}\n" for name, values in arrays.items()]
    chain = (
        f"num_leaves={len(splits) + 1}\nnum_cat=0\n{''.join(lines)}is_linear=0\nshrinkage=1\n\n\n"
    )
    deep = re.sub(r"(?<=Tree=0\n).*?\n\n\n", chain, text, count=1, flags=re.DOTALL)
    with pytest.raises(ModelRefused, match="too large"):
        check(tmp_path / "booster.txt", resized(deep))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_file_with_any_part_changed_is_accepted_or_refused_in_a_sentence(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    start = data.draw(st.integers(0, len(CHANGED)))
    end = data.draw(st.integers(start, min(len(CHANGED), start + 6)))
    put_in = data.draw(st.sampled_from(["", "9", "-", " ", "\n", "=", "e", ".", "nan", "_", "\0"]))
    with suppress(ModelRefused):
        check(
            tmp_path_factory.getbasetemp() / "changed.txt",
            resized(CHANGED[:start] + put_in + CHANGED[end:]),
        )
