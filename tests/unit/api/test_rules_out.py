"""GET /rules shows rules in their order, with what keeps one from being evaluated."""

from __future__ import annotations

from datetime import UTC, datetime

from api.rules.responses import rules_out
from persistence.rules.in_force import StoredRule
from scoring.rules.condition import condition_schema
from scoring.rules.rule import Rule, RuleState
from tests.support.event_types import an_event_type

SCHEMA = condition_schema(an_event_type(), {}, [])


def stored(number: int, condition: str, state: RuleState = "live") -> StoredRule:
    rule = Rule(number, 1, f"rule {number}", condition, "review", state)
    return StoredRule(rule, "ana", datetime(2026, 1, 31, tzinfo=UTC), number)


def windows(first: int, count: int) -> str:
    counts = (f"count(by=CUSTOMER_ID, window='{first + i}m')" for i in range(count))
    return f"{' + '.join(counts)} > 3"


def problems(*rules: StoredRule) -> dict[int, str | None]:
    return {one.id: one.problem for one in rules_out(rules, [], SCHEMA).rules}


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
