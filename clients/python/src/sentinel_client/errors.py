"""Errors by the type of the problem that the API replies with.

SentinelClientError
├── Unreachable                  no reply: the connection failed or timed out
└── ApiError                     a reply that is an error
    ├── InvalidRequest           422: `fields` names each field
    │   └── IdempotencyMismatch  422: the key was used before with another payment
    ├── Unauthenticated          401
    ├── Forbidden                403: the key lacks a scope
    ├── NotFound                 404
    ├── Conflict                 409
    │   └── InFlight             409: the first request with the key has no reply yet
    ├── TooLarge                 413
    ├── Overloaded               429
    ├── TooSlow                  504
    └── ServiceUnavailable       503
        └── NoProductionModel    503
"""

from __future__ import annotations

import httpx
from pydantic import ValidationError

from sentinel_client.replies import FieldProblem, Problem

_PREFIX = "urn:sentinel:problem:"


class SentinelClientError(Exception):
    """A request that has no successful reply."""


class Unreachable(SentinelClientError):
    """No reply came. A payment may have been decided: send it again with the same external_id."""


class ApiError(SentinelClientError):
    """The API replied with an error.

    Attributes:
        status: HTTP status.
        code: end of the problem's type, such as `invalid-request`; empty when the reply is not one
            of Sentinel's, such as that of a proxy.
        detail: sentence of the API.
        fields: fields that are not valid.
        request_id: id in the service's log; None when a reply has none.
        retry_after_s: seconds that the API asks to wait; None when it does not.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        fields: tuple[FieldProblem, ...] = (),
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        named = "".join(f" {one.field}: {one.message}." for one in fields[:5])
        super().__init__(f"{status} {code}: {detail}{named}".strip())
        self.status = status
        self.code = code
        self.detail = detail
        self.fields = fields
        self.request_id = request_id
        self.retry_after_s = retry_after_s


class InvalidRequest(ApiError):
    """A field or a parameter is not valid; `fields` names it."""


class IdempotencyMismatch(InvalidRequest):
    """The external_id or the key was used before with another request."""


class Unauthenticated(ApiError):
    """There is no key, or it is unknown, expired or revoked."""


class Forbidden(ApiError):
    """The key lacks the scope of the route."""


class NotFound(ApiError):
    """What was named is not there, or belongs to another tenant."""


class Conflict(ApiError):
    """What is asked contradicts what is stored."""


class InFlight(Conflict):
    """The first request with this key has no reply yet."""


class TooLarge(ApiError):
    """The body is larger than the route takes."""


class Overloaded(ApiError):
    """More requests are in flight than can be answered in time; nothing was decided."""


class TooSlow(ApiError):
    """The request took too long; a payment may have been decided."""


class ServiceUnavailable(ApiError):
    """The service cannot answer now."""


class NoProductionModel(ServiceUnavailable):
    """No model version is in production for the tenant."""


_BY_CODE: dict[str, type[ApiError]] = {
    "idempotency-mismatch": IdempotencyMismatch,
    "in-flight": InFlight,
    "no-production-model": NoProductionModel,
}
_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: InvalidRequest,
    429: Overloaded,
    503: ServiceUnavailable,
    504: TooSlow,
}


def error_without_reply(
    method: str, path: str, error: httpx.HTTPError | httpx.InvalidURL
) -> SentinelClientError:
    """Return the error of a request without a reply that can be read.

    Args:
        method: HTTP method of the request.
        path: path of the request.
        error: what httpx raised; where the same would happen again, the request is not repeated.
    """
    passes = isinstance(error, httpx.TransportError) and not isinstance(
        error, httpx.UnsupportedProtocol | httpx.LocalProtocolError
    )
    kind = Unreachable if passes else SentinelClientError
    return kind(f"{method} {path}: {str(error) or type(error).__name__}")


def error_of(response: httpx.Response) -> ApiError:
    """Return the error that a reply is, whoever sent it."""
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        problem = Problem()
    code = problem.type.removeprefix(_PREFIX) if problem.type.startswith(_PREFIX) else ""
    kind = _BY_CODE.get(code) or _BY_STATUS.get(response.status_code, ApiError)
    return kind(
        response.status_code,
        code,
        problem.detail or response.reason_phrase,
        tuple(problem.errors),
        response.headers.get("X-Request-ID"),
        _seconds(response.headers.get("Retry-After")),
    )


def _seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header is not None else None
    except ValueError:  # a date, as a proxy may send it
        return None
