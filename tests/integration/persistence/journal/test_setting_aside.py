"""What Postgres does not take is set aside, one file a record, and nothing is lost without room."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.journal import files
from persistence.journal.inspection import folder_states
from persistence.journal.quarantine import try_again
from persistence.journal.records import Key
from scoring.errors import StoreUnavailable
from tests.support.data.journalled import JournalledStore
from tests.support.data.two_tenants import wait_until
from tests.support.factories import a_decision, write_whole
from tests.support.fixture_types import MakeTenant, Rows


def drain(store: JournalledStore) -> None:
    while store.drainer.drain_part():
        pass


def decided_before(store: JournalledStore, tenant_id: int, *external_ids: str) -> list[Decided]:
    """Decide payments in Postgres, and again in the journal, one record each."""
    first = [a_decision(tenant_id, external_id=external_id) for external_id in external_ids]
    assert DecisionLog(store.journal_engine).write(first) == first
    again = [a_decision(tenant_id, external_id=external_id) for external_id in external_ids]
    for decided in again:
        store.log.write([decided])
    return again


def test_a_superseded_batch_is_one_file_that_names_its_decisions(
    store: JournalledStore, make_tenant: MakeTenant, tmp_path: Path
) -> None:
    tenant = make_tenant()
    earlier = [a_decision(tenant.id, external_id=f"order-{i}") for i in range(99)]
    assert DecisionLog(store.journal_engine).write(earlier) == earlier
    batch = [a_decision(tenant.id, external_id=f"order-{i}") for i in range(100)]
    write_whole(store.log, batch)
    (location,) = store.journal.oldest(10)
    drain(store)
    assert store.drainer.outcomes == {"stored": 1, "superseded": 99}
    (path,) = files.quarantined(tmp_path / "0")
    assert path.stat().st_size < 2 * (location.end - location.start)
    document = orjson.loads(path.read_bytes())
    assert document["prediction_ids"] == [str(decided.prediction_id) for decided in batch[:99]]
    assert "external_id 'order-0' and 98 more" in document["reason"]
    assert [state.quarantined for state in folder_states(tmp_path)] == [1]
    (tried,) = try_again(tmp_path, store.drainer.store_record)
    assert tried.fault == "another decision has its external_id"


def test_a_full_quarantine_loses_nothing_and_holds_up_nothing(
    database: str,
    make_tenant: MakeTenant,
    tmp_path: Path,
    rows: Rows,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tenant = make_tenant()
    store = JournalledStore(database, tmp_path, quarantine_bytes=7_000)
    store.circuit.open(StoreUnavailable("away"))
    again = decided_before(store, tenant.id, *(f"order-{i}" for i in range(20)))
    behind = a_decision(tenant.id, external_id="behind")
    store.log.write([behind])
    drain(store)
    taken = files.quarantined(tmp_path / "0")
    assert 0 < len(taken) < 20
    assert files.aside_bytes(tmp_path) <= 7_000
    kept = 20 - len(taken)
    assert store.drainer.outcomes == {"stored": 1, "superseded": len(taken)}
    assert (store.journal.kept, store.journal.waiting) == (kept, kept)
    assert store.journal.oldest_at_s is not None
    assert store.journal.find(Key(tenant.id, "order-19")) is not None
    assert caplog.text.count("stay in the journal: it is full") == 1
    assert len(rows("SELECT id FROM predictions WHERE id = :id", id=behind.prediction_id)) == 1

    moved = {document_id(path) for path in taken}
    while store.journal.kept:
        for path in files.quarantined(tmp_path / "0"):
            moved.add(document_id(path))
            path.unlink()
        store.drainer.try_kept_again()
    moved |= {document_id(path) for path in files.quarantined(tmp_path / "0")}
    store.close()
    assert moved == {str(decided.prediction_id) for decided in again}
    assert store.drainer.outcomes == {"stored": 1, "superseded": 20}
    assert (store.journal.waiting, store.journal.size) == (0, 0)


def document_id(path: Path) -> str:
    (prediction_id,) = orjson.loads(path.read_bytes())["prediction_ids"]
    return str(prediction_id)


def test_a_kept_record_is_set_aside_after_a_restart(
    database: str, make_tenant: MakeTenant, tmp_path: Path
) -> None:
    tenant = make_tenant()
    store = JournalledStore(database, tmp_path, quarantine_bytes=0)
    store.circuit.open(StoreUnavailable("away"))
    decided_before(store, tenant.id, "order-1")
    drain(store)
    assert store.journal.kept == 1
    store.close()
    store = JournalledStore(database, tmp_path)
    drain(store)
    store.close()
    assert store.drainer.outcomes == {"superseded": 1}
    assert len(files.quarantined(tmp_path / "0")) == 1


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_disk_that_takes_no_file_does_not_hold_the_circuit_open(
    store: JournalledStore, make_tenant: MakeTenant, tmp_path: Path, is_refused: bool
) -> None:
    tenant = make_tenant()
    (again,) = decided_before(store, tenant.id, "order-1")
    if is_refused:
        store.log.write([a_decision(tenant.id)._replace(policy_id=999_999)])
    obstacle = tmp_path / "0" / files.QUARANTINE
    obstacle.touch()  # so that no folder can be made there
    store.watcher.start()
    wait_until(lambda: not store.circuit.is_open, 10)
    wait_until(lambda: store.journal.kept == 1 + is_refused, 10)
    (stored,) = store.log.write([a_decision(tenant.id)])
    assert isinstance(stored, Decided)
    assert not stored.is_journalled
    assert store.drainer.outcomes == {}
    obstacle.unlink()
    store.watcher.stop()
    store.drainer.try_kept_again()
    assert not store.log.is_diverted
    assert len(files.quarantined(tmp_path / "0")) == 1 + is_refused
    assert store.drainer.outcomes["superseded"] == 1
    assert document_id(files.quarantined(tmp_path / "0")[0]) == str(again.prediction_id)


def test_a_record_that_the_disk_does_not_give_back_is_stored_once_it_does(
    store: JournalledStore, make_tenant: MakeTenant, tmp_path: Path, rows: Rows
) -> None:
    decided = a_decision(make_tenant().id)
    store.log.write([decided])
    (segment,) = files.segments(tmp_path / "0")
    hidden = segment.rename(tmp_path / "hidden")
    drain(store)
    assert (store.journal.kept, store.journal.waiting) == (1, 1)
    hidden.rename(segment)
    store.drainer.try_kept_again()
    drain(store)
    assert (store.journal.kept, store.drainer.outcomes) == (0, {"stored": 1})
    assert [row["id"] for row in rows("SELECT id FROM predictions")] == [decided.prediction_id]
