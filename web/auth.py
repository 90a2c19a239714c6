"""Who is calling: API keys, verified against Postgres and remembered for a few seconds."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from anyio import to_thread

from persistence.api_keys import Principal, key_prefix
from scoring.errors import Forbidden, Unauthenticated

REMEMBERED_S = 3.0
"""How long a verdict is trusted, and so how soon a revocation is felt."""
REFRESHED_AFTER_S = 1.5
"""From here on a verdict is asked for again while it still serves, so that no caller waits."""
MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Verdict:
    principal: Principal | None
    asked_s: float


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
        # Under a hash of the key, so that a memory dump holds no key.
        self._verdicts: OrderedDict[bytes, _Verdict] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Principal | None]] = {}

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
        fingerprint = hashlib.blake2b(key.encode(), digest_size=16).digest()
        verdict = self._verdicts.get(fingerprint)
        age_s = self._now_s() - verdict.asked_s if verdict else REMEMBERED_S
        if verdict is None or age_s >= REMEMBERED_S:
            # Shielded: others may wait for the same answer when this caller hangs up.
            return await asyncio.shield(self._ask(fingerprint, key))
        if age_s >= REFRESHED_AFTER_S:
            self._ask(fingerprint, key)
        return verdict.principal

    def _ask(self, fingerprint: bytes, key: str) -> asyncio.Task[Principal | None]:
        """Ask the database once, however many callers want to know."""
        task = self._asking.get(fingerprint)
        if task is None:
            task = asyncio.create_task(self._remember(fingerprint, key))
            self._asking[fingerprint] = task
            task.add_done_callback(lambda done: self._asked(fingerprint, done))
        return task

    def _asked(self, fingerprint: bytes, task: asyncio.Task[Principal | None]) -> None:
        self._asking.pop(fingerprint, None)
        if not task.cancelled():
            # A refresh that fails is nobody's error: the verdict ends by itself.
            task.exception()

    async def _remember(self, fingerprint: bytes, key: str) -> Principal | None:
        asked_s = self._now_s()
        principal = await to_thread.run_sync(self._verify, key)
        self._verdicts[fingerprint] = _Verdict(principal, asked_s)
        self._verdicts.move_to_end(fingerprint)
        if len(self._verdicts) > MAX_REMEMBERED:
            self._verdicts.popitem(last=False)
        return principal
