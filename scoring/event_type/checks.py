"""Check that an event type is consistent."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from itertools import chain

from scoring.errors import FieldError, InvalidEventType
from scoring.event_type.fields import EventType, Field, Kind, Role
from scoring.event_type.limits import (
    MAX_CATEGORY_LENGTH,
    MAX_CATEGORY_VALUES,
    MAX_FIELD_NAME_LENGTH,
    MAX_FIELDS,
    MAX_INTEGER,
    NAME_RULE,
    RESERVED_FIELDS,
    is_event_type_name,
)
from scoring.event_type.visible_text import is_trimmed, is_visible
from scoring.tenant import is_slug

_BOUNDED: tuple[Kind, ...] = ("number", "integer")
_KIND_OF_ROLE: dict[Role, Kind] = {
    "time": "timestamp",
    "amount": "number",
    "payer": "entity",
    "payee": "entity",
}
_FIELD_NAME_RULE = (
    f"must be 1 to {MAX_FIELD_NAME_LENGTH} visible characters without a space at the ends"
)


def check_event_type(event_type: EventType) -> None:
    """Check an event type.

    Raises:
        InvalidEventType: it is not consistent; names every field.
    """
    errors = tuple(event_type_errors(event_type))
    if errors:
        raise InvalidEventType(errors)


def event_type_errors(event_type: EventType) -> Iterator[FieldError]:
    """Yield what is wrong with an event type, by paths of its document."""
    if not is_event_type_name(event_type.name):
        yield FieldError("name", NAME_RULE)
    fields = event_type.fields
    if not 1 <= len(fields) <= MAX_FIELDS:
        yield FieldError("fields", f"must be 1 to {MAX_FIELDS} fields, not {len(fields):,}")
    if event_type.label is not None:
        if not _is_field_name(event_type.label):
            yield FieldError("label", _FIELD_NAME_RULE)
        if any(field.name == event_type.label for field in fields):
            yield FieldError(
                f"fields.{event_type.label}", "is the label, which is not sent; leave it out"
            )
    for name, count in Counter(field.name for field in fields).items():
        if count > 1:
            yield FieldError(f"fields.{name}", f"is given {count} times; give it once")
    yield from _repeated_roles(fields)
    for field in fields:
        yield from _field_errors(field)


def _repeated_roles(fields: tuple[Field, ...]) -> Iterator[FieldError]:
    first: dict[Role, str] = {}
    for field in fields:
        if field.role is None or field.role == "label":
            continue
        if field.role in first:
            yield FieldError(
                f"fields.{field.name}.role",
                f"must not be {field.role}, which {first[field.role]} is already",
            )
        first.setdefault(field.role, field.name)


def _field_errors(field: Field) -> Iterator[FieldError]:
    checks = (_ignored,) if field.ignored else (_role, _entity, _bounds, _values)
    for key, message in chain(_name(field), *(check(field) for check in checks)):
        yield FieldError(".".join(["fields", field.name, *key]), message)


Finding = tuple[tuple[str, ...], str]
"""Path below the field, and what must be."""


def _name(field: Field) -> Iterator[Finding]:
    if not _is_field_name(field.name):
        yield (), f"has a name that {_FIELD_NAME_RULE}"
    elif field.name in RESERVED_FIELDS:
        yield (), "has a name that every request has of its own; give it another"


def _ignored(field: Field) -> Iterator[Finding]:
    given = {
        "role": field.role,
        "entity": field.entity,
        "min": field.minimum,
        "max": field.maximum,
        "values": field.values,
    }
    for key, value in given.items():
        if value is not None:
            yield (key,), "must be left out, because the field is ignored"
    if field.optional:
        yield ("optional",), "must be left out, because the field is ignored"


def _role(field: Field) -> Iterator[Finding]:
    if field.role is None:
        return
    if field.role == "label":
        yield ("role",), "must not be label; give the label's column as label of the event type"
        return
    kind = _KIND_OF_ROLE[field.role]
    if field.kind != kind:
        yield ("role",), f"{field.role} needs the kind {kind}, not {field.kind}"
    if field.role == "time" and field.optional:
        yield ("optional",), "must be left out, because every event needs its time"


def _entity(field: Field) -> Iterator[Finding]:
    if field.kind != "entity":
        if field.entity is not None:
            yield ("entity",), f"must be left out of a field of the kind {field.kind}"
    elif field.entity is None:
        yield ("entity",), "is required: what the field identifies, such as customer"
    elif not is_slug(field.entity):
        yield (
            ("entity",),
            "must be 2 to 40 lower-case letters, digits and dashes, and begin with a letter",
        )


def _bounds(field: Field) -> Iterator[Finding]:
    bounds = {"min": field.minimum, "max": field.maximum}
    given = {key: bound for key, bound in bounds.items() if bound is not None}
    if field.kind not in _BOUNDED:
        for key in given:
            yield (key,), f"must be left out of a field of the kind {field.kind}"
        return
    valid = {}
    for key, bound in given.items():
        if not math.isfinite(bound):
            yield (key,), "must be a finite number"
        elif field.kind == "integer" and (bound != int(bound) or abs(bound) > MAX_INTEGER):
            yield (key,), f"must be a whole number within ±{MAX_INTEGER}"
        else:
            valid[key] = bound
    if len(valid) == len(bounds) and valid["min"] > valid["max"]:
        yield ("min",), f"must be at most max, {valid['max']:g}, not {valid['min']:g}"


def _values(field: Field) -> Iterator[Finding]:
    values = field.values
    if values is None:
        return
    if field.kind != "category":
        yield ("values",), f"must be left out of a field of the kind {field.kind}"
        return
    if not 1 <= len(values) <= MAX_CATEGORY_VALUES:
        yield (
            ("values",),
            f"must be 1 to {MAX_CATEGORY_VALUES:,} values, not {len(values):,}; leave it out for a "
            "category whose values are not known",
        )
    for i, value in enumerate(values):
        if not (1 <= len(value) <= MAX_CATEGORY_LENGTH and is_visible(value)):
            yield ("values", str(i)), f"must be 1 to {MAX_CATEGORY_LENGTH} visible characters"
    for value, count in Counter(values).items():
        if count > 1:
            yield ("values",), f"must not have {value!r} {count} times"


def _is_field_name(name: str) -> bool:
    return 1 <= len(name) <= MAX_FIELD_NAME_LENGTH and is_visible(name) and is_trimmed(name)
