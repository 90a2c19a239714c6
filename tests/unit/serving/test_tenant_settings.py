"""The listener of settings: what it reads when, and what it logs of a broken connection."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from persistence.event_types import StoredEventType
from persistence.policies import TenantPolicy
from scoring.errors import StoreUnavailable
from scoring.transaction import PAYSIM
from serving.deployment import tenant_settings
from serving.deployment.tenant_settings import TenantSettings
from tests.support.factories import a_model

TENANT = 7


class Postgres:
    """Policies by tenant, notifications of them, and a connection that can be broken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_away = False
        self.policies: dict[int, TenantPolicy] = {}
        self.attempts = 0
        self.listening = threading.Event()
        self._changed: list[int] = []
        self._wake = threading.Event()
        monkeypatch.setattr(tenant_settings, "listen", self._listen)
        monkeypatch.setattr(tenant_settings, "current_policies", lambda _engine: {**self.policies})
        monkeypatch.setattr(tenant_settings, "current_policy", self._policy_of)
        monkeypatch.setattr(tenant_settings, "current_event_types", lambda _engine: {})
        monkeypatch.setattr(tenant_settings, "current_event_type", lambda _engine, _tenant: None)
        monkeypatch.setattr(tenant_settings, "newest_changes", lambda _engine: {})
        monkeypatch.setattr(tenant_settings, "read_rules", lambda _engine, _tenant, _known: None)
        monkeypatch.setattr(tenant_settings, "STOP_WITHIN_S", 0.01)
        monkeypatch.setattr(tenant_settings, "LISTEN_AGAIN_AFTER_S", 0.01)

    def set_policy(self, tenant_id: int, *, notify: bool) -> TenantPolicy:
        policy = TenantPolicy(1, a_model().policy, "abc", datetime.now(UTC))
        self.policies[tenant_id] = policy
        if notify:
            self._changed.append(tenant_id)
        return policy

    def wait(self, timeout_s: float) -> Sequence[int]:
        self.listening.set()
        if self.is_away:
            raise StoreUnavailable("away")
        self._wake.wait(timeout_s)
        changed, self._changed = self._changed, []
        return changed

    @contextmanager
    def _listen(self, _engine: object) -> Iterator[Postgres]:
        self.attempts += 1
        if self.is_away:
            raise StoreUnavailable("away")
        yield self

    def _policy_of(self, _engine: object, tenant_id: int) -> TenantPolicy | None:
        return self.policies.get(tenant_id)


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> Postgres:
    return Postgres(monkeypatch)


@pytest.fixture
def settings(postgres: Postgres) -> Iterator[TenantSettings]:  # noqa: ARG001
    settings = TenantSettings(cast("Any", None))
    yield settings
    settings.stop()


def wait_until(condition: Any) -> None:
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError


def test_policies_set_before_it_listened_are_in_force(
    postgres: Postgres, settings: TenantSettings
) -> None:
    policy = postgres.set_policy(TENANT, notify=False)
    settings.start()
    wait_until(lambda: settings.policy(TENANT) == policy)


def test_a_notification_puts_the_policy_in_force(
    postgres: Postgres, settings: TenantSettings
) -> None:
    settings.start()
    assert postgres.listening.wait(10)
    policy = postgres.set_policy(TENANT, notify=True)
    wait_until(lambda: settings.policy(TENANT) == policy)


def test_each_broken_connection_is_one_warning_however_many_attempts_fail(
    postgres: Postgres, settings: TenantSettings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING", "sentinel.policies"):
        settings.start()
        assert postgres.listening.wait(10)
        for outage in (1, 2):
            postgres.is_away = True
            attempts = postgres.attempts
            wait_until(lambda attempts=attempts: postgres.attempts > attempts + 3)
            warnings = [r for r in caplog.records if not r.getMessage().endswith("works again")]
            assert len(warnings) == outage
            postgres.listening.clear()
            postgres.is_away = False
            assert postgres.listening.wait(10)
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_a_tenant_that_went_back_to_paysims_payments_has_the_built_in_contract(
    monkeypatch: pytest.MonkeyPatch, settings: TenantSettings
) -> None:
    """Its test payments need no model again, and a repeated key is compared as PaySim's."""
    stored = StoredEventType(3, 2, PAYSIM, "abc", datetime.now(UTC))
    monkeypatch.setattr(tenant_settings, "current_event_types", lambda _engine: {TENANT: stored})
    monkeypatch.setattr(tenant_settings, "current_event_type", lambda _engine, _tenant: stored)
    settings.refresh()
    assert settings.validator(TENANT) is None
    settings.refresh_tenant(TENANT)
    assert settings.validator(TENANT) is None
