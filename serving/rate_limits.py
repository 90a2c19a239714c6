"""Limits of payments a second, of a tenant and of each of its API keys, in this process.

The generic cell rate algorithm (ITU-T I.371) keeps one number for each limit: the time at which a
caller that sends at the highest rate would be due. A caller may be early by BURST_S, so it may send
what it is allowed in that time at once. A request with many payments is taken if one may be, and
its other payments make the next request due later: never by more than one such request, since one
that arrived at the same time is not taken after it. A limit that is changed begins without debt.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil
from time import monotonic
from typing import NamedTuple

from persistence.api_keys import Principal
from scoring.errors import RateLimited
from scoring.tenant import TenantLimits

BURST_S = 1.0
MAX_CALLERS = 10_000
_POLICY = b"ratelimit-policy"
_REMAINING = b"ratelimit"

Headers = list[tuple[bytes, bytes]]


class ReachedLimit(NamedTuple):
    """A limit that a caller has reached.

    Attributes:
        name: `tenant` or `key`.
        rate: payments a second that it allows.
        policy: all limits of the caller, as in the header RateLimit-Policy.
        retry_after_s: whole seconds after which a payment may be sent.
    """

    name: str
    rate: int
    policy: str
    retry_after_s: int

    def error(self) -> RateLimited:
        """Return the error of a payment over the limit.

        Each is another one: an exception that is raised again and again keeps every traceback.
        """
        whose = "The tenant" if self.name == "tenant" else "The API key"
        return RateLimited(
            f"{whose} may send {self.rate} payments a second, and has sent more.",
            headers={
                "Retry-After": str(self.retry_after_s),
                "RateLimit-Policy": self.policy,
                "RateLimit": f'"{self.name}";r=0;t={self.retry_after_s}',
            },
        )


class RateLimits:
    """Counts payments against the limits of their tenants; for one event loop.

    Args:
        now_s: monotonic clock, in seconds.
    """

    def __init__(self, now_s: Callable[[], float] = monotonic) -> None:
        self._now_s = now_s
        self._limits_of: Callable[[int], TenantLimits | None] = _none
        self._callers: dict[int, Principal] = {}
        self._due: dict[str, tuple[int, float]] = {}

    def follow(self, limits_of: Callable[[int], TenantLimits | None]) -> None:
        """Use a function that returns the limits of a tenant from now on."""
        self._limits_of = limits_of

    def take(self, principal: Principal, fingerprint: int) -> Headers:
        """Count one payment of a caller that was authenticated; return the headers of the reply.

        Args:
            principal: caller.
            fingerprint: hash of its Authorization header, by which `reached` finds it again.

        Raises:
            RateLimited: one of its limits is reached; nothing was counted.
        """
        callers = self._callers
        if callers.get(fingerprint) is not principal:
            if len(callers) >= MAX_CALLERS:
                callers.clear()
            callers[fingerprint] = principal
        limits = self._limits_of(principal.tenant_id)
        if limits is None:
            return []
        if reached := self._reached(limits, principal):
            raise reached.error()
        self._count(limits, principal, 1)
        return self._headers(limits, principal)

    def take_more(self, principal: Principal, payments: int) -> Headers:
        """Count further payments of a request that was taken; return the headers of the reply.

        Raises:
            RateLimited: since it was taken, another request has used up one of its limits; only its
                first payment is counted.
        """
        limits = self._limits_of(principal.tenant_id)
        if limits is None:
            return []
        if payments and (reached := self._reached(limits, principal, further=0)):
            raise reached.error()
        self._count(limits, principal, payments)
        return self._headers(limits, principal)

    def reached(self, fingerprint: int) -> ReachedLimit | None:
        """Return the limit that a caller has reached, before it is authenticated.

        Args:
            fingerprint: hash of its Authorization header.
        """
        principal = self._callers.get(fingerprint)
        if principal is None:
            return None
        limits = self._limits_of(principal.tenant_id)
        return None if limits is None else self._reached(limits, principal)

    def tenant_id(self, fingerprint: int) -> int | None:
        """Return the tenant of a caller that was authenticated before; None: it is not known."""
        principal = self._callers.get(fingerprint)
        return None if principal is None else principal.tenant_id

    def _reached(
        self, limits: TenantLimits, principal: Principal, further: int = 1
    ) -> ReachedLimit | None:
        now_s = self._now_s()
        for name, state, rate in _limits(limits, principal):
            early_s = self._due_s(state, rate, now_s) + further / rate - BURST_S - now_s
            # A whole interval is added up from parts, whose rounding may not refuse anyone.
            if early_s > 1e-9:
                return ReachedLimit(name, rate, _policy(limits), ceil(early_s))
        return None

    def _count(self, limits: TenantLimits, principal: Principal, payments: int) -> None:
        now_s = self._now_s()
        if len(self._due) >= MAX_CALLERS:
            self._due = {key: due for key, due in self._due.items() if due[1] > now_s}
        for _, state, rate in _limits(limits, principal):
            due_s = max(self._due_s(state, rate, now_s), now_s) + payments / rate
            self._due[state] = (rate, due_s)

    def _due_s(self, state: str, rate: int, now_s: float) -> float:
        """Return when the next payment is due; what was sent under another rate is forgotten."""
        of_rate, due_s = self._due.get(state, (rate, now_s))
        return due_s if of_rate == rate else now_s

    def _headers(self, limits: TenantLimits, principal: Principal) -> Headers:
        now_s = self._now_s()
        items = []
        for name, state, rate in _limits(limits, principal):
            used_s = max(0.0, self._due_s(state, rate, now_s) - now_s)
            remaining = max(0, int((BURST_S - used_s) * rate + 1e-6))
            items.append(f'"{name}";r={remaining};t={ceil(used_s)}')
        return [(_POLICY, _policy(limits).encode()), (_REMAINING, ", ".join(items).encode())]


def _none(_tenant_id: int) -> None:
    return None


def _limits(limits: TenantLimits, principal: Principal) -> list[tuple[str, str, int]]:
    """Return name, key of the state and payments a second of each limit that holds."""
    found = []
    if limits.tenant is not None:
        found.append(("tenant", str(principal.tenant_id), limits.tenant))
    if limits.key is not None:
        found.append(("key", principal.key_prefix, limits.key))
    return found


@lru_cache(maxsize=1024)
def _policy(limits: TenantLimits) -> str:
    of = {"tenant": limits.tenant, "key": limits.key}
    return ", ".join(f'"{name}";q={rate};w=1' for name, rate in of.items() if rate is not None)
