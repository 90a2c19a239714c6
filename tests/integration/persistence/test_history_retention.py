"""Maintenance deletes the past events that no window can see, counted from the newest one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import Engine, text

from persistence.decisions.writer import DecisionLog
from persistence.history import retention
from persistence.history.retention import KEPT_US
from persistence.history.writer import PastEvent, import_history
from persistence.maintenance import migrate
from persistence.maintenance.maintenance import maintain
from persistence.tenancy import SERVICE
from tests.support.data.own_events import CardTenant
from tests.support.event_types import an_event_type
from tests.support.fixture_types import MakeTenant, Rows

NEWEST_US = 1_533_600_000_000_000
"""A time of August 2018."""
NOW = datetime.now(UTC)


def store(engine: Engine, tenant_id: int, *batches: list[tuple[str, int]]) -> None:
    """Store past events of entities, which are frauds: a segment of each entity for each batch.

    Each event is the id of its entity, and its time after NEWEST_US.
    """
    ids = count()
    for batch in batches:
        events = [
            PastEvent("CARD", key, NEWEST_US + us, next(ids).to_bytes(16), b"\x80", NEWEST_US + us)
            for key, us in batch
        ]
        import_history(engine, tenant_id, [events], SERVICE)


def test_only_what_is_older_than_any_window_is_deleted(
    owner: Engine, engine: Engine, make_tenant: MakeTenant, rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(retention, "_PAGE", 2)
    first, second = make_tenant(), make_tenant("second")
    old = [(f"card-{i}", -KEPT_US - 1) for i in range(5)]
    kept = [(f"card-{i}", -KEPT_US) for i in range(5)]
    mixed = [("card-9", -KEPT_US - 1), ("card-9", -5)]
    store(engine, first.id, [("card-3", 0)], old, kept, mixed)
    store(engine, second.id, old)
    lines: list[str] = []
    maintain(owner, NOW, dry_run=True, report=lines.append)
    maintain(owner, NOW, report=lines.append)
    what = "5 past events of entities that are more than 181 days older than the newest"
    assert lines[0].startswith(f"Would delete {what}")
    assert lines[1].startswith(f"Deleted {what}")
    left = rows("SELECT tenant_id, since_us, events FROM entity_segments")
    assert sorted((r["tenant_id"], r["since_us"] - NEWEST_US, r["events"]) for r in left) == sorted(
        [
            (first.id, 0, 1),
            *[(first.id, -KEPT_US, 1)] * 5,
            (first.id, -KEPT_US - 1, 2),
            *[(second.id, -KEPT_US - 1, 1)] * 5,
        ]
    )
    frauds = rows(f"SELECT FROM entity_frauds WHERE known_us < {NEWEST_US - KEPT_US}")
    assert len(frauds) == 5, "of the second tenant, whose newest event is as old"
    maintain(owner, NOW, report=lines.append)
    assert "nothing to do" in lines[-1]


def test_events_outside_of_segments_are_deleted_too(
    owner: Engine, engine: Engine, service_engine: Engine, rows: Rows
) -> None:
    cards = CardTenant(engine, an_event_type())
    store(engine, cards.id, [("card", 0)])
    newest = datetime.fromtimestamp(NEWEST_US / 1e6, UTC)
    for days in (182, 180):
        at = (newest - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        DecisionLog(service_engine).write([cards.decided(TX_DATETIME=at)])
    maintain(owner, NOW, report=lambda _line: None)
    (left,) = rows("SELECT time_us FROM entity_events WHERE entity = 'CUSTOMER_ID'")
    assert left["time_us"] == NEWEST_US - 180 * 86_400_000_000


def test_an_upgrade_deletes_no_past_events(
    owner: Engine, engine: Engine, make_tenant: MakeTenant, rows: Rows, database: str
) -> None:
    store(engine, make_tenant().id, [("card-1", -KEPT_US - 1)], [("card-2", 0)])
    migrate.upgrade(database)
    assert len(rows("SELECT FROM entity_segments")) == 2
    maintain(owner, NOW)
    assert len(rows("SELECT FROM entity_segments")) == 1


def test_changes_of_frauds_are_kept_for_a_day(
    owner: Engine, engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    store(engine, make_tenant().id, [("card-1", 0), ("card-2", 0)])
    changes = "SELECT FROM entity_fraud_changes"
    assert len(rows(changes)) == 2
    maintain(owner, NOW)
    assert len(rows(changes)) == 2
    with owner.begin() as connection:
        earlier = "UPDATE entity_fraud_changes SET changed_at = changed_at - interval '25 hours'"
        assert connection.execute(text(earlier)).rowcount == 2
    maintain(owner, NOW)
    assert rows(changes) == []
    assert len(rows("SELECT FROM entity_frauds")) == 2
