"""Authenticate API keys against Postgres; results are cached for a few seconds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic

from anyio import to_thread

from persistence.api_keys import Principal, key_prefix
from scoring.errors import Forbidden, StoreUnavailable, Unauthenticated
from web.single_flight_cache import SingleFlightCache

KEEP_S = 3.0
"""Seconds that a verification is valid, so the longest time that a revoked key still works."""
REFRESH_AFTER_S = 1.5
"""Age from which a key is verified again while the cached verification is still valid, so that no
caller waits for it."""
MAX_KEYS = 10_000


class Authenticator:
    """Turns an Authorization header into a Principal; each event loop needs its own.

    Args:
        verify: blocking function that looks a key up in Postgres; it returns None for an unknown
            or revoked key.
        now_s: monotonic clock, in seconds.
        keep_away_s: seconds after its last verification that a key is valid while Postgres cannot
            be asked; a key that was revoked meanwhile works as long.
    """

    def __init__(
        self,
        verify: Callable[[str], Principal | None],
        now_s: Callable[[], float] = monotonic,
        *,
        keep_away_s: float = 0.0,
    ) -> None:
        self._verify = verify
        self._now_s = now_s
        self._keep_away_s = keep_away_s
        # Each with the time at which its verification began, the oldest first.
        self._known: dict[bytes, tuple[Principal, float]] = {}
        self._verified: SingleFlightCache[Principal | None] = SingleFlightCache(
            KEEP_S, MAX_KEYS, refresh_after_s=REFRESH_AFTER_S, now_s=now_s
        )

    async def require(self, authorization: str | None, *scopes: str) -> Principal:
        """Return the caller, if its key has one of the scopes.

        Raises:
            Unauthenticated: there is no key, or it is unknown, revoked or expired.
            Forbidden: the key has none of the scopes.
            StoreUnavailable: Postgres cannot be reached.
        """
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise Unauthenticated("Send an API key: `Authorization: Bearer sk_...`.")
        principal = await self._principal(key.strip())
        if principal is None or principal.expired(datetime.now(UTC)):
            raise Unauthenticated("The API key is unknown, revoked or expired.")
        if principal.scopes.isdisjoint(scopes):
            raise Forbidden(f"This needs a key with the scope {' or '.join(scopes)}.")
        return principal

    async def _principal(self, key: str) -> Principal | None:
        if key_prefix(key) is None:
            return None
        # Cached under a hash, so that a memory dump holds no key.
        fingerprint = hashlib.blake2b(key.encode(), digest_size=16).digest()
        try:
            return await self._verified.get(fingerprint, self._ask, fingerprint, key)
        except StoreUnavailable:
            known = self._known.get(fingerprint)
            if known is None or self._now_s() - known[1] >= self._keep_away_s:
                raise
            return known[0]

    async def _ask(self, fingerprint: bytes, key: str) -> Principal | None:
        """Verify a key in Postgres, and remember the principal for the time without Postgres."""
        began_s = self._now_s()
        principal = await to_thread.run_sync(self._verify, key)
        self._known.pop(fingerprint, None)
        if principal is not None:
            self._known[fingerprint] = principal, began_s
            if len(self._known) > MAX_KEYS:
                del self._known[next(iter(self._known))]
        return principal
