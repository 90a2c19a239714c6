"""Read a request: its body, limited in size and validated in one pass, and its key."""

from __future__ import annotations

import re
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from scoring.errors import FieldError, InvalidRequest, PayloadTooLarge
from scoring.transaction import EXTERNAL_ID_PATTERN
from web.problems import invalid_body

MAX_BODY_BYTES = 64 * 1024
MAX_BATCH_BODY_BYTES = 2 * 1024 * 1024

Schema = TypeVar("Schema", bound=BaseModel)

_IDEMPOTENCY_KEY = re.compile(EXTERNAL_ID_PATTERN)


async def read_body(
    request: Request, schema: type[Schema], max_bytes: int = MAX_BODY_BYTES
) -> Schema:
    """Return a JSON body, validated.

    Args:
        request: request whose body is read.
        schema: Pydantic model of the body.
        max_bytes: size limit of the body.

    Raises:
        PayloadTooLarge: the body, or its declared length, is larger than `max_bytes`.
        InvalidRequest: the body is not JSON or does not match the schema; names each field.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise PayloadTooLarge(f"The body is larger than {max_bytes} bytes; send a smaller one.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise PayloadTooLarge(f"The body is larger than {max_bytes} bytes; send a smaller one.")
    try:
        return schema.model_validate_json(bytes(body))
    except ValidationError as error:
        raise invalid_body(error) from error


def idempotency_key(request: Request) -> str | None:
    """Return the Idempotency-Key header, or None without one.

    Raises:
        InvalidRequest: the header is not 1 to 128 printable ASCII characters without spaces.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not _IDEMPOTENCY_KEY.match(key):
        message = "must be 1 to 128 printable ASCII characters without spaces"
        raise InvalidRequest(
            f"The Idempotency-Key header {message}.",
            errors=(FieldError("Idempotency-Key", message),),
        )
    return key
