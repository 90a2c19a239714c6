"""Decides many payments by rules, lists and the model's scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.columns import BoolArray, Columns, FloatArray, TextColumn
from scoring.expressions.execution.program import TRUE, UNKNOWN
from scoring.expressions.nodes import Answer, FeatureValue, InList, Score
from scoring.lists.index import ListIndex, Membership, not_in_list
from scoring.policy import OUTCOMES, Outcome, Thresholds
from scoring.rules.compiled import CompiledRules
from scoring.rules.verdict import BY_MODEL, DecidedBy, EntryMatch, Verdict

IntArray = NDArray[np.int64]
_MODEL, _ENTRY, _RULE = range(3)


@dataclass(frozen=True, slots=True)
class ScoredPayments:
    """n payments that a model version has scored.

    Attributes:
        columns: columns of at least `CompiledRules.fields`.
        scores: calibrated scores, float64 (n,).
        features: values of the model's features, float64 (n, f).
        windows: values of each of the rules' windows, float64 (n,), in order.
        decided_at_ms: times of the decisions in milliseconds since 1970 UTC, int64 (n,).
    """

    columns: Columns
    scores: FloatArray
    features: FloatArray
    windows: Sequence[FloatArray]
    decided_at_ms: IntArray


@dataclass(frozen=True, slots=True)
class EntryMatches:
    """The payments that match one list by one field.

    Attributes:
        list_id: list.
        field: field.
        matches: whether the entity is in the list when the payment is decided, bool (n,).
        entry_ids: its entry, int64 (n,).
    """

    list_id: int
    field: str
    matches: BoolArray
    entry_ids: IntArray


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The outcomes of n payments, and what gave them.

    Attributes:
        rules: rules that decided.
        outcomes: index into OUTCOMES, int8 (n,).
        deciders: 0 for the model, 1 for a list entry, 2 for a rule, int8 (n,).
        decider_ids: id of the entry or position of the rule, int64 (n,); 0 for the model.
        truths: value of each rule's condition, TRUE, FALSE or UNKNOWN, int8 (rules, n).
        snoozed: where a rule that has snoozes is snoozed, bool (n,), by the rule's position.
        entries: matched entries, in the order in which they decide.
    """

    rules: CompiledRules
    outcomes: NDArray[np.int8]
    deciders: NDArray[np.int8]
    decider_ids: IntArray
    truths: NDArray[np.int8]
    snoozed: Mapping[int, BoolArray]
    entries: tuple[EntryMatches, ...]

    def fires(self, place: int) -> BoolArray:
        """Return where a rule's condition is true and the rule is not snoozed, bool (n,)."""
        fires: BoolArray = self.truths[place] == TRUE
        if place in self.snoozed:
            fires &= ~self.snoozed[place]
        return fires

    def verdict(self, row: int) -> Verdict:
        """Return the verdict of one payment."""
        rules = self.rules.rules
        true = np.flatnonzero(self.truths[:, row] == TRUE).tolist()
        snoozed = [place for place in true if place in self.snoozed and self.snoozed[place][row]]
        fired = [place for place in true if place not in snoozed]
        return Verdict(
            OUTCOMES[self.outcomes[row]],
            self._decided_by(row),
            tuple(
                EntryMatch(one.list_id, int(one.entry_ids[row]), one.field)
                for one in self.entries
                if one.matches[row]
            ),
            tuple(rules[place].key for place in fired if rules[place].state == "live"),
            tuple(rules[place].key for place in fired if rules[place].state == "shadow"),
            tuple(rules[place].key for place in snoozed),
            self.rules.failed(np.flatnonzero(self.truths[:, row] == UNKNOWN).tolist()),
        )

    def _decided_by(self, row: int) -> DecidedBy:
        number = int(self.decider_ids[row])
        if self.deciders[row] == _ENTRY:
            return DecidedBy("list_entry", number)
        return DecidedBy("rule", *self.rules.rules[number].key) if self.deciders[row] else BY_MODEL


def decide_all(
    rules: CompiledRules, payments: ScoredPayments, index: ListIndex, thresholds: Thresholds
) -> Verdicts:
    """Return the verdicts of n payments; each is that of `PaymentDecider` for the payment alone.

    Args:
        rules: rules that fit the payments' event type and the model version.
        payments: payments.
        index: entries of the tenant's lists.
        thresholds: thresholds of the policy.
    """
    return _Batch(rules, payments, index).verdicts(thresholds)


class _Batch:
    def __init__(self, rules: CompiledRules, payments: ScoredPayments, index: ListIndex) -> None:
        self._rules = rules
        self._payments = payments
        self._rows = len(payments.scores)
        self._memberships = {
            one.name: index.memberships(self._text(one.name).values) for one in rules.looked_up
        }

    def verdicts(self, thresholds: Thresholds) -> Verdicts:
        truths = self._truths()
        snoozed = {place: self._snoozed(place) for place in self._rules.snoozes}
        entries = tuple(self._entries())
        outcomes, deciders, decider_ids = self._by_model(thresholds)
        verdicts = Verdicts(self._rules, outcomes, deciders, decider_ids, truths, snoozed, entries)
        undecided = np.ones(self._rows, np.bool_)
        for action, where, kind, ids in self._candidates(verdicts):
            decided = where & undecided
            outcomes[decided] = OUTCOMES.index(action)
            deciders[decided] = kind
            decider_ids[decided] = ids[decided] if isinstance(ids, np.ndarray) else ids
            undecided &= ~decided
        return verdicts

    def _by_model(
        self, thresholds: Thresholds
    ) -> tuple[NDArray[np.int8], NDArray[np.int8], IntArray]:
        scores = self._payments.scores
        outcomes = (scores >= thresholds.review).astype(np.int8)
        if thresholds.decline is not None:
            outcomes[scores >= thresholds.decline] = OUTCOMES.index("decline")
        return outcomes, np.zeros(self._rows, np.int8), np.zeros(self._rows, np.int64)

    def _candidates(
        self, verdicts: Verdicts
    ) -> Iterator[tuple[Outcome, BoolArray, int, IntArray | int]]:
        """Yield what may decide, in order: outcome, where, kind and id."""
        actions: tuple[Outcome, ...] = ("approve", "decline", "review")
        for action in actions:
            for one in verdicts.entries:
                if self._rules.lists[one.list_id].action == action:
                    yield action, one.matches, _ENTRY, one.entry_ids
            for place, rule in enumerate(self._rules.rules):
                if rule.action == action and rule.state == "live":
                    yield action, verdicts.fires(place), _RULE, place

    def _truths(self) -> NDArray[np.int8]:
        if self._rules.program is None:
            return np.zeros((0, self._rows), np.int8)
        answers = [self._answer(answer) for answer in self._rules.answers]
        values = [*self._payments.windows, *answers]
        return self._rules.program.truths(self._payments.columns, values)

    def _answer(self, answer: Answer) -> FloatArray:
        match answer:
            case Score():
                return self._payments.scores
            case FeatureValue(name):
                return self._payments.features[:, self._rules.features.index(name)]
            case InList(list_name, operand):
                membership = self._membership(self._rules.list_ids[list_name], operand.name)
                until_ms = membership.until_ms.take(self._text(operand.name).codes)
                is_in = self._payments.decided_at_ms < until_ms
                return np.where(np.isnan(until_ms), np.nan, is_in)

    def _entries(self) -> Iterator[EntryMatches]:
        lists = self._rules.lists
        found = [
            (list_id, one.name)
            for one in self._rules.looked_up
            for list_id in one.lists & self._memberships[one.name].keys()
        ]
        order = {one.name: place for place, one in enumerate(self._rules.looked_up)}
        for list_id, name in sorted(
            found, key=lambda pair: (str(lists[pair[0]].action), pair[0], order[pair[1]])
        ):
            membership, codes = self._membership(list_id, name), self._text(name).codes
            matches = self._payments.decided_at_ms < membership.until_ms.take(codes)
            yield EntryMatches(list_id, name, matches, membership.entry_ids.take(codes))

    def _membership(self, list_id: int, name: str) -> Membership:
        found = self._memberships[name].get(list_id)
        return not_in_list(len(self._text(name).values)) if found is None else found

    def _snoozed(self, place: int) -> BoolArray:
        snoozed = np.zeros(self._rows, np.bool_)
        for snooze in self._rules.snoozes[place]:
            for name, field in self._rules.event_type.kept.items():
                column = self._text(name) if field.entity == snooze.entity else None
                if column is not None and snooze.value in column.values:
                    has_value = column.codes == column.values.index(snooze.value)
                    snoozed |= has_value & (self._payments.decided_at_ms < snooze.until_ms)
        return snoozed

    def _text(self, name: str) -> TextColumn:
        column = self._payments.columns[name]
        if not isinstance(column, TextColumn):
            raise TypeError(f"{name} is not a text column")
        return column
