"""Maintenance deletes the past events that no window can see, counted from the newest one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from persistence.history import retention
from persistence.history.retention import KEPT_US
from persistence.history.writer import PastEvent, import_history
from persistence.maintenance.maintenance import maintain
from persistence.tenancy import SERVICE
from tests.support.fixture_types import MakeTenant, Rows

NEWEST_US = 1_533_600_000_000_000
"""A time of August 2018."""
NOW = datetime.now(UTC)


def store(engine: Engine, tenant_id: int, *events: tuple[str, int]) -> None:
    """Store past events of entities: id of the entity, and time after NEWEST_US."""
    batch = [
        PastEvent("CARD", key, NEWEST_US + us, f"{i:032x}", "{}", None)
        for i, (key, us) in enumerate(events)
    ]
    import_history(engine, tenant_id, [batch], SERVICE)


def test_only_what_is_older_than_any_window_is_deleted(
    owner: Engine, engine: Engine, make_tenant: MakeTenant, rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(retention, "_PAGE", 2)
    first, second = make_tenant(), make_tenant("second")
    old = [(f"card-{i}", -KEPT_US - 1) for i in range(5)]
    kept = [(f"card-{i}", -KEPT_US) for i in range(5)]
    store(engine, first.id, ("card-3", 0), *old, *kept)
    store(engine, second.id, *old)
    lines: list[str] = []
    maintain(owner, NOW, dry_run=True, report=lines.append)
    maintain(owner, NOW, report=lines.append)
    what = "5 past events of entities that are more than 181 days older than the newest"
    assert lines[0].startswith(f"Would delete {what}")
    assert lines[1].startswith(f"Deleted {what}")
    left = rows("SELECT tenant_id, time_us FROM entity_events")
    assert sorted((r["tenant_id"], r["time_us"] - NEWEST_US) for r in left) == sorted(
        [(first.id, 0), *[(first.id, -KEPT_US)] * 5, *[(second.id, -KEPT_US - 1)] * 5]
    )
    maintain(owner, NOW, report=lines.append)
    assert "nothing to do" in lines[-1]
