"""Cache the tenants' own policies in this process; Postgres's notifications keep it current."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from sqlalchemy import Engine

from observability.background_loop import BackgroundLoop
from persistence.outage import Outage
from persistence.policies import (
    TenantPolicy,
    UnreadablePolicy,
    current_policies,
    current_policy,
    listen,
)
from scoring.errors import SentinelError

logger = logging.getLogger("sentinel.policies")

STOP_WITHIN_S = 0.5
"""Longest wait for a notification, and so the longest that `stop` takes."""
LISTEN_AGAIN_AFTER_S = 1.0


class PolicyCache:
    """The policy in force of each tenant, read by every request.

    A background loop receives notifications from Postgres. AliasFollower also calls `refresh` at
    each poll, so a change is in force after one poll at most while the connection is broken.

    Args:
        engine: connection pool that scoring does not use.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._in_force: dict[int, TenantPolicy] = {}
        self._unreadable: dict[int, str] = {}
        # Held from the query to the assignment, so that no older result overwrites a newer one.
        self._reading = threading.Lock()
        self._outage = Outage(logger, "notifications of policy changes")
        self._loop = BackgroundLoop(
            "policy-listener",
            self._listen_or_warn,
            LISTEN_AGAIN_AFTER_S,
            logger=logger,
            task="listening for policies",
            runs_at_start=True,
        )

    def in_force(self, tenant_id: int) -> TenantPolicy | None:
        """Return the tenant's own policy, or None where the policy of each version applies."""
        return self._in_force.get(tenant_id)

    @property
    def unreadable(self) -> Mapping[int, str]:
        """The reason by tenant whose stored policy cannot be read; the one before stays in force.

        A tenant of which no policy was read before has none in force.
        """
        return self._unreadable

    def refresh(self) -> None:
        """Read every tenant's policy.

        Raises:
            StoreUnavailable: Postgres cannot be reached; the previous policies stay in force.
        """
        with self._reading:
            in_force: dict[int, TenantPolicy] = {}
            unreadable: dict[int, str] = {}
            for tenant_id, policy in current_policies(self._engine).items():
                if isinstance(policy, TenantPolicy):
                    in_force[tenant_id] = policy
                    continue
                unreadable[tenant_id] = policy.detail
                if tenant_id in self._in_force:
                    in_force[tenant_id] = self._in_force[tenant_id]
            self._in_force, self._unreadable = in_force, unreadable

    def refresh_tenant(self, tenant_id: int) -> None:
        """Read one tenant's policy; it applies to every later request.

        Raises:
            StoreUnavailable: Postgres cannot be reached; the previous policy stays in force.
        """
        with self._reading:
            try:
                newest = current_policy(self._engine, tenant_id)
            except UnreadablePolicy as error:
                self._unreadable[tenant_id] = error.detail
                return
            self._unreadable.pop(tenant_id, None)
            if newest is None or newest.policy is None:
                self._in_force.pop(tenant_id, None)
            else:
                self._in_force[tenant_id] = newest

    def start(self) -> None:
        """Receive notifications in the background."""
        self._loop.start()

    def stop(self) -> None:
        """Close the connection that receives notifications."""
        self._loop.stop()

    def _listen_or_warn(self) -> None:
        """Receive notifications until the connection breaks; warn once a break."""
        try:
            self._listen()
        except SentinelError as error:
            self._outage.goes_on(f"policies are read at each poll instead: {error}")

    def _listen(self) -> None:
        with listen(self._engine) as changes:
            self.refresh()  # policies that were set before the connection was open
            self._outage.is_over()
            while not self._loop.is_stopping:
                for tenant_id in changes.wait(STOP_WITHIN_S):
                    self.refresh_tenant(tenant_id)
