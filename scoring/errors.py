"""Every error a caller can meet, as one tree that knows its HTTP status.

    SentinelError                500
    ├── InvalidRequest           422  (names each field)
    │   └── MalformedRequest     422  (not JSON at all)
    ├── Unauthenticated          401
    ├── Forbidden                403
    ├── NotFound                 404
    │   └── TenantNotFound       404
    ├── InFlight                 409
    ├── PayloadTooLarge          413
    ├── IdempotencyMismatch      422
    ├── Overloaded               429
    ├── NoModel                  503
    ├── StoreUnavailable         503
    │   └── SchemaMissing        503  (the database has not this release's schema)
    ├── NotStorable              500  (a row that Postgres refuses)
    └── ModelRefused             500  (a model version that must not serve)

The status lives here, on the floor that every room can import, so that no room has to translate
another's errors; `web/problems.py` is the only place that renders them (RFC 9457).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field.

    Attributes:
        field: dotted path from the request body's root, such as `transactions.3.amount`.
        message: a sentence fragment that says what the field must be.
    """

    field: str
    message: str


class SentinelError(Exception):
    """The root; also stands for a fault of our own, whose details stay in the log."""

    status = 500
    code = "internal"
    title = "Something went wrong on our side"

    def __init__(self, detail: str, *, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class InvalidRequest(SentinelError):
    """The request is well formed but says something that cannot be."""

    status = 422
    code = "invalid-request"
    title = "The request is not valid"


class MalformedRequest(InvalidRequest):
    """The body is not JSON."""

    code = "malformed-json"
    title = "The body is not valid JSON"


class Unauthenticated(SentinelError):
    """No API key, or one that is unknown, expired or revoked."""

    status = 401
    code = "unauthenticated"
    title = "A valid API key is needed"


class Forbidden(SentinelError):
    """The key is good, its scopes do not reach this route."""

    status = 403
    code = "forbidden"
    title = "The API key lacks a scope"


class NotFound(SentinelError):
    """It is not there, or it belongs to another tenant; callers cannot tell which."""

    status = 404
    code = "not-found"
    title = "Not found"


class TenantNotFound(NotFound):
    """There is no tenant with that slug.

    Args:
        slug: name of the tenant.
    """

    def __init__(self, slug: str) -> None:
        super().__init__(f"There is no tenant {slug!r}.")
        self.slug = slug


class InFlight(SentinelError):
    """The first request with this idempotency key has not been answered yet."""

    status = 409
    code = "in-flight"
    title = "The first request with this key is still in flight"


class PayloadTooLarge(SentinelError):
    """The body is larger than the route takes."""

    status = 413
    code = "too-large"
    title = "The body is too large"


class IdempotencyMismatch(SentinelError):
    """The idempotency key was used before with another body."""

    status = 422
    code = "idempotency-mismatch"
    title = "The idempotency key was used with another body"


class Overloaded(SentinelError):
    """More is asked than can be answered in time; nothing was scored or stored."""

    status = 429
    code = "overloaded"
    title = "Too busy"


class NoModel(SentinelError):
    """The tenant has no production model version that may serve."""

    status = 503
    code = "no-production-model"
    title = "No production model"


class StoreUnavailable(SentinelError):
    """Postgres did not say that it took the write; repeating with the `external_id` tells."""

    status = 503
    code = "store-unavailable"
    title = "The decision log is unavailable"


class SchemaMissing(StoreUnavailable):
    """The database has not this release's schema."""

    def __init__(self) -> None:
        super().__init__("The database has not this release's schema.")


class NotStorable(SentinelError):
    """Postgres refuses this row; its batch-mates are stored without it."""

    code = "not-storable"
    title = "The decision could not be stored"


class ModelRefused(SentinelError):
    """A model version failed its checks and must not serve; the message says which check."""

    code = "model-refused"
    title = "The model version was refused"
