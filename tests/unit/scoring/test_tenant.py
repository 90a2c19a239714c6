"""The forms of a tenant's slug and of the name of its registered model."""

from __future__ import annotations

import pytest
from mlflow.utils.validation import _validate_model_name

from scoring.tenant import model_name_problem


@pytest.mark.parametrize(
    "name",
    [
        "fraud-demo", "Fraud Demo", "欺" * 85, "漢" * 256, "naïve", "a.b", ".hidden", "50% o'hara",
        "C:".replace(":", ""), "x\\y", "🏦", "con",
    ],
)  # fmt: skip
def test_every_name_that_people_can_tell_apart_is_possible(name: str) -> None:
    assert model_name_problem(name) is None
    _validate_model_name(name)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "must not be blank"),
        (" \t", "must not be blank"),
        ("x" * 257, "must have at most 256 characters, not 257"),
        ("a/b", "must not contain '/', which MLflow refuses"),
        ("a:b", "must not contain ':', which MLflow refuses"),
        (".", "must not be '.' or begin with '..'"),
        ("..", "must not be '.' or begin with '..'"),
        ("..a", "must not be '.' or begin with '..'"),
        (" demo", "must not begin or end with a space"),
        ("demo\u00a0", "must not begin or end with a space"),
        ("de\nmo", "invisible character U\\+000A"),
        ("de\x00mo", "invisible character U\\+0000"),
        ("de\u200bmo", "invisible character U\\+200B"),
        ("de\u202emo", "invisible character U\\+202E"),
        ("de\u2028mo", "invisible character U\\+2028"),
        ("demo\udcff", "invisible character U\\+DCFF"),
        ("nai\u0308ve", "must be in Unicode's normal form C"),
    ],
)
def test_every_other_name_has_a_problem(name: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        raise ValueError(model_name_problem(name))
