"""Decides one payment by rules, lists and the model's score."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from scoring.event import AnyEvent
from scoring.expressions.nodes import Answer, FeatureValue, InList, Score
from scoring.lists.index import ListIndex, Match
from scoring.policy import Outcome, Thresholds
from scoring.rules.compiled import CompiledRules
from scoring.rules.verdict import BY_MODEL, DecidedBy, EntryMatch, Verdict
from scoring.transaction import WIRE_NAMES, Transaction

_ATTRIBUTES = {wire: name for name, wire in WIRE_NAMES.items()}
_ORDER: dict[Outcome, int] = {"approve": 0, "decline": 1, "review": 2}
"""Place of each action in the order in which they decide."""


class PaymentDecider:
    """Decides one payment at a time; made once for compiled rules.

    Args:
        rules: rules that fit the event type and the model version.
    """

    def __init__(self, rules: CompiledRules) -> None:
        self._rules = rules
        self._keys = [rule.key for rule in rules.rules]
        self._is_live = [rule.state == "live" for rule in rules.rules]
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
        keys, snoozed = self._keys, []
        if self._rules.snoozes:
            snoozed = [place for place in fired if self._is_snoozed(place, read, decided_at_ms)]
            fired = [place for place in fired if place not in snoozed]
        live = [place for place in fired if self._is_live[place]]
        decided_by = BY_MODEL
        if live:  # the first one decides: rules are in that order
            rule = self._rules.rules[live[0]]
            outcome, decided_by = rule.action, DecidedBy("rule", rule.id, rule.version)
        if entries:
            first = entries[0]
            action = self._rules.lists[first.list_id].action
            if action is not None and (not live or _ORDER[action] <= _ORDER[outcome]):
                outcome, decided_by = action, DecidedBy("list_entry", first.entry_id)
        return Verdict(
            outcome,
            decided_by,
            tuple(entries),
            tuple([keys[place] for place in live]),
            tuple([keys[place] for place in fired if not self._is_live[place]]),
            tuple([keys[place] for place in snoozed]),
            self._rules.failed(missing) if missing or self._rules.unusable else (),
        )

    def _is_snoozed(self, place: int, read: Callable[[str], Any], decided_at_ms: int) -> bool:
        return any(
            decided_at_ms < snooze.until_ms
            and any(read(name) == snooze.value for name in self._entity_fields[snooze.entity])
            for snooze in self._rules.snoozes.get(place, ())
        )

    def _entry_order(self, entry: EntryMatch) -> tuple[int, int]:
        action = self._rules.lists[entry.list_id].action
        return (0 if action == "approve" else 1, entry.list_id)

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
