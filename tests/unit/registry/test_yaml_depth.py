"""YAML of brackets in brackets is read up to a depth and refused beyond it."""

from __future__ import annotations

import pytest
import yaml

from registry.yaml_depth import MAX_OPEN_BRACKETS, ShallowLoader


def nested(opening: str, closing: str, depth: int) -> str:
    return opening * depth + closing * depth


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}")])
def test_brackets_are_read_up_to_the_limit(opening: str, closing: str) -> None:
    text = nested(opening, closing, MAX_OPEN_BRACKETS)
    assert yaml.compose(text, ShallowLoader) is not None
    with pytest.raises(yaml.YAMLError, match="more than 100 brackets are open"):
        yaml.compose(nested(opening, closing, MAX_OPEN_BRACKETS + 1), ShallowLoader)


def test_brackets_one_after_another_have_no_limit() -> None:
    text = "".join(f"- [{number}, {{a: b}}]\n" for number in range(2 * MAX_OPEN_BRACKETS))
    node = yaml.compose(text, ShallowLoader)
    assert isinstance(node, yaml.SequenceNode)
    assert len(node.value) == 2 * MAX_OPEN_BRACKETS
