"""Compiled rules: a rule set for one event type and one model version.

The conditions share one program, whose common parts are computed once. `decide` runs it for one
payment as a function of plain values, `decide_all` for many as array operations; both have the same
verdicts (docs/decisions/0018-rules-and-lists.md has the times).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType

from scoring.errors import InvalidExpression
from scoring.event_type.fields import EventType
from scoring.expressions import MAX_WINDOWS, CheckedExpression, Schema
from scoring.expressions.canonical import canonical_text
from scoring.expressions.execution.program import Program
from scoring.expressions.execution.single_event import SingleEventProgram, single_event_program
from scoring.expressions.execution.translation import translate_scored
from scoring.expressions.nodes import Answer, InList, Node, ValueKind, Window, children
from scoring.lists.entity_list import EntityList
from scoring.rules.condition import check_condition, condition_problem, condition_schema
from scoring.rules.rule import Rule, RuleKey, RuleSet, Snooze
from scoring.windows.definition import WindowDefinition


@dataclass(frozen=True, slots=True)
class LookedUp:
    """A field whose values are looked up in the lists.

    Attributes:
        name: name of the field.
        lists: ids of the lists with an action that cover it.
    """

    name: str
    lists: frozenset[int]


@dataclass(frozen=True, slots=True)
class CompiledRules:
    """A rule set that fits an event type and a model version.

    Attributes:
        rules: rules that are evaluated, in the order in which they decide.
        unusable: reason by rule that is live or in shadow and does not fit; it fails always.
        event_type: event type of the events.
        features: names of the model's features, in the order of their values.
        lists: list by id.
        looked_up: fields whose values are looked up, in the order of the event type.
        snoozes: snoozes by the position of their rule.
        windows: windows whose values the rules take, in order.
        window_texts: canonical text of each of them.
        answers: values of a scored payment that they take after the windows, in order.
        program: conditions of many events.
        single: conditions of one event.
    """

    rules: tuple[Rule, ...]
    unusable: Mapping[RuleKey, str]
    event_type: EventType
    features: tuple[str, ...]
    lists: Mapping[int, EntityList]
    looked_up: tuple[LookedUp, ...]
    snoozes: Mapping[int, tuple[Snooze, ...]]
    windows: tuple[WindowDefinition, ...]
    window_texts: tuple[str, ...]
    answers: tuple[Answer, ...]
    program: Program | None = field(repr=False, compare=False)
    single: SingleEventProgram | None = field(repr=False, compare=False)

    @property
    def list_ids(self) -> Mapping[str, int]:
        """Id of each list by name."""
        return {one.name: one.id for one in self.lists.values()}

    def failed(self, missing: Sequence[int]) -> tuple[RuleKey, ...]:
        """Return the rules without a value, by id.

        Args:
            missing: positions of the rules whose condition is missing; those that do not fit join.
        """
        return tuple(sorted([*(self.rules[place].key for place in missing), *self.unusable]))

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields that are read of an event, but for those that windows read."""
        snoozed = {snooze.entity for own in self.snoozes.values() for snooze in own}
        entities = [one.name for one in self.event_type.kept.values() if one.entity in snoozed]
        read = [*self.single.numbers, *self.single.texts] if self.single else []
        return tuple(dict.fromkeys([*read, *(one.name for one in self.looked_up), *entities]))


def compile_rules(
    rule_set: RuleSet, event_type: EventType, features: Mapping[str, ValueKind]
) -> CompiledRules:
    """Compile a rule set for the events of one type that one model version has scored.

    A rule that does not fit, because the version lacks a feature or the event type a field, is
    left out and reported.

    Args:
        rule_set: rules, lists and snoozes.
        event_type: event type of the events.
        features: kind of each feature of the version by name, in the order of their values.
    """
    schema = condition_schema(event_type, features, rule_set.lists)
    usable, unusable = _checked(rule_set.evaluated, schema)
    roots = [checked.root for _, checked in usable]
    program = single = None
    windows: tuple[WindowDefinition, ...] = ()
    answers: tuple[Answer, ...] = ()
    if roots:
        program, windows, answers = translate_scored(roots, schema)
        single = single_event_program(program)
    texts = {definition: text for root in roots for definition, text in _windows(root).items()}
    rules = tuple(rule for rule, _ in usable)
    snoozes: dict[int, tuple[Snooze, ...]] = {}
    for place, rule in enumerate(rules):
        own = tuple(snooze for snooze in rule_set.snoozes if snooze.rule_id == rule.id)
        if own:
            snoozes[place] = own
    return CompiledRules(
        rules=rules,
        unusable=MappingProxyType(unusable),
        event_type=event_type,
        features=tuple(features),
        lists=MappingProxyType({one.id: one for one in rule_set.lists}),
        looked_up=_looked_up(event_type, rule_set.lists, answers),
        snoozes=MappingProxyType(snoozes),
        windows=windows,
        window_texts=tuple(texts[window] for window in windows),
        answers=answers,
        program=program,
        single=single,
    )


def unusable_rules(rule_set: RuleSet, schema: Schema) -> Mapping[RuleKey, str]:
    """Return why each rule that does not fit does not; one that is not off fails for every payment.

    Args:
        rule_set: rules, lists and snoozes.
        schema: what conditions may name, see `condition_schema`.
    """
    off = [rule for rule in rule_set.rules if rule.state == "off"]
    problems = {rule.key: condition_problem(rule.condition, schema) for rule in off}
    known = {key: problem for key, problem in problems.items() if problem}
    return known | _checked(rule_set.evaluated, schema)[1]


def count_windows(rule_set: RuleSet, schema: Schema) -> int:
    """Return the number of different windows that the evaluated rules have, where they fit.

    Args:
        rule_set: rules, lists and snoozes.
        schema: what conditions may name, see `condition_schema`.
    """
    windows: set[WindowDefinition] = set()
    for rule in rule_set.evaluated:
        with suppress(InvalidExpression):
            windows |= _windows(check_condition(rule.condition, schema).root).keys()
    return len(windows)


def _checked(
    rules: Sequence[Rule], schema: Schema
) -> tuple[list[tuple[Rule, CheckedExpression]], dict[RuleKey, str]]:
    """Return the rules that fit, and the reason of each that does not."""
    usable: list[tuple[Rule, CheckedExpression]] = []
    unusable: dict[RuleKey, str] = {}
    windows: set[WindowDefinition] = set()
    for rule in rules:
        try:
            checked = check_condition(rule.condition, schema)
        except InvalidExpression as error:
            unusable[rule.key] = error.detail
            continue
        with_own = windows | _windows(checked.root).keys()
        if len(with_own) > MAX_WINDOWS:
            unusable[rule.key] = f"The rules have more than {MAX_WINDOWS} different windows."
            continue
        windows = with_own
        usable.append((rule, checked))
    return usable, unusable


def _windows(node: Node) -> dict[WindowDefinition, str]:
    """Return the canonical text of each window of an expression."""
    if isinstance(node, Window):
        return {node.definition: canonical_text(node)}
    return {window: text for child in children(node) for window, text in _windows(child).items()}


def _looked_up(
    event_type: EventType, lists: Sequence[EntityList], answers: Sequence[Answer]
) -> tuple[LookedUp, ...]:
    asked = {answer.operand.name for answer in answers if isinstance(answer, InList)}
    found = []
    for name, one in event_type.kept.items():
        covering = frozenset(own.id for own in lists if own.covers(name, one.entity))
        if covering or name in asked:
            found.append(LookedUp(name, covering))
    return tuple(found)
