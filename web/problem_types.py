"""Every type of problem that a reply can have; docs/api.md describes each under its code."""

from __future__ import annotations

from dataclasses import dataclass

from registry.client.base import RegistryUnavailable
from scoring.errors import (
    Forbidden,
    IdempotencyMismatch,
    IncompatibleEventType,
    InFlight,
    InUse,
    InvalidRequest,
    MalformedRequest,
    NoModel,
    NotFound,
    NotStorable,
    Overloaded,
    PayloadTooLarge,
    PolicyChanged,
    ProposalDecided,
    ProposalWaits,
    RateLimited,
    SecondPersonNeeded,
    SentinelError,
    StoreUnavailable,
    Unauthenticated,
    UnsupportedMedia,
)

RETRY_AFTER_S = 1
"""Seconds in the Retry-After header."""
RETRY_STATUSES = (429, 503)
"""Statuses of the replies that have a Retry-After header."""


def type_uri(code: str) -> str:
    """Return the `type` of a problem (RFC 9457) by its code."""
    return f"urn:sentinel:problem:{code}"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A type of problem.

    Attributes:
        code: end of `type`, and the heading in docs/api.md.
        status: status of the reply.
        title: summary of the type.
        retry: whether and how a client may send the request again; begins with Yes or No.
    """

    code: str
    status: int
    title: str
    retry: str

    @classmethod
    def of(cls, error: type[SentinelError]) -> ProblemType:
        """Return the type of the problem that an error becomes."""
        return cls(error.code, error.status, error.title, error.retry)


METHOD_NOT_ALLOWED = ProblemType(
    "method-not-allowed",
    405,
    "Method Not Allowed",
    "No; `Allow` and `detail` name the methods of the route",
)
TOO_SLOW = ProblemType(
    "too-slow",
    504,
    "Gateway Timeout",
    "Yes, a payment with the same external_id: the reply is the decision, if it was stored",
)
NOT_READY = ProblemType("not-ready", 503, "Not ready", "Yes, until it is ready")

PROBLEM_TYPES: tuple[ProblemType, ...] = (
    *map(
        ProblemType.of,
        (
            Unauthenticated,
            Forbidden,
            NotFound,
            InFlight,
            InUse,
            SecondPersonNeeded,
            PolicyChanged,
            ProposalWaits,
            ProposalDecided,
            PayloadTooLarge,
            UnsupportedMedia,
            InvalidRequest,
            MalformedRequest,
            IdempotencyMismatch,
            IncompatibleEventType,
            Overloaded,
            RateLimited,
            SentinelError,
            NotStorable,
            NoModel,
            StoreUnavailable,
            RegistryUnavailable,
        ),
    ),
    METHOD_NOT_ALLOWED,
    TOO_SLOW,
    NOT_READY,
)
"""ModelRefused, which no route lets out, has no entry."""
