"""A draft of an event type, and its YAML with comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from textwrap import wrap

import yaml

from scoring.event_type.document import field_to_document
from scoring.event_type.fields import EventType
from scoring.printable import printable

_WIDTH = 96
_PLAIN = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Draft:
    """An event type that was inferred from a file, with what its reader must know.

    Attributes:
        event_type: valid event type.
        comments: sentences about the file.
        field_comments: sentences by the name of a field.
        rows: number of events of the file.
        frauds: number of frauds among them.
        unread_dates: columns of dates that are not read, because the year is not first.
    """

    event_type: EventType
    comments: tuple[str, ...]
    field_comments: Mapping[str, tuple[str, ...]]
    rows: int
    frauds: int
    unread_dates: tuple[str, ...] = ()


def write_draft(draft: Draft) -> str:
    """Return a draft as YAML: the document of the event type, with a comment above each field."""
    event_type = draft.event_type
    lines = [*_commented(draft.comments), f"name: {_scalar(event_type.name)}"]
    if event_type.label is not None:
        lines.append(f"label: {_scalar(event_type.label)}")
    lines.append("fields:")
    for field in event_type.fields:
        lines += [f"  {line}" for line in _commented(draft.field_comments.get(field.name, ()))]
        parts = (f"{key}: {_value(value)}" for key, value in field_to_document(field).items())
        lines.append(f"  {_scalar(field.name)}: {{{', '.join(parts)}}}")
    return "\n".join(lines) + "\n"


def _commented(sentences: Iterable[str]) -> list[str]:
    return [
        f"# {line}"
        for sentence in sentences
        for line in wrap(
            printable(sentence), _WIDTH, break_long_words=False, break_on_hyphens=False
        )
    ]


def _value(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, str):
        return _scalar(value)
    # YAML 1.1 wants a point in a number with an exponent, which JSON leaves out.
    return yaml.safe_dump(value).partition("\n")[0]


def _scalar(text: str) -> str:
    """Return text as YAML: quoted where YAML would read something else, such as `no` or `1`."""
    if _PLAIN.fullmatch(text) and yaml.safe_load(text) == text:
        return text
    return json.dumps(text, ensure_ascii=False)
