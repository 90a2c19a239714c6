"""Client of the Sentinel API: decide payments, explain decisions, send labels, read what is stored.

    from sentinel_client import Client

    with Client("https://sentinel.example", "sk_...") as sentinel:
        decision = sentinel.score(payment)

`AsyncClient` has the same methods as coroutines. `sentinel_client.testing` has a fake for the tests
of programs that use this one.
"""

from sentinel_client.async_client import AsyncClient
from sentinel_client.client import Client
from sentinel_client.errors import (
    ApiError,
    Conflict,
    Forbidden,
    IdempotencyMismatch,
    InFlight,
    InvalidRequest,
    NoProductionModel,
    NotFound,
    Overloaded,
    SentinelClientError,
    ServiceUnavailable,
    TooLarge,
    TooSlow,
    Unauthenticated,
    Unreachable,
)
from sentinel_client.replies import (
    DecidedBy,
    Decision,
    EntryMatch,
    Explanation,
    Feature,
    FieldProblem,
    Label,
    Model,
    RuleHits,
    RuleVersion,
    StoredDecision,
    StoredLabel,
)
from sentinel_client.retries import Retries
from sentinel_client.version import __version__

__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "Conflict",
    "DecidedBy",
    "Decision",
    "EntryMatch",
    "Explanation",
    "Feature",
    "FieldProblem",
    "Forbidden",
    "IdempotencyMismatch",
    "InFlight",
    "InvalidRequest",
    "Label",
    "Model",
    "NoProductionModel",
    "NotFound",
    "Overloaded",
    "Retries",
    "RuleHits",
    "RuleVersion",
    "SentinelClientError",
    "ServiceUnavailable",
    "StoredDecision",
    "StoredLabel",
    "TooLarge",
    "TooSlow",
    "Unauthenticated",
    "Unreachable",
    "__version__",
]
