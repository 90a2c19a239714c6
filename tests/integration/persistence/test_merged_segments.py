"""Imports in parts leave small segments, which the last one merges."""

from __future__ import annotations

from itertools import count

import pytest
from sqlalchemy import Engine

from persistence.history import folding
from persistence.history.folding import MERGE_FROM, SMALL_EVENTS, merge_small_segments
from persistence.history.reader import EntitySpan, read_history
from persistence.history.writer import PastEvent, import_history
from persistence.tenancy import SERVICE
from scoring.windows.records import event_ids
from tests.support.fixture_types import MakeTenant, Rows

HOUR_US = 3_600_000_000


def import_parts(
    engine: Engine, tenant_id: int, keys: list[str], parts: int, events: int = 1
) -> None:
    """Import a number of parts, each with some events of each entity."""
    ids = count(1)
    for part in range(parts):
        batch = [
            PastEvent("CARD", key, part * HOUR_US + i, next(ids).to_bytes(16), b"\x80", None)
            for key in keys
            for i in range(events)
        ]
        import_history(engine, tenant_id, [batch], SERVICE)


def test_an_import_merges_the_small_segments_of_earlier_ones(
    engine: Engine, make_tenant: MakeTenant, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "_PAGE", 2)
    tenant = make_tenant()
    keys = [f"card-{i}" for i in range(5)]
    import_parts(engine, tenant.id, keys, MERGE_FROM)
    segments = rows("SELECT key, since_us, until_us, events FROM entity_segments ORDER BY key")
    last_us = (MERGE_FROM - 1) * HOUR_US
    assert [tuple(row.values()) for row in segments] == [
        (key, 0, last_us, MERGE_FROM) for key in keys
    ]
    spans = [EntitySpan("CARD", key, 0, 2**62) for key in keys]
    past = read_history(engine, tenant.id, spans, with_frauds=False).entities
    found = [event_ids(one.records, one.events) for one in past]
    assert [len(ids) for ids in found] == [MERGE_FROM] * len(keys)
    assert frozenset[bytes]().union(*found) == {
        number.to_bytes(16) for number in range(1, MERGE_FROM * len(keys) + 1)
    }


def test_few_and_large_segments_and_other_tenants_stay(
    engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    few, large, other = make_tenant("few"), make_tenant("large"), make_tenant("other")
    import_parts(engine, few.id, ["card"], MERGE_FROM - 1)
    import_parts(engine, large.id, ["card"], MERGE_FROM, events=SMALL_EVENTS)
    before = rows("SELECT * FROM entity_segments ORDER BY id")
    assert len(before) == 2 * MERGE_FROM - 1
    for tenant in (few, large, other):
        merge_small_segments(engine, tenant.id)
    assert rows("SELECT * FROM entity_segments ORDER BY id") == before
