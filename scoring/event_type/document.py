"""The document of an event type: what YAML and JSON hold.

Its keys are `name`, `label` and `fields`; the fields by their names, such as
`TX_AMOUNT: {kind: number, role: amount, min: 0, max: 1000000}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from scoring.errors import FieldError, InvalidEventType
from scoring.event_type.checks import event_type_errors
from scoring.event_type.fields import EventType, Field, Kind, Role
from scoring.event_type.limits import MAX_INTEGER

KINDS: tuple[Kind, ...] = get_args(Kind)
ROLES: tuple[Role, ...] = tuple(role for role in get_args(Role) if role != "label")
"""Roles that a field can have; the label is not a field."""


def from_document(document: object) -> EventType:
    """Return the event type of a document.

    Args:
        document: parsed YAML or JSON.

    Raises:
        InvalidEventType: the document is not valid; names every field by its path, such as
            `fields.TX_AMOUNT.min`.
    """
    return _Reader().event_type(document)


def to_document(event_type: EventType) -> dict[str, Any]:
    """Return the document of an event type, without keys that have their default."""
    label = {} if event_type.label is None else {"label": event_type.label}
    fields = {field.name: field_to_document(field) for field in event_type.fields}
    return {"name": event_type.name, **label, "fields": fields}


def field_to_document(field: Field) -> dict[str, Any]:
    """Return the document of a field, without its name and keys that have their default."""
    document = {
        "kind": field.kind,
        "entity": field.entity,
        "role": field.role,
        "min": _plain(field.minimum),
        "max": _plain(field.maximum),
        "values": None if field.values is None else list(field.values),
        "optional": field.optional or None,
        "ignored": field.ignored or None,
    }
    return {key: value for key, value in document.items() if value is not None}


def _plain(bound: float | None) -> float | int | None:
    """Return a bound without a decimal point where it is whole."""
    if bound is None or bound != int(bound) or abs(bound) > MAX_INTEGER:
        return bound
    return int(bound)


class _Reader:
    """Reads one document and collects its errors."""

    def __init__(self) -> None:
        self._errors: list[FieldError] = []

    def event_type(self, document: object) -> EventType:
        if not isinstance(document, Mapping):
            raise InvalidEventType((FieldError("body", "must be a mapping with name and fields"),))
        self._refuse_unknown((), document, ("name", "label", "fields"))
        name = self._value((), document, "name", _text, required=True)
        label = self._value((), document, "label", _text)
        written = self._value((), document, "fields", _mapping, required=True)
        fields = []
        for key, value in (written or {}).items():
            if isinstance(key, str):
                fields.append(self._field(key, value))
            else:
                self._error(("fields", str(key)), "has a name that must be text; quote it")
        event_type = EventType(name or "", label, tuple(fields))
        reported = {error.field for error in self._errors}
        # A value that could not be read has its default: no second error for it.
        for error in event_type_errors(event_type):
            if error.field not in reported:
                self._errors.append(error)
        if self._errors:
            raise InvalidEventType(tuple(self._errors))
        return event_type

    def _field(self, name: str, written: object) -> Field:
        path = ("fields", name)
        if not isinstance(written, Mapping):
            self._error(path, "must be a mapping with a kind, such as {kind: number}")
            return Field(name, "text", ignored=True)
        known = ("kind", "role", "entity", "min", "max", "values", "optional", "ignored")
        self._refuse_unknown(path, written, known)
        kind: Kind | None = self._value(path, written, "kind", _one_of(KINDS), required=True)
        role: Role | None = self._value(path, written, "role", _one_of(ROLES))
        field = Field(
            name=name,
            kind=kind or "text",
            role=role,
            entity=self._value(path, written, "entity", _text),
            minimum=self._value(path, written, "min", _number),
            maximum=self._value(path, written, "max", _number),
            values=self._value(path, written, "values", _texts),
            optional=bool(self._value(path, written, "optional", _boolean)),
            ignored=bool(self._value(path, written, "ignored", _boolean)),
        )
        # Without its kind nothing else of the field can be checked.
        return field if kind is not None else Field(name, "text", ignored=True)

    def _value(
        self,
        path: tuple[str, ...],
        written: Mapping[Any, Any],
        key: str,
        read: Callable[[Any], Any],
        *,
        required: bool = False,
    ) -> Any:  # noqa: ANN401 - what `read` returns
        value = written.get(key)
        if value is None:
            if required or key in written:
                self._error((*path, key), "is required" if required else "must not be empty")
            return None
        try:
            return read(value)
        except _WrongKind as error:
            self._error((*path, key), str(error))
            return None

    def _refuse_unknown(
        self, path: tuple[str, ...], written: Mapping[Any, Any], known: tuple[str, ...]
    ) -> None:
        for key in written:
            if key not in known:
                near = get_close_matches(str(key), known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
                self._error((*path, str(key)), f"is not known; {hint}")

    def _error(self, path: tuple[str, ...], message: str) -> None:
        self._errors.append(FieldError(".".join(path), message))


class _WrongKind(ValueError):
    """A value of another kind; the message says what it must be."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _WrongKind("must be text; quote it")
    return value


def _mapping(value: object) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise _WrongKind("must be a mapping from names to fields")
    return value


def _one_of(words: tuple[str, ...]) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise _WrongKind(f"must be one of {', '.join(words)}")
        return value

    return read


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _WrongKind("must be a number")
    try:
        return float(value)
    except OverflowError:
        raise _WrongKind("must be a finite number") from None


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _WrongKind("must be a list of texts")
    for item in value:
        if not isinstance(item, str):
            raise _WrongKind(f"must be a list of texts; quote {item!r}")
    return tuple(value)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise _WrongKind("must be true or false")
    return value
