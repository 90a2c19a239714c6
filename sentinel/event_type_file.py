"""Event types in files: YAML or JSON."""

from __future__ import annotations

from pathlib import Path

import yaml

from scoring.errors import CommandError, InvalidEventType
from scoring.event_type.document import from_document, to_document
from scoring.event_type.fields import EventType
from sentinel.sentences import shown
from sentinel.yaml_keys import QuotedNumbers, no_mapping, parsed, reason

MAX_BYTES = 1024 * 1024


class EventTypeFileError(CommandError):
    """A file of an event type cannot be read, or is none."""


def read_event_type(path: Path) -> EventType:
    """Return the event type of a file.

    Args:
        path: file in YAML or JSON.

    Raises:
        EventTypeFileError: the file cannot be read, or its event type is not valid; names every
            field.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise EventTypeFileError(f"{shown(path)} cannot be read: {error.strerror}.") from error
    if len(content) > MAX_BYTES:
        raise EventTypeFileError(f"{shown(path)} has more than {MAX_BYTES:,} bytes.")
    try:
        document = parsed(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise EventTypeFileError(f"{shown(path)} is not YAML: {reason(error)}.") from error
    if what := no_mapping(document):
        raise EventTypeFileError(
            f"{shown(path)} {what}; an event type is a mapping with name and fields, such as "
            "`sentinel event-types infer` drafts from a file of events."
        )
    try:
        return from_document(document)
    except InvalidEventType as error:
        lines = "".join(f"\n  {one.field} {one.message}" for one in error.errors)
        raise EventTypeFileError(f"{shown(path)} is not an event type:{lines}") from error


def as_yaml(event_type: EventType) -> str:
    """Return an event type as YAML that `read_event_type` reads."""
    document = to_document(event_type)
    fields = document.pop("fields")
    head = yaml.dump(document, Dumper=QuotedNumbers, sort_keys=False, allow_unicode=True)
    lines = [f"  {_one_line(name)}: {_one_line(field)}\n" for name, field in fields.items()]
    return f"{head}fields:\n{''.join(lines)}"


def _one_line(value: object) -> str:
    """Return a value as YAML in one line."""
    text: str = yaml.dump(
        value,
        Dumper=QuotedNumbers,
        default_flow_style=True,
        sort_keys=False,
        allow_unicode=True,
        width=1_000_000,
    )
    return text.removesuffix("...\n").strip()
