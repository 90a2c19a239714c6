"""The ruling of a decision: what rules and lists made of it, as it is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from types import MappingProxyType
from typing import Any

from scoring.policy import Outcome
from scoring.rules.rule import RuleKey
from scoring.rules.verdict import DecidedBy, EntryMatch, Verdict

_RULES = ("fired", "shadow", "snoozed", "failed")


@dataclass(frozen=True, slots=True)
class Ruling:
    """What rules and lists made of one decision.

    Attributes:
        as_of: number of the change of the tenant's rules and lists that was in force.
        verdict: outcome, what gave it, what fired and matched.
        windows: value of each window of the rules by its canonical text, NaN where missing.
    """

    as_of: int
    verdict: Verdict
    windows: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def document(self) -> dict[str, Any]:
        """Return the ruling as JSON values without the outcome; `ruling_from` is the inverse."""
        verdict = self.verdict
        document: dict[str, Any] = {"as_of": self.as_of}
        if verdict.decided_by.kind != "model":
            document["decided_by"] = list(verdict.decided_by)
        if verdict.entries:
            document["entries"] = [list(entry) for entry in verdict.entries]
        for name in _RULES:
            if keys := getattr(verdict, name):
                document[name] = [list(key) for key in keys]
        if self.windows:
            document["windows"] = {
                name: None if isnan(value) else value for name, value in self.windows.items()
            }
        return document


def ruling_from(document: Mapping[str, Any], outcome: Outcome) -> Ruling:
    """Return the ruling that `Ruling.document` serialised.

    Args:
        document: result of `document`, possibly read from JSON.
        outcome: outcome of the decision, before chance.
    """
    return Ruling(
        document["as_of"],
        Verdict(
            outcome,
            DecidedBy(*document.get("decided_by", ("model",))),
            tuple(EntryMatch(*entry) for entry in document.get("entries", ())),
            *(_keys(document.get(name, ())) for name in _RULES),
        ),
        {
            name: nan if value is None else float(value)
            for name, value in document.get("windows", {}).items()
        },
    )


def _keys(keys: Sequence[Sequence[int]]) -> tuple[RuleKey, ...]:
    return tuple((rule_id, version) for rule_id, version in keys)
