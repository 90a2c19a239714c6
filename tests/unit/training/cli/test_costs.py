"""Costs of the command line: a wrong one is refused by the name of its option."""

from __future__ import annotations

import math

import click
import pytest

from training.cli.options import cost_model


@pytest.mark.parametrize("wrong", [-5, math.inf, math.nan])
@pytest.mark.parametrize(
    ("place", "option"), [(0, "--missed-fraud"), (1, "--missed-fraud-share"), (2, "--false-alarm")]
)
def test_a_wrong_cost_is_refused_by_its_option(wrong: float, place: int, option: str) -> None:
    given: list[float | None] = [None, None, None]
    given[place] = wrong
    with pytest.raises(click.BadParameter) as refused:
        cost_model("flat", *given)
    message = refused.value.format_message()
    assert message == f"Invalid value for '{option}': {wrong:g} is not a finite number >= 0."


def test_costs_that_are_right_alone_and_wrong_together_are_refused() -> None:
    with pytest.raises(click.UsageError, match="a false alarm must each cost something"):
        cost_model("flat", None, None, 0)
    assert cost_model("flat", 7, None, 2).missed_fraud == 7
