"""The errors that callers of the service and of the commands see, and the HTTP status of each.

    SentinelError                500  errors of requests
    ├── InvalidRequest           422  (names each field)
    │   └── MalformedRequest     422  (not JSON at all)
    ├── Unauthenticated          401
    ├── Forbidden                403
    ├── NotFound                 404
    │   └── UnknownTenant        404
    ├── InFlight                 409
    ├── PayloadTooLarge          413
    ├── UnsupportedMedia         415  (a body that is not UTF-8, or compressed)
    ├── IdempotencyMismatch      422
    ├── Overloaded               429
    ├── NoModel                  503
    ├── StoreUnavailable         503
    │   └── SchemaMissing        503
    ├── RegistryUnavailable      503  (in registry/client/base.py)
    ├── NotStorable              500  (a row that Postgres rejects)
    └── ModelRefused             500  (a model version that must not serve)

    CommandError                      errors of commands and of start-up
    ├── SettingsError, DatabaseUrlError, TrackingUriError
    ├── EmbeddedPostgresError, ProcessError, DemoError, DemoRunning
    ├── MaintenanceError
    ├── PublishError                  (MLflow refuses what training logs)
    └── TrainingError

CommandError is not a SentinelError because no request raises it, so it needs no HTTP status.
Each package defines its own subclasses. Two places catch them: `web/problems.py` renders a
SentinelError (RFC 9457), `sentinel/errors.py` ends a command on either. A library's errors are
translated into ours where the library is called, by the `translate_errors` for that library:
`persistence/errors.py` (psycopg, SQLAlchemy), `registry/client/rest_client.py` (httpx),
`registry/client/mlflow_errors.py` (MLflow), `training/search/study.py` (Optuna).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """An error in one field of a request.

    Attributes:
        field: dotted path from the request body's root, such as `transactions.3.amount`.
        message: requirement of the field as a sentence fragment, such as `must be at least 1`.
    """

    field: str
    message: str


class SentinelError(Exception):
    """An error of a request; the class itself is an internal error, whose cause is in the log.

    Attributes:
        detail: one sentence for the caller.
        errors: errors of the fields that are not valid.
    """

    status = 500
    code = "internal"
    title = "Something went wrong on our side"

    def __init__(self, detail: str, *, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class InvalidRequest(SentinelError):
    """The request is well formed, but a value in it is not valid."""

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
    """The key is valid but lacks the scope for this route."""

    status = 403
    code = "forbidden"
    title = "The API key lacks a scope"


class NotFound(SentinelError):
    """The resource does not exist or belongs to another tenant; the reply is the same for both."""

    status = 404
    code = "not-found"
    title = "Not found"


class UnknownTenant(NotFound):
    """No tenant has that slug.

    Attributes:
        slug: slug that was looked up.
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


class UnsupportedMedia(SentinelError):
    """The body is compressed, or its character set is not UTF-8."""

    status = 415
    code = "unsupported-media"
    title = "The body is in a form that is not taken"


class IdempotencyMismatch(SentinelError):
    """The idempotency key was used before with another body."""

    status = 422
    code = "idempotency-mismatch"
    title = "The idempotency key was used with another body"


class Overloaded(SentinelError):
    """There are more requests than can be answered in time; nothing was scored or stored."""

    status = 429
    code = "overloaded"
    title = "Too busy"


class NoModel(SentinelError):
    """The tenant has no production model version that may serve."""

    status = 503
    code = "no-production-model"
    title = "No production model"


class StoreUnavailable(SentinelError):
    """Postgres did not confirm; a repeated request with the same `external_id` is safe."""

    status = 503
    code = "store-unavailable"
    title = "The decision log is unavailable"


class SchemaMissing(StoreUnavailable):
    """The database lacks this release's tables or roles."""

    def __init__(self) -> None:
        super().__init__("The database lacks this release's schema; run `sentinel db upgrade`.")


class NotStorable(SentinelError):
    """Postgres rejects this row; the other rows of its batch are stored without it."""

    code = "not-storable"
    title = "The decision could not be stored"


class ModelRefused(SentinelError):
    """A model version failed its checks and must not serve; the message names the check."""

    code = "model-refused"
    title = "The model version was refused"


class CommandError(Exception):
    """An expected error of a command or of start-up; the message is a sentence for its user."""
