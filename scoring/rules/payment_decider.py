"""Decides one payment by rules, lists and the model's score."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from scoring.event import AnyEvent
from scoring.expressions.nodes import Answer, FeatureValue, InList, Score
from scoring.lists.index import ListIndex, Match
from scoring.rules.compiled import CompiledRules
from scoring.rules.rule import OUTCOMES, Outcome, RuleKey
from scoring.rules.verdict import BY_MODEL, DecidedBy, EntryMatch, Thresholds, Verdict
from scoring.transaction import WIRE_NAMES, Transaction

_ATTRIBUTES = {wire: name for name, wire in WIRE_NAMES.items()}
_ORDER: tuple[Outcome, ...] = ("approve", "decline", "review")
"""Actions in the order in which they decide."""


class PaymentDecider:
    """Decides one payment at a time; made once for compiled rules.

    Args:
        rules: rules that fit the event type and the model version.
    """

    def __init__(self, rules: CompiledRules) -> None:
        self._rules = rules
        single = rules.single
        self._numbers = single.numbers if single else ()
        self._texts = single.texts if single else ()
        self._times = frozenset(
            name for name in self._numbers if rules.event_type.kept[name].kind == "timestamp"
        )
        self._memberships: list[tuple[int, str]] = []
        self._places = [self._place(answer) for answer in rules.answers]
        self._entity_fields = {
            snooze.entity: [
                name
                for name, field in rules.event_type.kept.items()
                if field.entity == snooze.entity
            ]
            for own in rules.snoozes.values()
            for snooze in own
        }

    def decide(
        self,
        event: AnyEvent,
        score: float,
        features: Sequence[float],
        windows: Sequence[float],
        decided_at_ms: int,
        index: ListIndex,
        thresholds: Thresholds,
    ) -> Verdict:
        """Return the outcome of a payment, and what gave it.

        Args:
            event: event of the rules' event type, or of an earlier version of it.
            score: model's calibrated score.
            features: values of the model's features, NaN where missing.
            windows: values of the rules' windows, NaN where missing.
            decided_at_ms: time of the decision in milliseconds since 1970 UTC, by which entries and
                snoozes expire.
            index: entries of the tenant's lists.
            thresholds: thresholds of the policy.
        """
        rules = self._rules
        read = _reader_of(event)
        entries: list[EntryMatch] = []
        lists: dict[str, frozenset[int] | None] = {}
        for looked_up in rules.looked_up:
            value = read(looked_up.name)
            if value is None:
                lists[looked_up.name] = None
                continue
            matches: Sequence[Match] = index.find(value) if index else ()
            valid = [match for match in matches if decided_at_ms < match.expires_ms]
            lists[looked_up.name] = frozenset(match.list_id for match in valid)
            entries += [
                EntryMatch(match.list_id, match.entry_id, looked_up.name)
                for match in valid
                if match.list_id in looked_up.lists
            ]
        if len(entries) > 1:
            entries.sort(key=self._entry_order)  # stable: the fields' order stays
        single = rules.single
        fired: Sequence[int] = ()
        missing: Sequence[int] = ()
        if single is not None:
            numbers = [self._number(name, read(name)) for name in self._numbers]
            texts = [read(name) for name in self._texts]
            known = [score, *features]
            for list_id, name in self._memberships:
                found = lists[name]
                known.append(math.nan if found is None else float(list_id in found))
            answers = [known[place] for place in self._places]
            fired, missing = single.function([*numbers, *texts, *windows, *answers])
        if not (entries or fired or missing or rules.unusable):
            return Verdict(thresholds.outcome(score))
        return self._verdict(
            thresholds.outcome(score), entries, fired, missing, read, decided_at_ms
        )

    def _verdict(
        self,
        outcome: Outcome,
        entries: Sequence[EntryMatch],
        fired: Sequence[int],
        missing: Sequence[int],
        read: Callable[[str], Any],
        decided_at_ms: int,
    ) -> Verdict:
        rules = self._rules.rules
        live: list[int] = []
        shadow: list[RuleKey] = []
        snoozed: list[RuleKey] = []
        for place in fired:
            rule = rules[place]
            if place in self._rules.snoozes and self._is_snoozed(place, read, decided_at_ms):
                snoozed.append(rule.key)
            elif rule.state == "live":
                live.append(place)
            else:
                shadow.append(rule.key)
        decided_by = BY_MODEL
        for action in _ORDER:
            by = self._decider(action, entries, live)
            if by is not None:
                outcome, decided_by = action, by
                break
        return Verdict(
            outcome,
            decided_by,
            tuple(entries),
            tuple(rules[place].key for place in live),
            tuple(shadow),
            tuple(snoozed),
            self._rules.failed(missing),
        )

    def _decider(
        self, action: Outcome, entries: Sequence[EntryMatch], live: Sequence[int]
    ) -> DecidedBy | None:
        for entry in entries:
            if self._rules.lists[entry.list_id].action == action:
                return DecidedBy("list_entry", entry.entry_id)
        for place in live:
            rule = self._rules.rules[place]
            if rule.action == action:
                return DecidedBy("rule", *rule.key)
        return None

    def _is_snoozed(self, place: int, read: Callable[[str], Any], decided_at_ms: int) -> bool:
        return any(
            decided_at_ms < snooze.until_ms
            and any(read(name) == snooze.value for name in self._entity_fields[snooze.entity])
            for snooze in self._rules.snoozes[place]
        )

    def _entry_order(self, entry: EntryMatch) -> tuple[int, int]:
        action = self._rules.lists[entry.list_id].action
        return (0 if action == OUTCOMES[0] else 1, entry.list_id)

    def _number(self, name: str, value: Any) -> float:  # noqa: ANN401 - a field's value
        if value is None:
            return math.nan
        return value.us / 1e6 if name in self._times else float(value)

    def _place(self, answer: Answer) -> int:
        """Return where an answer is among the score, the features and the memberships."""
        features = self._rules.features
        match answer:
            case Score():
                return 0
            case FeatureValue(name):
                return 1 + features.index(name)
            case InList(list_name, operand):
                list_id = self._rules.list_ids[list_name]
                self._memberships.append((list_id, operand.name))
                return len(features) + len(self._memberships)


def _reader_of(event: AnyEvent) -> Callable[[str], Any]:
    """Return the function from a field's name to the event's value, None where missing."""
    if isinstance(event, Transaction):
        return lambda name: getattr(event, _ATTRIBUTES[name])
    return event.values.get
