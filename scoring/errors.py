"""The errors that callers of the service and of the commands see, and the HTTP status of each.

    SentinelError                500  errors of requests
    ├── InvalidRequest           422  (names each field)
    │   ├── MalformedRequest     422  (not JSON at all)
    │   ├── InvalidExpression    422  (points at the part of the expression)
    │   ├── InvalidFeatureSet    422  (names each feature)
    │   ├── InvalidEventType     422  (an event type's document)
    │   └── IncompatibleEventType 422 (a new version that refuses earlier events)
    ├── Unauthenticated          401
    ├── Forbidden                403
    ├── NotFound                 404
    │   └── UnknownTenant        404
    ├── InFlight                 409
    ├── InUse                    409
    ├── SecondPersonNeeded       409
    ├── PolicyChanged            409
    ├── ProposalWaits            409
    ├── ProposalDecided          409
    ├── PayloadTooLarge          413
    ├── UnsupportedMedia         415  (a body that is not UTF-8, or compressed)
    ├── IdempotencyMismatch      422
    ├── Overloaded               429
    │   └── RateLimited          429  (names the limit)
    ├── NoModel                  503
    ├── StoreUnavailable         503
    │   ├── StoreBusy            503  (it is there, and took too long)
    │   ├── SchemaMissing        503
    │   └── StoreMisconfigured   503  (ends a start)
    ├── RegistryUnavailable      503  (in registry/client/base.py)
    ├── NotStorable              500  (a row that Postgres rejects)
    └── ModelRefused             500  (a model version that must not serve)

    CommandError                      errors of commands and of start-up
    ├── SettingsError, DatabaseUrlError, TrackingUriError
    ├── EmbeddedPostgresError, ProcessError, DemoError, DemoRunning
    ├── MaintenanceError, TableFileError, RuleFileError
    ├── PublishError                  (MLflow refuses what training logs)
    └── TrainingError

CommandError is not a SentinelError because no request raises it, so it needs no HTTP status.
Each package defines its own subclasses. Two places catch them: `web/problems.py` renders a
SentinelError (RFC 9457), `sentinel/errors.py` ends a command on either, as on any other error. A
library's errors are translated into ours where it is called, by its `translate_errors`:
`persistence/errors.py` (psycopg, SQLAlchemy), `registry/client/rest_client.py` (httpx),
`registry/client/mlflow_errors.py` (MLflow), `training/search/study.py` (Optuna).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        status: status of the HTTP reply.
        code: end of the problem's `type`, which docs/api.md describes.
        title: summary that is the same for every occurrence.
        retry: whether and how a client may send the request again; begins with Yes or No.
        detail: one sentence for the caller.
        errors: errors of the fields that are not valid.
    """

    status = 500
    code = "internal"
    title = "Something went wrong on our side"
    retry = (
        "Yes, once, a payment with the same external_id; if it fails again, report the X-Request-ID"
    )

    def __init__(self, detail: str, *, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class InvalidRequest(SentinelError):
    """The request is well formed, but a value in it is not valid."""

    status = 422
    code = "invalid-request"
    title = "The request is not valid"
    retry = "No; correct the fields that `errors` names"


def invalid_request(errors: Sequence[FieldError]) -> InvalidRequest:
    """Return the error of a request by its fields, of which the sentence names the first five."""
    fields = ", ".join(dict.fromkeys(error.field for error in errors[:5]))
    more = f" and {len(errors) - 5} more" if len(errors) > 5 else ""
    return InvalidRequest(f"Not valid: {fields}{more}.", errors=tuple(errors))


class MalformedRequest(InvalidRequest):
    """The body is not JSON."""

    code = "malformed-json"
    title = "The body is not valid JSON"
    retry = "No; send JSON"


class InvalidExpression(InvalidRequest):
    """An expression that the language does not have, or that does not fit the event type.

    Attributes:
        source: text of the expression.
        column: position of the offending part's first character, from 1; a line break counts as
            one character.
        end_column: position of the offending part's last character, at least `column`.
    """

    def __init__(self, detail: str, *, source: str, column: int, end_column: int) -> None:
        super().__init__(detail)
        self.source = source
        self.column = column
        self.end_column = end_column

    def pointed(self) -> str:
        """Return the source on one line, carets under the offending part, and the message.

        At most _POINTED_WIDTH characters of the source are shown, around the offending part.
        """
        start = max(0, self.column - 1 - _POINTED_WIDTH // 3)
        shown = self.source[start : start + _POINTED_WIDTH]
        line = "".join(c if c.isprintable() else " " for c in shown)
        before, after = (
            ("…" if start else ""),
            ("…" if start + len(shown) < len(self.source) else ""),
        )
        indent = len(before) + self.column - 1 - start
        carets = max(1, min(self.end_column, start + len(shown)) - self.column + 1)
        return f"{before}{line}{after}\n{' ' * indent}{'^' * carets}\n{self.detail}"


_POINTED_WIDTH = 90


class InvalidFeatureSet(InvalidRequest):
    """A feature set's document is not valid; `errors` names each feature."""


class InvalidEventType(InvalidRequest):
    """An event type, or its document, is not valid; `errors` names each field."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        first = "; ".join(f"{error.field} {error.message}" for error in errors[:5])
        more = f"; and {len(errors) - 5} more" if len(errors) > 5 else ""
        super().__init__(f"The event type is not valid: {first}{more}.", errors=errors)


class IncompatibleEventType(InvalidRequest):
    """A new version of an event type would refuse events that the version in force accepts."""

    code = "incompatible-event-type"
    title = "The change of the event type is not compatible"
    retry = "No; change what `errors` names, or send `replace=true` to put another type in force"

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        sentences = " ".join(error.message for error in errors[:5])
        more = f" There are {len(errors) - 5} more such changes." if len(errors) > 5 else ""
        super().__init__(f"{sentences}{more}", errors=errors)


class Unauthenticated(SentinelError):
    """No API key, or one that is unknown, expired or revoked."""

    status = 401
    code = "unauthenticated"
    title = "A valid API key is needed"
    retry = "No; send a valid key"


class Forbidden(SentinelError):
    """The key is valid but lacks the scope for this route."""

    status = 403
    code = "forbidden"
    title = "The API key lacks a scope"
    retry = "No; use a key with the scope that `detail` names"


class NotFound(SentinelError):
    """The resource does not exist or belongs to another tenant; the reply is the same for both."""

    status = 404
    code = "not-found"
    title = "Not found"
    retry = "No"


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
    retry = "Yes, after a second, the same request: the reply is the stored decision"


class InUse(SentinelError):
    """Something else still needs what a request would remove."""

    status = 409
    code = "in-use"
    title = "Something else still needs it"
    retry = "Yes, after what `detail` names no longer needs it"


class SecondPersonNeeded(SentinelError):
    """Somebody approves what they promoted or proposed themselves."""

    status = 409
    code = "second-person-needed"
    title = "A second person has to approve it"
    retry = "No; another person approves it, with a key of their own"


class PolicyChanged(SentinelError):
    """A proposal is based on a policy that is no longer in force."""

    status = 409
    code = "policy-changed"
    title = "Another policy came into force meanwhile"
    retry = "No; look at the policy in force, and propose again"


class ProposalWaits(SentinelError):
    """A tenant's policy is proposed while another proposal waits."""

    status = 409
    code = "proposal-waits"
    title = "Another proposal waits for a second person"
    retry = "Yes, after that proposal is approved or refused"


class ProposalDecided(SentinelError):
    """A proposal is decided that was decided before."""

    status = 409
    code = "proposal-decided"
    title = "The proposal is decided already"
    retry = "No"


class PayloadTooLarge(SentinelError):
    """The body is larger than the route takes."""

    status = 413
    code = "too-large"
    title = "The body is too large"
    retry = "No; send less, such as a batch in parts"


class UnsupportedMedia(SentinelError):
    """The body is compressed, or its character set is not UTF-8."""

    status = 415
    code = "unsupported-media"
    title = "The body is in a form that is not taken"
    retry = "No, not in this form: send JSON in UTF-8, not compressed"


class IdempotencyMismatch(SentinelError):
    """The idempotency key was used before with another body."""

    status = 422
    code = "idempotency-mismatch"
    title = "The idempotency key was used with another body"
    retry = "No; send the first body again, or use another key"


class Overloaded(SentinelError):
    """There are more requests than can be answered in time; nothing was scored or stored."""

    status = 429
    code = "overloaded"
    title = "Too busy"
    retry = "Yes, after Retry-After; nothing was decided or stored"


class RateLimited(Overloaded):
    """A caller sends more payments a second than its tenant or its key may.

    Attributes:
        headers: headers of the reply: Retry-After and those that name the limit.
    """

    code = "rate-limited"
    title = "More payments a second than are allowed"
    retry = "Yes, after Retry-After, and fewer a second; nothing was decided or stored"

    def __init__(self, detail: str, *, headers: Mapping[str, str]) -> None:
        super().__init__(detail)
        self.headers = headers


class NoModel(SentinelError):
    """The tenant has no production model version that may serve."""

    status = 503
    code = "no-production-model"
    title = "No production model"
    retry = "Yes, once a model version is in production; no payment was decided"


class StoreUnavailable(SentinelError):
    """Postgres did not confirm; a repeated request with the same `external_id` is safe.

    Attributes:
        detail: sentence for callers, who need not know the database.
        reason: sentence for the operator, with the cause; `str` of the error returns it.
    """

    status = 503
    code = "store-unavailable"
    title = "The decision log is unavailable"
    retry = (
        "Yes, after Retry-After, a payment with the same external_id: it may have been stored "
        "before the connection broke"
    )

    def __init__(self, detail: str, *, reason: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason or detail

    def __str__(self) -> str:
        return self.reason


class StoreBusy(StoreUnavailable):
    """Postgres works, and did not get to a statement in time."""


class SchemaMissing(StoreUnavailable):
    """The database lacks this release's tables or roles."""

    def __init__(self, what: str | None = None) -> None:
        detail = "The database lacks this release's schema; run `sentinel db upgrade`."
        super().__init__(detail, reason=f"{detail[:-1]} ({what})." if what else None)


class StoreMisconfigured(StoreUnavailable):
    """Postgres, the login or a setting must be changed before this process can serve."""

    def __init__(self, reason: str) -> None:
        detail = "The decision log is not set up; the service's log has the reason."
        super().__init__(detail, reason=reason)


class NotStorable(SentinelError):
    """Postgres rejects this row; the other rows of its batch are stored without it."""

    code = "not-storable"
    title = "The decision could not be stored"
    retry = "No; Postgres refuses this row, and nothing was stored"


class ModelRefused(SentinelError):
    """A model version failed its checks and must not serve; the message names the check."""

    code = "model-refused"
    title = "The model version was refused"


class CommandError(Exception):
    """An expected error of a command or of start-up; the message is a sentence for its user."""
