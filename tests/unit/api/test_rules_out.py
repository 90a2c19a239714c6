"""GET /rules shows rules in their order, with what keeps one from being evaluated."""

from __future__ import annotations

from datetime import UTC, date, datetime

from api.rules.responses import rules_out
from persistence.rules.figures import RuleDay, RuleFigures
from persistence.rules.in_force import StoredRule
from scoring.policy import CostModel
from scoring.rules.condition import condition_schema
from scoring.rules.rule import Rule, RuleState
from tests.support.event_types import an_event_type

SCHEMA = condition_schema(an_event_type(), {}, [])


NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
NO_FIGURES = RuleFigures({}, truncated=False)


def stored(number: int, condition: str, state: RuleState = "live") -> StoredRule:
    rule = Rule(number, 1, f"rule {number}", condition, "review", state)
    return StoredRule(rule, "ana", datetime(2026, 1, 31, tzinfo=UTC), number)


def windows(first: int, count: int) -> str:
    counts = (f"count(by=CUSTOMER_ID, window='{first + i}m')" for i in range(count))
    return f"{' + '.join(counts)} > 3"


def problems(*rules: StoredRule) -> dict[int, str | None]:
    return {
        one.id: one.problem for one in rules_out(rules, [], SCHEMA, NO_FIGURES, None, NOW).rules
    }


def test_a_rule_that_no_longer_fits_says_why_also_when_it_is_off() -> None:
    fits, unfit = stored(1, "TX_AMOUNT > 1"), stored(2, "feature('gone') > 1")
    off = stored(3, "feature('gone') > 1", "off")
    found = problems(fits, unfit, off)
    assert found[1] is None
    assert found[2] == found[3]
    assert "gone" in str(found[2])


def test_a_rule_beyond_the_windows_that_all_rules_may_have_says_so() -> None:
    first, second = stored(1, windows(1, 60)), stored(2, windows(100, 60))
    found = problems(first, second, stored(3, windows(1, 30)))
    assert (found[1], found[3]) == (None, None)
    assert found[2] == "The rules have more than 100 different windows."
    assert problems(first, stored(2, windows(100, 60), "off")) == {1: None, 2: None}


def test_each_rule_has_its_own_days_with_money_at_the_costs_in_force() -> None:
    days = [
        RuleDay(date(2026, 2, 28), 3, 0, 2, 2, 1, 50.0),
        RuleDay(date(2026, 3, 2), 0, 4, 0, 0, 0, 0.0),
    ]
    figures = RuleFigures({1: days, 9: days}, truncated=True)
    rules = [stored(1, "TX_AMOUNT > 1"), stored(2, "TX_AMOUNT > 2")]
    out = rules_out(rules, [], SCHEMA, figures, CostModel(100.0, 0.0, 5.0), NOW)
    assert out.truncated
    first, second = out.rules
    assert second.days == []
    assert [(day.is_mature, day.precision, day.saved) for day in first.days] == [
        (True, 0.5, 95.0),
        (False, None, 0.0),
    ]
    without_policy = rules_out(rules, [], SCHEMA, figures, None, NOW)
    assert [day.saved for day in without_policy.rules[0].days] == [None, None]
