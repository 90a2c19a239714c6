"""A damaged booster file is refused in a sentence; LightGBM alone would end the process."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pytest

from registry.verify.booster_file import check_booster
from scoring.errors import ModelRefused
from tests.support.factories import a_booster, feature_rows


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
    ],
)
def test_an_inconsistent_booster_is_refused(
    tmp_path: Path, text: str, damage: Callable[[str], str], sentence: str
) -> None:
    assert resized(text) == text, "the untouched file would pass"
    with pytest.raises(ModelRefused, match=re.escape(sentence)):
        check(tmp_path / "booster.txt", damage(text))
