"""Rules, snoozes and the set of them that is in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scoring.lists.entity_list import EntityList
from scoring.policy import Outcome

RuleState = Literal["off", "shadow", "live"]

MAX_RULES = 500
"""Rules of a tenant that are evaluated, live or in shadow."""
MAX_NAME_LENGTH = 100
MAX_PRIORITY = 10_000
DEFAULT_PRIORITY = 100


@dataclass(frozen=True, slots=True)
class Rule:
    """A version of a rule; it never changes, a change is another version.

    Attributes:
        id: number that is unique in the tenant and stays.
        version: 1, 2, 3 ... of the rule.
        name: name for people.
        condition: condition in the language of features, in canonical form.
        action: outcome of a payment for which the condition is true.
        state: whether it acts (`live`), is evaluated and stored only (`shadow`), or neither.
        priority: place among the rules with the same action, the smallest first.

    Raises:
        ValueError: the name, the version or the priority is out of range.
    """

    id: int
    version: int
    name: str
    condition: str
    action: Outcome
    state: RuleState
    priority: int = DEFAULT_PRIORITY

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= MAX_NAME_LENGTH:
            raise ValueError(f"the name of a rule has 1 to {MAX_NAME_LENGTH} characters")
        if self.version < 1:
            raise ValueError("versions count from 1")
        if not 0 <= self.priority <= MAX_PRIORITY:
            raise ValueError(f"priority must be from 0 to {MAX_PRIORITY}")

    @property
    def key(self) -> RuleKey:
        """Rule and version, as a decision stores them."""
        return (self.id, self.version)


RuleKey = tuple[int, int]
"""Id and version of a rule."""


@dataclass(frozen=True, slots=True)
class Snooze:
    """A time during which a rule, in any version, does not act on the payments of one entity.

    Attributes:
        rule_id: rule.
        entity: slug of what the entity is, such as `customer`.
        value: the entity, as events have it.
        until_ms: milliseconds since 1970 UTC at which it ends.
    """

    rule_id: int
    entity: str
    value: str
    until_ms: int


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What decides a tenant's payments beside the model, but for the lists' entries.

    Attributes:
        rules: version in force of each rule.
        lists: lists.
        snoozes: snoozes, ended or not.

    Raises:
        ValueError: a rule or a list is there twice, or there are too many rules.
    """

    rules: tuple[Rule, ...] = ()
    lists: tuple[EntityList, ...] = ()
    snoozes: tuple[Snooze, ...] = ()

    def __post_init__(self) -> None:
        _refuse_twice("rule", [rule.id for rule in self.rules])
        _refuse_twice("list", [one.id for one in self.lists])
        _refuse_twice("list", [one.name for one in self.lists])
        if len(self.evaluated) > MAX_RULES:
            raise ValueError(f"at most {MAX_RULES} rules are live or in shadow")

    @property
    def evaluated(self) -> tuple[Rule, ...]:
        """Rules that are live or in shadow, in the order in which they decide."""
        rules = (rule for rule in self.rules if rule.state != "off")
        return tuple(sorted(rules, key=_order))

    @property
    def ordered(self) -> tuple[Rule, ...]:
        """Rules in the order in which they decide, those that are off at the end, by id."""
        off = (rule for rule in self.rules if rule.state == "off")
        return (*self.evaluated, *sorted(off, key=lambda rule: rule.id))


_ACTION_ORDER: dict[Outcome, int] = {"approve": 0, "decline": 1, "review": 2}


def _order(rule: Rule) -> tuple[int, int, int]:
    return (_ACTION_ORDER[rule.action], rule.priority, rule.id)


def _refuse_twice(what: str, keys: Sequence[int | str]) -> None:
    if len(set(keys)) < len(keys):
        raise ValueError(f"a {what} is there twice")
