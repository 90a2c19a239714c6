"""When a request is sent again, and after how long.

A request is repeated where the API's documentation says so, after as long as `Retry-After` asks for
and at least a random time that doubles (full jitter: Brooker 2015, "Exponential Backoff And
Jitter"). Every request that stores something carries a key, so that a repeated one stores nothing
twice.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from sentinel_client.errors import (
    ApiError,
    InFlight,
    Overloaded,
    SentinelClientError,
    ServiceUnavailable,
    TooSlow,
    Unreachable,
)

_REPEATED = (Unreachable, InFlight, Overloaded, ServiceUnavailable, TooSlow)
_ONCE_MORE = "internal"


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how long a request is repeated.

    Attributes:
        attempts: most times that a request is sent, >= 1; 1 never repeats one.
        first_s: upper bound of the first wait, seconds; it doubles with each further one.
        longest_s: upper bound of each wait, seconds, also of one that the API asks for.
    """

    attempts: int = 5
    first_s: float = 0.2
    longest_s: float = 10.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first_s < 0 or self.longest_s < 0:
            raise ValueError("attempts must be at least 1, and the waits at least 0 seconds")

    def wait_s(self, error: SentinelClientError, attempt: int) -> float | None:
        """Return the seconds to wait before the request is sent again; None: it is not.

        Args:
            error: error of the attempt.
            attempt: number of the attempt that failed, from 1.
        """
        repeated = isinstance(error, _REPEATED) or (
            isinstance(error, ApiError) and error.code == _ONCE_MORE and attempt == 1
        )
        if not repeated or attempt >= self.attempts:
            return None
        backoff = random.uniform(0, self.first_s * 2 ** (attempt - 1))  # noqa: S311 - no secret
        asked = error.retry_after_s if isinstance(error, ApiError) else None
        return min(self.longest_s, max(backoff, asked or 0.0))
