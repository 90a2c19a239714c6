"""Reading a file of features, and the error where it holds none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scoring.feature_set.document import from_document
from training.errors import TrainingError
from training.features.feature_file import as_yaml, read_feature_set

DOCUMENT = {
    "version": 1,
    "features": [
        {"name": "code", "expression": "1e3 * (CODE == '12e4')", "description": "1.5e6"},
    ],
    "categories": {"CODE": ["12e4", "no", "-.5"]},
}


def test_a_key_that_a_feature_has_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "features.yaml"
    path.write_text("version: 1\nfeatures:\n  - {name: a, expression: A, expression: A + 1}\n")
    with pytest.raises(TrainingError, match=r"expression is given twice .*line 3"):
        read_feature_set(path)


def test_what_is_written_is_read_again_also_text_that_looks_like_a_number(tmp_path: Path) -> None:
    path = tmp_path / "features.yaml"
    path.write_text(as_yaml(from_document(DOCUMENT)), "utf-8")
    assert read_feature_set(path) == from_document(DOCUMENT)


def test_json_may_be_indented_by_tabs(tmp_path: Path) -> None:
    path = tmp_path / "features.json"
    path.write_text(json.dumps(DOCUMENT, indent="\t"))
    assert read_feature_set(path) == from_document(DOCUMENT)


@pytest.mark.parametrize(("written", "read"), [("1e0", True), ("'1e0'", False)])
def test_a_number_may_have_an_exponent(tmp_path: Path, written: str, read: bool) -> None:
    path = tmp_path / "features.yaml"
    path.write_text(f"version: {written}\nfeatures:\n  - {{name: a, expression: A}}\n")
    if read:
        assert read_feature_set(path).definitions
    else:
        with pytest.raises(TrainingError, match="version"):
            read_feature_set(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [("", "is empty"), ("- name: a\n", "is a list"), ("a,b\n1,2\n", "is a single value")],
)
def test_the_error_of_a_file_without_names_has_what_a_feature_set_has(
    tmp_path: Path, content: str, what: str
) -> None:
    path = tmp_path / "features.yaml"
    path.write_text(content)
    with pytest.raises(TrainingError) as refused:
        read_feature_set(path)
    assert str(refused.value).endswith(
        f"features.yaml {what}; a feature set is a mapping with version and features, such as "
        "`python -m training features suggest` writes."
    )
