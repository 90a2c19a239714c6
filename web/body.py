"""Read the body of a request, limited in size and validated in one pass."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import Request

from scoring.errors import MalformedRequest, PayloadTooLarge, UnsupportedMedia
from web.problems import invalid_body
from web.repeated_names import refuse_repeated_members, refuse_repeated_names

MAX_BODY_BYTES = 64 * 1024
MAX_BATCH_BODY_BYTES = 2 * 1024 * 1024

_CHARSET = re.compile(rb"""(?i:;\s*charset\*?\s*=\s*["']?([^\s;"]*?)["']?(?=[\s;"]|$))""")
_UTF_8 = {b"utf-8", b"utf8", b"us-ascii", b"ascii"}

Schema = TypeVar("Schema", bound=BaseModel)


async def read_body(
    request: Request,
    schema: type[Schema],
    max_bytes: int = MAX_BODY_BYTES,
    *,
    required: bool = True,
) -> Schema:
    """Return a JSON body, validated.

    Args:
        request: request whose body is read.
        schema: Pydantic model of the body.
        max_bytes: size limit of the body.
        required: whether there must be a body; an empty one is else that of an empty object.

    Raises:
        PayloadTooLarge: the body, or its declared length, is larger than `max_bytes`.
        UnsupportedMedia: the body is compressed, or not UTF-8 by its Content-Type, whose media
            type does not matter: the body is read as JSON.
        InvalidRequest: the body is not JSON, has a name twice in an object, or does not match the
            schema; names each field.
    """
    body = await read_bytes(request, max_bytes)
    return _validated(body if body.strip() or required else b"{}", schema)


async def read_json(request: Request, max_bytes: int) -> Any:  # noqa: ANN401 - any JSON
    """Return a JSON body that is not validated: of a tenant's own event type.

    Raises:
        PayloadTooLarge, UnsupportedMedia, InvalidRequest: as of `read_body`.
    """
    body = await read_bytes(request, max_bytes)
    return _parsed(body.removeprefix(codecs.BOM_UTF8))


async def read_bytes(request: Request, max_bytes: int) -> bytes:
    """Return a body.

    Raises:
        PayloadTooLarge, UnsupportedMedia: as of `read_body`.
    """
    _check_headers(request.scope["headers"], max_bytes)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(body)


def _check_headers(headers: Iterable[tuple[bytes, bytes]], max_bytes: int) -> None:
    """Raise the error of a body that its headers show to be too large or not readable."""
    for name, value in headers:
        if name == b"content-length":
            if int(value) > max_bytes:
                raise _too_large(max_bytes)
        elif name == b"content-encoding":
            if value.strip().lower() not in {b"", b"identity"}:
                raise UnsupportedMedia("The body is compressed; send it without Content-Encoding.")
        elif name == b"content-type" and value != b"application/json" and not is_utf_8(value):
            raise UnsupportedMedia("The body is in another charset; send JSON as UTF-8.")


def is_utf_8(content_type: bytes) -> bool:
    """Return whether a Content-Type names no other charset than UTF-8."""
    # Of several, readers differ in which one they take.
    return all(name.lower() in _UTF_8 for name in _CHARSET.findall(content_type))


def _too_large(max_bytes: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {max_bytes} bytes; send a smaller one.")


def _validated(body: bytes, schema: type[Schema]) -> Schema:
    try:
        found = schema.model_validate_json(body)
    except ValidationError as error:
        # RFC 8259 lets a reader ignore a byte order mark, which editors of Windows write.
        if body.startswith(codecs.BOM_UTF8):
            return _validated(body.removeprefix(codecs.BOM_UTF8), schema)
        _refuse_no_json(body)
        raise invalid_body(error) from error
    refuse_repeated_names(body, found)
    return found


def _parsed(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        _refuse_no_json(body)
        raise MalformedRequest(f"Invalid JSON: {error}.") from error
    refuse_repeated_members(body, document)
    return document


def _refuse_no_json(body: bytes) -> None:
    if not body.strip():
        raise MalformedRequest("The body is empty; send JSON.")
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise MalformedRequest("The body is UTF-16; send JSON as UTF-8.")
