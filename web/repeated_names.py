"""Refuse a JSON object that has a name twice, of which Pydantic takes the last without a word.

Which of two amounts counts must not depend on the reader (RFC 8259, section 4).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from operator import attrgetter
from typing import Any, get_args

from pydantic import BaseModel

from web.invalid_fields import invalid_fields

_ENDS_OF_NAMES = re.compile(rb'"[ \t\r\n]*:')
_FIELDS = attrgetter("__pydantic_fields_set__")


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object, in order."""


def refuse_repeated_names(body: bytes, found: BaseModel) -> None:
    """Raise InvalidRequest where an object has a name twice; names each by its path.

    A body has at least as many colons as members. Where it has just as many as `found` has fields,
    no name is repeated, and the body is not parsed again.

    Args:
        body: valid JSON.
        found: what was read from it.
    """
    members = body.count(b":")
    # The first comparison is enough for a /score.
    if members == len(_FIELDS(found)) or members == _count_fields(found):
        return
    _refuse(body)


def refuse_repeated_members(body: bytes, document: object) -> None:
    """Raise InvalidRequest as `refuse_repeated_names` does, for JSON without a schema.

    A member's name ends with a quotation mark and a colon; a text that holds both makes the count
    larger, and the body is parsed again.

    Args:
        body: valid JSON.
        document: what was read from it.
    """
    if len(_ENDS_OF_NAMES.findall(body)) != _count_members(document):
        _refuse(body)


def _count_members(document: object) -> int:
    if isinstance(document, dict):
        return len(document) + sum(map(_count_members, document.values()))
    if isinstance(document, list):
        return sum(map(_count_members, document))
    return 0


def _refuse(body: bytes) -> None:
    # Numbers stay text: one of 5000 digits would be an error.
    document = json.loads(body, object_pairs_hook=_Members, parse_int=str, parse_float=str)
    repeated = list(_repeated(document, ()))
    if repeated:
        raise invalid_fields([(path, "is given twice; give it once") for path in repeated])


def _count_fields(found: BaseModel) -> int:
    """Return how many fields were given, of a model and of all models within it."""
    count = len(_FIELDS(found))
    for name in _nested(type(found)):
        value = getattr(found, name)
        if isinstance(value, list):
            count += sum(map(len, map(_FIELDS, value)))
        elif isinstance(value, dict):
            count += len(value) + sum(map(_count_fields, value.values()))
        elif value is not None:
            count += _count_fields(value)
    return count


@cache
def _nested(schema: type[BaseModel]) -> tuple[str, ...]:
    """Return the fields of a schema that hold models."""
    fields = schema.model_fields.items()
    return tuple(name for name, field in fields if _holds_models(field.annotation))


def _holds_models(annotation: Any) -> bool:  # noqa: ANN401 - any type expression
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    return any(map(_holds_models, get_args(annotation)))


def _repeated(node: object, path: tuple[int | str, ...]) -> Iterator[tuple[int | str, ...]]:
    if isinstance(node, _Members):
        seen: set[str] = set()
        for name, value in node:
            if name in seen:
                yield (*path, name)
            seen.add(name)
            yield from _repeated(value, (*path, name))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from _repeated(value, (*path, i))
