"""Reading a request: the body within its limit, validated in one pass."""

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
    """Read and validate a JSON body.

    Raises:
        PayloadTooLarge: more than `max_bytes`, announced or sent.
        InvalidRequest: not JSON, or not what the schema says; names each field.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise PayloadTooLarge(f"The body may have {max_bytes} bytes at most.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise PayloadTooLarge(f"The body may have {max_bytes} bytes at most.")
    try:
        return schema.model_validate_json(bytes(body))
    except ValidationError as error:
        raise invalid_body(error) from error


def idempotency_key(request: Request) -> str | None:
    """Return the Idempotency-Key header.

    Raises:
        InvalidRequest: it is not 1 to 128 printable ASCII characters without spaces.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not _IDEMPOTENCY_KEY.match(key):
        message = "must be 1 to 128 printable ASCII characters without spaces"
        raise InvalidRequest(
            f"The Idempotency-Key header {message}.",
            errors=(FieldError("Idempotency-Key", message),),
        )
    return key
