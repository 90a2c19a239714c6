"""The replies to requests that are refused (429), prepared so that one costs next to nothing."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from starlette.exceptions import HTTPException
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from serving.admission import MAX_RETRY_AFTER_S, OVERLOAD, RATE
from serving.rate_limits import ReachedLimit
from web.problems import problem_response
from web.security_headers import missing_headers


class Refusal(NamedTuple):
    """A prepared reply.

    Attributes:
        head: status line and headers without those of the server and without the request's id.
        body: problem that describes the refusal.
        retry_after_s: seconds after which the client may ask again.
        reason: OVERLOAD or RATE.
    """

    head: bytes
    body: bytes
    retry_after_s: int
    reason: str


class Refused(NamedTuple):
    """A request that is refused.

    Attributes:
        path: its path.
        identifier: its id.
        caller: hash of its Authorization header.
        reply: reply to it.
    """

    path: str
    identifier: bytes
    caller: int
    reply: Refusal


@lru_cache(maxsize=1024)
def of_rate(reached: ReachedLimit) -> Refusal:
    """Return the reply to a caller that has reached a limit of its rate."""
    return _prepared(reached.error(), reached.retry_after_s, RATE)


def _prepared(error: Exception, retry_after_s: int, reason: str) -> Refusal:
    response = problem_response(error)
    response.headers["retry-after"] = str(retry_after_s)
    headers = (*response.raw_headers, *missing_headers(response.raw_headers))
    lines = (name + b": " + value + b"\r\n" for name, value in headers)
    head = STATUS_LINE[HTTPStatus.TOO_MANY_REQUESTS] + b"".join(lines)
    return Refusal(head, bytes(response.body), retry_after_s, reason)


OF_OVERLOAD = {
    seconds: _prepared(HTTPException(HTTPStatus.TOO_MANY_REQUESTS), seconds, OVERLOAD)
    for seconds in range(1, MAX_RETRY_AFTER_S + 1)
}
"""Reply in an overload by its Retry-After."""
