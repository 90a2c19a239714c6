"""Who changed what of a rule: each version against the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from persistence.rules.in_force import StoredRule

_COMPARED = ("name", "condition", "action", "state", "priority")


@dataclass(frozen=True, slots=True)
class Changed:
    """One value that a version changed.

    Attributes:
        what: name of the value, key of a text under `rules`.
        before, after: the value in the version before and in this one.
    """

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Step:
    """A version of a rule.

    Attributes:
        stored: version, with who made it and when.
        changes: what it changed; empty for the first version.
    """

    stored: StoredRule
    changes: tuple[Changed, ...]


def steps(versions: Sequence[StoredRule]) -> list[Step]:
    """Return the versions of a rule with what each changed.

    Args:
        versions: versions, the newest first.
    """
    before = [*versions[1:], None]
    return [
        Step(stored, () if older is None else _changes(older, stored))
        for stored, older in zip(versions, before, strict=True)
    ]


def _changes(older: StoredRule, newer: StoredRule) -> tuple[Changed, ...]:
    pairs = ((name, getattr(older.rule, name), getattr(newer.rule, name)) for name in _COMPARED)
    return tuple(
        Changed(name, str(before), str(after)) for name, before, after in pairs if before != after
    )
