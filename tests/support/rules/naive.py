"""A naive interpreter of rules and lists: one payment, one rule, one entry at a time.

It shares no code with `scoring.rules` and `scoring.lists` but their types.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scoring.lists.entity_list import ListEntry
from scoring.policy import Thresholds
from scoring.rules.rule import Rule, RuleSet
from scoring.rules.verdict import DecidedBy, EntryMatch, Verdict
from tests.support.expressions.events import PastEvent
from tests.support.expressions.naive import Naive

FeatureValues = Mapping[str, float | bool | None]


@dataclass(frozen=True, slots=True)
class Payment:
    """A scored payment."""

    event: PastEvent
    past: Sequence[PastEvent]
    score: float
    features: FeatureValues
    decided_at_ms: int


class NaiveRules(Naive):
    """Decides payments by rules, lists and scores.

    Args:
        categories: values of each category in the order of their codes.
        time: name of the time field.
        entities: slug of what each entity field identifies, in the order of the event type.
        rule_set: rules, lists and snoozes.
        entries: entries of the lists.
    """

    def __init__(
        self,
        categories: Mapping[str, Sequence[str]],
        time: str,
        entities: Mapping[str, str],
        rule_set: RuleSet,
        entries: Sequence[ListEntry],
    ) -> None:
        super().__init__(categories, time)
        self.entities = entities
        self.rule_set = rule_set
        self.entries = entries
        self.payment: Payment | None = None

    def evaluate(self, node: ast.expr, event: PastEvent, past: Sequence[PastEvent]) -> Any:
        payment = self.payment
        assert payment is not None
        match node:
            case ast.Name("score"):
                return payment.score
            case ast.Name(name) if name not in event.values:
                return payment.features[name]
            case ast.Call(ast.Name("feature"), [ast.Constant(name)]):
                return payment.features[name]
            case ast.Call(ast.Name("in_list"), [ast.Constant(name), field]):
                value = self.evaluate(field, event, past)
                (list_id,) = (one.id for one in self.rule_set.lists if one.name == name)
                return None if value is None else bool(self.valid(list_id, value))
        return super().evaluate(node, event, past)

    def valid(self, list_id: int, value: Any) -> list[ListEntry]:
        """Return the entries of a value in a list that have not expired."""
        assert self.payment is not None
        return [
            entry
            for entry in self.entries
            if entry.list_id == list_id
            and entry.value == value
            and (entry.expires_ms is None or self.payment.decided_at_ms < entry.expires_ms)
        ]

    def verdict(self, payment: Payment, thresholds: Thresholds) -> Verdict:
        self.payment = payment
        found = {"fired": [], "shadow": [], "snoozed": [], "failed": []}
        order = {"approve": 0, "decline": 1, "review": 2}
        fired: list[Rule] = []
        rules = [rule for rule in self.rule_set.rules if rule.state != "off"]
        for rule in sorted(rules, key=lambda one: (order[one.action], one.priority, one.id)):
            tree = ast.parse(rule.condition, mode="eval").body
            value = self.evaluate(tree, payment.event, payment.past)
            if value is None:
                found["failed"].append(rule.key)
            elif value is True and self.is_snoozed(rule):
                found["snoozed"].append(rule.key)
            elif value is True:
                found["fired" if rule.state == "live" else "shadow"].append(rule.key)
                fired += [rule] if rule.state == "live" else []
            else:
                assert value is False
        found["failed"].sort()
        matches = self.matches()
        outcome, decided_by = self.by_model(thresholds), DecidedBy("model")
        for action in ("review", "decline", "approve"):  # the last one counts
            for rule in reversed([rule for rule in fired if rule.action == action]):
                outcome, decided_by = rule.action, DecidedBy("rule", rule.id, rule.version)
            for match in reversed([match for match in matches if self.action(match) == action]):
                outcome, decided_by = action, DecidedBy("list_entry", match.entry_id)
        return Verdict(outcome, decided_by, tuple(matches), *map(tuple, found.values()))

    def by_model(self, thresholds: Thresholds) -> Any:
        assert self.payment is not None
        if thresholds.decline is not None and self.payment.score >= thresholds.decline:
            return "decline"
        return "review" if self.payment.score >= thresholds.review else "approve"

    def action(self, match: EntryMatch) -> str | None:
        return next(one.action for one in self.rule_set.lists if one.id == match.list_id)

    def matches(self) -> list[EntryMatch]:
        assert self.payment is not None
        return [
            EntryMatch(one.id, entry.id, field)
            for action in ("approve", "decline")
            for one in sorted(self.rule_set.lists, key=lambda one: one.id)
            for field, entity in self.entities.items()
            if one.action == action
            and one.entity == entity
            and (one.fields is None or field in one.fields)
            for entry in self.valid(one.id, self.payment.event.values[field])
        ]

    def is_snoozed(self, rule: Rule) -> bool:
        payment = self.payment
        assert payment is not None
        return any(
            snooze.rule_id == rule.id
            and payment.decided_at_ms < snooze.until_ms
            and payment.event.values[field] == snooze.value
            for snooze in self.rule_set.snoozes
            for field, entity in self.entities.items()
            if entity == snooze.entity
        )
