"""Event types in files: YAML or JSON."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import yaml

from scoring.errors import CommandError, InvalidEventType
from scoring.event_type.document import from_document, to_document
from scoring.event_type.fields import EventType
from sentinel.sentences import shown
from sentinel.yaml_keys import UniqueKeys

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
        document = _parsed(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise EventTypeFileError(f"{shown(path)} is not YAML: {reason}.") from error
    try:
        return from_document(document)
    except InvalidEventType as error:
        lines = "".join(f"\n  {one.field} {one.message}" for one in error.errors)
        raise EventTypeFileError(f"{shown(path)} is not an event type:{lines}") from error


def _parsed(content: bytes) -> object:
    """Return the document of a file.

    JSON is YAML but for numbers such as 1e300, which YAML 1.1 takes for text.

    Raises:
        yaml.YAMLError, ValueError, RecursionError: it is neither, or a name is given twice.
    """
    if content.lstrip().startswith(b"{"):
        with suppress(json.JSONDecodeError, UnicodeDecodeError):
            return json.loads(content, object_pairs_hook=_unique)
    return yaml.load(content, Loader=UniqueKeys)  # noqa: S506 - a SafeLoader


def _unique(members: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(members)
    if len(found) < len(members):
        names = [name for name, _ in members]
        raise yaml.YAMLError(f"{next(n for n in names if names.count(n) > 1)} is given twice")
    return found


def as_yaml(event_type: EventType) -> str:
    """Return an event type as YAML that `read_event_type` reads."""
    document = to_document(event_type)
    fields = document.pop("fields")
    head = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    lines = [f"  {_one_line(name)}: {_one_line(field)}\n" for name, field in fields.items()]
    return f"{head}fields:\n{''.join(lines)}"


def _one_line(value: object) -> str:
    """Return a value as YAML in one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=1_000_000
    )
    return text.removesuffix("...\n").strip()
