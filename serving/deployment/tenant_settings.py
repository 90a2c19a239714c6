"""The tenants' policies, event types and rules in this process, updated by notifications."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from sqlalchemy import Engine

from observability.background_loop import BackgroundLoop
from persistence.event_types import (
    StoredEventType,
    UnreadableEventType,
    current_event_type,
    current_event_types,
)
from persistence.outage import Outage
from persistence.policies import (
    TenantPolicy,
    UnreadablePolicy,
    current_policies,
    current_policy,
    listen,
)
from persistence.rules.changes import newest_changes
from persistence.rules.current import Known, UnreadableRules, read_rules
from scoring.errors import SentinelError
from scoring.event_type.validation import EventValidator
from scoring.model.rules_in_force import RulesInForce
from scoring.transaction import PAYSIM
from serving.deployment.tenant_values import TenantValues

logger = logging.getLogger("sentinel.policies")

STOP_WITHIN_S = 0.5
"""Longest wait for a notification, and so the longest that `stop` takes."""
LISTEN_AGAIN_AFTER_S = 1.0


class TenantSettings:
    """The policy, the event type and the rules in force of each tenant.

    A background loop receives notifications from Postgres. AliasFollower also calls `refresh` at
    each poll, so a change is in force after one poll at most while the connection is broken.

    Args:
        engine: connection pool that scoring does not use.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._policies = TenantValues[TenantPolicy](
            lambda: current_policies(engine), self._read_policy, UnreadablePolicy
        )
        self._validators = TenantValues[EventValidator](
            self._read_validators, self._read_validator, UnreadableEventType
        )
        self._rules = TenantValues[RulesInForce](
            self._read_all_rules, self._read_rules, UnreadableRules
        )
        self._outage = Outage(logger, "notifications of policies, event types and rules")
        self._loop = BackgroundLoop(
            "settings-listener",
            self._listen_or_warn,
            LISTEN_AGAIN_AFTER_S,
            logger=logger,
            task="listening for policies, event types and rules",
            runs_at_start=True,
        )

    def policy(self, tenant_id: int) -> TenantPolicy | None:
        """Return the tenant's own policy, or None where the policy of each version applies."""
        return self._policies.get(tenant_id)

    def validator(self, tenant_id: int) -> EventValidator | None:
        """Return the validator of the tenant's event type; None where it sends PaySim's."""
        return self._validators.get(tenant_id)

    def rules(self, tenant_id: int) -> RulesInForce | None:
        """Return the tenant's rules and lists; None where nothing decides but its models."""
        rules = self._rules.get(tenant_id)
        return None if rules is None or rules.decides_nothing else rules

    @property
    def unreadable(self) -> Mapping[int, str]:
        """The reason by tenant whose policy, event type or rules cannot be read."""
        return {
            **self._rules.unreadable,
            **self._validators.unreadable,
            **self._policies.unreadable,
        }

    def refresh(self) -> None:
        """Read every tenant's policy and event type, and what changed of its rules and lists.

        Raises:
            StoreUnavailable: Postgres cannot be reached; the previous ones stay in force.
        """
        self._policies.refresh()
        self._validators.refresh()
        self._rules.refresh()

    def refresh_tenant(self, tenant_id: int) -> None:
        """Read one tenant's policy, event type and rules; they apply to every later request.

        Raises:
            StoreUnavailable: Postgres cannot be reached; the previous ones stay in force.
        """
        self._policies.refresh_tenant(tenant_id)
        self._validators.refresh_tenant(tenant_id)
        self._rules.refresh_tenant(tenant_id)

    def start(self) -> None:
        """Receive notifications in the background."""
        self._loop.start()

    def stop(self) -> None:
        """Close the connection that receives notifications."""
        self._loop.stop()

    def _read_policy(self, tenant_id: int) -> TenantPolicy | None:
        newest = current_policy(self._engine, tenant_id)
        return newest if newest and newest.policy else None

    def _read_validators(self) -> Mapping[int, EventValidator | SentinelError]:
        stored = current_event_types(self._engine)
        return {
            tenant_id: value
            if isinstance(value, UnreadableEventType)
            else self._validator(tenant_id, value)
            for tenant_id, value in stored.items()
            if isinstance(value, UnreadableEventType) or not _is_paysim(value)
        }

    def _read_validator(self, tenant_id: int) -> EventValidator | None:
        stored = current_event_type(self._engine, tenant_id)
        return self._validator(tenant_id, stored) if stored and not _is_paysim(stored) else None

    def _validator(self, tenant_id: int, stored: StoredEventType) -> EventValidator:
        """Return the validator that the tenant has already, unless the version is another."""
        before = self._validators.get(tenant_id)
        if before is not None and before.type_id == stored.id:
            return before
        return EventValidator(stored.event_type, stored.id)

    def _read_all_rules(self) -> Mapping[int, RulesInForce | SentinelError]:
        rules: dict[int, RulesInForce | SentinelError] = {}
        for tenant_id, change in newest_changes(self._engine).items():
            before = self._rules.get(tenant_id)
            if before is not None and before.change == change:
                rules[tenant_id] = before
                continue
            try:
                if (newest := self._read_rules(tenant_id)) is not None:
                    rules[tenant_id] = newest
            except UnreadableRules as error:
                rules[tenant_id] = error
        return rules

    def _read_rules(self, tenant_id: int) -> RulesInForce | None:
        """Return the tenant's rules, compiled for what those before were compiled for."""
        before = self._rules.get(tenant_id)
        known = Known(before.change, before.index) if before else None
        stored = read_rules(self._engine, tenant_id, known)
        if stored is None or (before is not None and before.change == stored.change):
            return before
        rules = RulesInForce(stored.change, stored.rule_set, stored.entries)
        if before is not None:
            rules.compile_as(before)
        return rules

    def _listen_or_warn(self) -> None:
        """Receive notifications until the connection breaks; warn once a break."""
        try:
            self._listen()
        except SentinelError as error:
            self._outage.goes_on(f"they are read at each poll instead: {error}")

    def _listen(self) -> None:
        with listen(self._engine) as changes:
            self.refresh()  # what was set before the connection was open
            self._outage.is_over()
            while not self._loop.is_stopping:
                for tenant_id in changes.wait(STOP_WITHIN_S):
                    self.refresh_tenant(tenant_id)


def _is_paysim(stored: StoredEventType) -> bool:
    """Whether a tenant sends PaySim's payments again, after an event type of its own.

    Then the built-in contract holds: its test payments, and its repeats of a key.
    """
    return stored.event_type is PAYSIM
