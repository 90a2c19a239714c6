"""Who is calling: API keys, verified against Postgres and remembered for a few seconds."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic

from anyio import to_thread

from persistence.keys import Principal, key_prefix
from scoring.errors import Forbidden, Unauthenticated

REMEMBERED_S = 3.0
"""How long a verdict is trusted, and so how soon a revocation is felt."""
MAX_REMEMBERED = 10_000


class Authenticator:
    """Turns an Authorization header into a Principal; one an event loop.

    Args:
        verify: asks the database whose key it is; blocking.
        now_s: a clock in seconds that never goes back.
    """

    def __init__(
        self,
        verify: Callable[[str], Principal | None],
        now_s: Callable[[], float] = monotonic,
    ) -> None:
        self._verify = verify
        self._now_s = now_s
        self._verdicts: OrderedDict[bytes, tuple[float, Principal | None]] = OrderedDict()

    async def require(self, authorization: str | None, *scopes: str) -> Principal:
        """Return who calls, if the key carries one of the scopes.

        Raises:
            Unauthenticated: no key, or one that is unknown, revoked or expired.
            Forbidden: the key has none of the scopes.
            StoreUnavailable: the database cannot be asked.
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
        # Verdicts are kept under a hash, so that a memory dump holds no key.
        fingerprint = hashlib.blake2b(key.encode(), digest_size=16).digest()
        remembered = self._verdicts.get(fingerprint)
        if remembered and remembered[0] > self._now_s():
            return remembered[1]
        principal = await to_thread.run_sync(self._verify, key)
        self._verdicts[fingerprint] = (self._now_s() + REMEMBERED_S, principal)
        self._verdicts.move_to_end(fingerprint)
        if len(self._verdicts) > MAX_REMEMBERED:
            self._verdicts.popitem(last=False)
        return principal
