"""Rules, rule sets and thresholds refuse what they cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from scoring.lists.entity_list import EntityList
from scoring.policy import Thresholds
from scoring.rules.rule import MAX_RULES, Rule, RuleSet


def a_rule(number: int = 1, **others: Any) -> Rule:
    given = {"version": 1, "name": "r", "condition": "True", "action": "review", "state": "live"}
    return Rule(**{"id": number, **given, **others})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": ""}, "the name of a rule has 1 to 100 characters"),
        ({"version": 0}, "versions count from 1"),
        ({"priority": -1}, "priority must be from 0 to 10000"),
    ],
)
def test_a_rule_that_is_not_valid_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        a_rule(**wrong)


def test_a_rule_set_has_one_version_of_each_rule_and_one_list_of_each_name() -> None:
    with pytest.raises(ValueError, match="a rule is there twice"):
        RuleSet((a_rule(), a_rule(version=2)))
    with pytest.raises(ValueError, match="a list is there twice"):
        RuleSet((), (EntityList(1, "own", "customer"), EntityList(2, "own", "customer")))


def test_rules_that_are_off_do_not_count_to_the_limit() -> None:
    rules = tuple(a_rule(number, state="off") for number in range(MAX_RULES + 1))
    assert RuleSet(rules).evaluated == ()
    with pytest.raises(ValueError, match="at most 500 rules"):
        RuleSet(tuple(a_rule(number) for number in range(MAX_RULES + 1)))


def test_rules_decide_by_action_then_priority_then_id() -> None:
    rules = (
        a_rule(1, action="review", priority=0),
        a_rule(2, action="decline"),
        a_rule(3, action="approve", priority=9),
        a_rule(5, action="approve", priority=1),
        a_rule(4, action="approve", priority=1, state="shadow"),
    )
    assert [rule.id for rule in RuleSet(rules).evaluated] == [4, 5, 3, 2, 1]


@pytest.mark.parametrize(
    ("numbers", "message"),
    [((0.0,), "strictly between"), ((0.5, 0.4), r"in \[threshold, 1\)"), ((0.5, 1.0), "decline")],
)
def test_thresholds_out_of_order_are_refused(numbers: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Thresholds(*numbers)


def test_the_model_declines_from_the_decline_threshold_and_never_without_one() -> None:
    scores = [0.0, 0.3, 0.89, 0.9, 1.0]
    assert [Thresholds(0.3, 0.9).outcome(score) for score in scores] == [
        *("approve", "review", "review", "decline", "decline")
    ]
    assert [Thresholds(0.3).outcome(score) for score in scores] == ["approve", *["review"] * 4]
