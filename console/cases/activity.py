"""Entries of the audit log about a case, as lines that a page has sentences for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from persistence.review.audit import AuditEntry

_FACTS = ("title", "priority", "assignee_id", "due_on")


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact that was changed.

    Attributes:
        name: name of the fact.
        before: value before.
        after: value after.
    """

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody did with a case.

    Attributes:
        at: time.
        actor: name of the person.
        key: key of the sentence under `cases.did`.
        differences: facts that were changed.
        outcome: outcome that the case was closed with, or had before it was opened again.
        amount: amount of that outcome.
        events: ids of the events that were linked or removed.
        entity: kind and key of the entity that was linked or removed.
    """

    at: datetime
    actor: str
    key: str
    differences: tuple[Difference, ...] = ()
    outcome: str | None = None
    amount: float | None = None
    events: tuple[UUID, ...] = ()
    entity: tuple[str, str] | None = None


def activity_lines(entries: Sequence[AuditEntry]) -> list[Line]:
    """Return the lines of entries, in their order.

    Events that were linked at once are one line. A change of nothing but the version has none: the
    entry of the link says what happened.
    """
    lines: list[Line] = []
    for entry in entries:
        line = _line(entry)
        if line is None:
            continue
        last = lines[-1] if lines else None
        if last and line.events and (last.at, last.key) == (line.at, line.key):
            lines[-1] = Line(last.at, last.actor, last.key, events=last.events + line.events)
        else:
            lines.append(line)
    return lines


def _line(entry: AuditEntry) -> Line | None:
    row: Mapping[str, Any] = entry.after or entry.before or {}
    key = entry.action.replace(".", "_")
    match entry.action:
        case "case.changed":
            return _change(entry, entry.before or {}, entry.after or {})
        case "case_event.created" | "case_event.removed":
            return Line(entry.at, entry.actor, key, events=(UUID(row["transaction_id"]),))
        case "case_entity.created" | "case_entity.removed":
            return Line(entry.at, entry.actor, key, entity=(row["entity"], row["key"]))
        case "case.created" | "case_note.created" | "case.exported":
            return Line(entry.at, entry.actor, key)
    return None


def _change(entry: AuditEntry, before: Mapping[str, Any], after: Mapping[str, Any]) -> Line | None:
    if before.get("status") != after.get("status"):
        is_closed = after.get("status") == "closed"
        row = after if is_closed else before
        key = "case_closed" if is_closed else "case_reopened"
        return Line(
            entry.at, entry.actor, key, outcome=row.get("outcome"), amount=row.get("amount")
        )
    differences = tuple(
        Difference(name, _value(name, before.get(name)), _value(name, after.get(name)))
        for name in _FACTS
        if before.get(name) != after.get(name)
    )
    return Line(entry.at, entry.actor, "case_changed", differences) if differences else None


def _value(name: str, stored: Any) -> Any:  # noqa: ANN401 - a value of JSON
    return date.fromisoformat(stored) if name == "due_on" and stored else stored
