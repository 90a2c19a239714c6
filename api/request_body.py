"""A route's JSON body: declared once, for the handler and for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Generic, TypeVar

from fastapi import Request
from pydantic import BaseModel

from web.body import MAX_BODY_BYTES, read_body

Schema = TypeVar("Schema", bound=BaseModel)
BodyReader = Callable[[], Awaitable[Schema]]
"""Reads and validates the body; raises what `web.body.read_body` raises."""


class JsonBody(Generic[Schema]):
    """A FastAPI dependency that gives a handler the reader of its request's body.

    FastAPI's own body parameter would read the body before the API key is verified, without a limit
    of its size, and convert values that the schema refuses. A handler calls the reader once the
    key, the path and the query are known to be good.

    Attributes:
        schema: schema of the body, which `app/openapi.py` puts into the document.
        examples: bodies by a name that says what they show, for the document.
        max_bytes: size limit of the body.
        required: whether a request must have a body; without one every member is left out.
    """

    def __init__(
        self,
        schema: type[Schema],
        examples: Mapping[str, Any] | None = None,
        max_bytes: int = MAX_BODY_BYTES,
        required: bool = True,
    ) -> None:
        self.schema = schema
        self.examples = examples or {}
        self.max_bytes = max_bytes
        self.required = required

    def __call__(self, request: Request) -> BodyReader[Schema]:
        """Return the reader of a request's body."""
        return partial(read_body, request, self.schema, self.max_bytes, required=self.required)
