"""The tenants' own policies in this process, told of by Postgres when one is set."""

from __future__ import annotations

import logging
import threading

from sqlalchemy import Engine

from persistence.policies import TenantPolicy, current_policies, current_policy, listen
from scoring.errors import SentinelError

logger = logging.getLogger("sentinel.policies")

STOP_WITHIN_S = 0.5
LISTEN_AGAIN_AFTER_S = 1.0


class PolicyCache:
    """Which policy is in force for which tenant: read by every request.

    A thread listens to Postgres; whoever looks at the aliases looks at the policies too, so that
    what is said while the line is broken is learnt at the next look.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._in_force: dict[int, TenantPolicy] = {}
        # Held from the question to the entry, or an older answer could overwrite a newer one.
        self._reading = threading.Lock()
        self._is_deaf = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="policy-listener", daemon=True)

    def in_force(self, tenant_id: int) -> TenantPolicy | None:
        """Return the tenant's own policy; None where each version's own counts."""
        return self._in_force.get(tenant_id)

    def refresh(self) -> None:
        """Learn every tenant's policy.

        Raises:
            StoreUnavailable: Postgres cannot be asked; what was known stays.
        """
        with self._reading:
            self._in_force = current_policies(self._engine)

    def refresh_tenant(self, tenant_id: int) -> None:
        """Learn one tenant's policy; it counts for every request from now on.

        Raises:
            StoreUnavailable: Postgres cannot be asked; what was known stays.
        """
        with self._reading:
            newest = current_policy(self._engine, tenant_id)
            if newest is None or newest.policy is None:
                self._in_force.pop(tenant_id, None)
            else:
                self._in_force[tenant_id] = newest

    def start(self) -> None:
        """Listen in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End the listener."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except SentinelError as error:
                if not self._is_deaf:
                    logger.warning("policies are learnt by looking for now: %s", error.detail)
                self._is_deaf = True
            except Exception:
                # The listener outlives what it did not foresee.
                logger.exception("listening for policies failed; trying again")
            self._stopping.wait(LISTEN_AGAIN_AFTER_S)

    def _follow(self) -> None:
        with listen(self._engine) as changes:
            self.refresh()  # what was set before we listened
            self._is_deaf = False
            while not self._stopping.is_set():
                for tenant_id in changes.wait(STOP_WITHIN_S):
                    self.refresh_tenant(tenant_id)
