"""The outcome of a payment, and what gave it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from scoring.policy import Outcome
from scoring.rules.rule import RuleKey

Decider = Literal["list_entry", "rule", "model"]


class DecidedBy(NamedTuple):
    """What gave an outcome.

    Attributes:
        kind: list entry, rule or model.
        id: id of the entry or of the rule; None for the model.
        version: version of the rule; None for an entry, which never changes, and for the model.
    """

    kind: Decider
    id: int | None = None
    version: int | None = None

    @property
    def words(self) -> str:
        """How it reads in a table, such as `rule 12 version 3`."""
        words = [self.kind.replace("_", " "), self.id]
        if self.version is not None:
            words += ["version", self.version]
        return " ".join(str(word) for word in words if word is not None)


BY_MODEL = DecidedBy("model")


class EntryMatch(NamedTuple):
    """A list entry that a payment matched.

    Attributes:
        list_id: list.
        entry_id: entry.
        field: name of the field whose value it is.
    """

    list_id: int
    entry_id: int
    field: str


class Verdict(NamedTuple):
    """The outcome of one payment. Rules are in the order in which they decide.

    Attributes:
        outcome: outcome.
        decided_by: what gave it.
        entries: entries of lists with an action that the payment matched: first those that
            approve, then by list and by the order of the event type's fields.
        fired: live rules whose condition is true and that are not snoozed.
        shadow: rules in shadow whose condition is true and that are not snoozed.
        snoozed: rules whose condition is true and that are snoozed for the payment.
        failed: rules without a value, because a field, a feature or a window is missing; by id.
    """

    outcome: Outcome
    decided_by: DecidedBy = BY_MODEL
    entries: tuple[EntryMatch, ...] = ()
    fired: tuple[RuleKey, ...] = ()
    shadow: tuple[RuleKey, ...] = ()
    snoozed: tuple[RuleKey, ...] = ()
    failed: tuple[RuleKey, ...] = ()
