"""What can be tried on stored decisions: rules, lists, thresholds and model versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scoring.lists.entity_list import ListAction
from scoring.policy import Outcome, Thresholds


@dataclass(frozen=True, slots=True)
class RuleTried:
    """A rule as if it had been live, beside what was.

    Attributes:
        condition: condition, canonical or not.
        action: outcome that it gives.
    """

    condition: str
    action: Outcome


@dataclass(frozen=True, slots=True)
class RulesTried:
    """Live rules in place of all that there were, beside the lists in force.

    Attributes:
        rules: rules, of which those with one action decide in this order.
    """

    rules: Sequence[RuleTried]


@dataclass(frozen=True, slots=True)
class ListTried:
    """A list as if it had been in force, beside what was.

    Attributes:
        entity: slug of what its entries identify.
        action: outcome that it gives.
        values: entities.
        fields: fields whose values are looked up; None for every one of the entity.
    """

    entity: str
    action: ListAction
    values: Sequence[str]
    fields: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class StoredListTried:
    """A stored list, with its entries now, as if it had been in force with an action.

    Attributes:
        name: name of the list.
        action: outcome that it gives.
        fields: fields whose values are looked up; None for every one of its entity.
    """

    name: str
    action: ListAction
    fields: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class VersionTried:
    """A model version as if it had decided what the model did; what rules and lists decided stays.

    Its outcomes are those of the scores that it gave, as the version in production or in shadow,
    by the policy that was in force at each: the tenant's, or else the version's own.

    Attributes:
        number: number of the version.
    """

    number: int


Tried = RuleTried | RulesTried | ListTried | StoredListTried | Thresholds | VersionTried
