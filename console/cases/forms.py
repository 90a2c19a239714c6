"""What people type into the forms of cases, as values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from math import isfinite
from typing import get_args

from persistence.cases.changes import CaseForm
from persistence.cases.facts import MAX_CASE_AMOUNT, MAX_TITLE_LENGTH, CaseOutcome, Priority
from persistence.cases.links import MAX_AT_ONCE
from persistence.cases.notes import MAX_NOTE_LENGTH
from scoring.errors import FieldError, InvalidRequest, invalid_request
from scoring.event_type.fields import EventType
from scoring.event_type.limits import MAX_ENTITY_LENGTH
from scoring.event_type.visible_text import is_visible

# Line breaks and tabs are text, other control characters are not.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LONGEST_ID = 19
"""Digits of an id that Postgres may not be able to hold."""
_MAX_GIVEN_LENGTH = 128


def case_form(title: str, priority: str, assignee: str, due_on: str) -> CaseForm:
    """Return the facts that a form has.

    Args:
        title: text of the field, as are the others.
        priority: name of a priority.
        assignee: number of an account; empty: nobody.
        due_on: ISO 8601 day; empty: none.

    Raises:
        InvalidRequest: a value is not valid; names every such field.
    """
    errors: list[FieldError] = []
    cleaned = " ".join(title.split())
    if not 1 <= len(cleaned) <= MAX_TITLE_LENGTH or not is_visible(cleaned):
        errors.append(FieldError("title", f"must be a text of 1 to {MAX_TITLE_LENGTH} characters"))
    known: dict[str, Priority] = {name: name for name in get_args(Priority)}
    if priority not in known:
        errors.append(FieldError("priority", f"must be one of {', '.join(known)}"))
    assignee_id = None
    if assignee:
        if assignee.isascii() and assignee.isdigit() and len(assignee) < _LONGEST_ID:
            assignee_id = int(assignee)
        else:
            errors.append(FieldError("assignee", "must be a person of this organisation"))
    due = None
    if due_on:
        try:
            due = date.fromisoformat(due_on)
        except ValueError:
            errors.append(FieldError("due_on", "must be a day such as 2026-01-31"))
    if errors:
        raise invalid_request(errors)
    return CaseForm(cleaned, known[priority], assignee_id, due)


def outcome_form(outcome: str, amount: str) -> tuple[CaseOutcome, float | None]:
    """Return outcome and amount of a case that is closed; no amount is None.

    Raises:
        InvalidRequest: a value is not valid; names every such field.
    """
    errors: list[FieldError] = []
    known: dict[str, CaseOutcome] = {name: name for name in get_args(CaseOutcome)}
    if outcome not in known:
        errors.append(FieldError("outcome", "must be chosen"))
    value = None
    if amount.strip():
        try:
            value = float(amount.strip())
        except ValueError:
            value = -1.0
        if not isfinite(value) or not 0 <= value <= MAX_CASE_AMOUNT:
            errors.append(FieldError("amount", "must be a number from 0 on, such as 1250.50"))
    if errors:
        raise invalid_request(errors)
    return known[outcome], value


def note_text(text: str, *, is_needed: bool = True) -> str:
    """Return a note.

    Raises:
        InvalidRequest: it is too long, or empty where one is needed; names `note`.
    """
    cleaned = _CONTROL.sub("", text.replace("\r\n", "\n")).strip()
    if len(cleaned) > MAX_NOTE_LENGTH or (is_needed and not cleaned):
        raise _invalid("note", f"must be a text of 1 to {MAX_NOTE_LENGTH} characters")
    return cleaned


def event_ids(given: Sequence[str]) -> list[str]:
    """Return ids of events, each once; a field may have several, apart by spaces or commas.

    Raises:
        InvalidRequest: there is none, one has no form of an id, or there are more than MAX_AT_ONCE;
            names `transaction_id`.
    """
    ids = list(dict.fromkeys(one for text in given for one in re.split(r"[\s,]+", text) if one))
    if not ids:
        raise _invalid("transaction_id", "must be the id of an event")
    if len(ids) > MAX_AT_ONCE:
        raise _invalid("transaction_id", f"must be at most {MAX_AT_ONCE} ids at once")
    if any(len(one) > _MAX_GIVEN_LENGTH or not is_visible(one) for one in ids):
        raise _invalid("transaction_id", "must be the id of an event")
    return ids


def entity_of(entity: str, key: str, event_type: EventType) -> tuple[str, str]:
    """Return kind and key of an entity.

    Raises:
        InvalidRequest: the event type has no such kind, or the key is not valid.
    """
    if entity not in entity_kinds(event_type):
        raise _invalid("entity", f"must be one of {', '.join(entity_kinds(event_type))}")
    cleaned = key.strip()
    if not 1 <= len(cleaned) <= MAX_ENTITY_LENGTH or not is_visible(cleaned):
        raise _invalid("key", f"must be a text of 1 to {MAX_ENTITY_LENGTH} characters")
    return entity, cleaned


def entity_kinds(event_type: EventType) -> list[str]:
    """Return the kinds of entity of an event type."""
    return list(dict.fromkeys(field.entity for field in event_type.kept.values() if field.entity))


def _invalid(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{field} {message}.", errors=(FieldError(field, message),))
