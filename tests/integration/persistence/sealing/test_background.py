"""Sealing in the background: late rows, one process at a time, and a kill at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from persistence.decisions.writer import DecisionLog
from persistence.monitoring.database_state import read_state
from persistence.sealing import head_exporter
from persistence.sealing import sealer as sealing
from persistence.sealing.errors import SealError, SealingStopped
from persistence.sealing.sealer import Sealer
from persistence.tenants import Tenant
from sentinel.cli.seal import keep_sealing
from tests.support.data.sealed import SealedLog, Tamper
from tests.support.factories import a_decision, decision_at
from tests.support.fixture_types import MakeTenant, Rows


def sealer_of(log: SealedLog) -> Sealer:
    return Sealer(log.engine, log.signer, log.files, lambda _seconds: None)


def test_a_pass_seals_what_is_new_and_a_full_pass_what_came_late(
    engine: Engine, make_tenant: MakeTenant, log: SealedLog
) -> None:
    tenant = make_tenant()
    DecisionLog(engine).write([a_decision(tenant.id)])
    sealer = sealer_of(log)
    assert sealer.run(full=True) > 0
    assert sealer.run(full=False) == 0
    drained = decision_at(a_decision(tenant.id), datetime.now(UTC) - timedelta(hours=3))
    ahead = decision_at(a_decision(tenant.id), datetime.now(UTC) + timedelta(days=1))
    DecisionLog(engine).write([a_decision(tenant.id), drained, ahead])
    assert sealer.run(full=False) == 2
    assert log.verify().waiting == 1
    assert sealer.run(full=True) == 1
    assert sealer.run(full=False) == 0
    assert (log.verify().problems, log.verify().waiting) == ([], 0)


def test_many_rows_are_sealed_page_by_page_with_pauses_between(
    engine: Engine, make_tenant: MakeTenant, log: SealedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = make_tenant()
    DecisionLog(engine).write([a_decision(tenant.id) for _ in range(700)])
    pauses: list[float] = []
    monkeypatch.setattr(sealing, "PAGE_ROWS", 64)
    Sealer(log.engine, log.signer, log.files, pauses.append).run(full=True)
    assert len(pauses) >= 700 // 64
    assert all(seconds > 0 for seconds in pauses)
    verdict = log.verify()
    assert (verdict.problems, verdict.unproven) == ([], 0)
    assert verdict.rows > 700


def test_one_process_seals_at_a_time_and_reports_up_to_when_all_is_sealed(
    engine: Engine, make_tenant: MakeTenant, log: SealedLog, database: str
) -> None:
    tenant = make_tenant()
    DecisionLog(engine).write([a_decision(tenant.id)])
    with psycopg.connect(database) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s, 2)", [0x53E47])
        assert sealer_of(log).run(full=True) is None
        assert "sealing" not in read_state(engine).job_runs
    begun = datetime.now(UTC)
    assert sealer_of(log).run(full=True)
    assert read_state(engine).job_runs["sealing"] >= begun - timedelta(seconds=1)


def test_another_process_goes_on_where_one_ended(
    engine: Engine, make_tenant: MakeTenant, log: SealedLog
) -> None:
    tenant = make_tenant()
    one, another = sealer_of(log), sealer_of(log)
    for sealer in (one, another, one, another):
        DecisionLog(engine).write([a_decision(tenant.id)])
        assert sealer.run(full=False) >= 1
    assert log.seal() == 0
    assert (log.verify().problems, log.verify().waiting) == ([], 0)


def test_old_rows_wait_while_sealing_catches_up_and_are_faults_after_a_pass_over_all(
    engine: Engine,
    make_tenant: MakeTenant,
    log: SealedLog,
    tamper: Tamper,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tenant = make_tenant()
    DecisionLog(engine).write([a_decision(tenant.id) for _ in range(3)])
    tamper("UPDATE predictions SET created_at = created_at - interval '3 hours'")
    with monkeypatch.context() as patch:
        patch.setattr(sealing, "PAGE_ROWS", 1)
        patch.setattr(head_exporter, "HEAD_S", 0.0)
        pauses = iter([False] * 3)
        stopped = Sealer(log.engine, log.signer, log.files, lambda _seconds: next(pauses, True))
        with pytest.raises(SealingStopped):
            stopped.run(full=True)
    verdict = log.verify()
    assert (verdict.problems, verdict.unproven, verdict.waiting > 0) == ([], 0, True)

    log.seal()
    passed_over = a_decision(tenant.id)
    DecisionLog(engine).write([passed_over])
    tamper(
        "UPDATE predictions SET created_at = created_at - interval '3 hours' WHERE id = %s",
        passed_over.prediction_id,
    )
    (problem,) = log.verify().problems
    assert problem.row == f"decision {passed_over.prediction_id}"
    assert problem.what.startswith("has no leaf (1 such)")


def test_a_pass_over_all_rows_holds_up_no_new_one(
    engine: Engine, make_tenant: MakeTenant, log: SealedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = make_tenant()
    DecisionLog(engine).write([a_decision(tenant.id) for _ in range(5)])
    log.seal()
    monkeypatch.setattr(head_exporter, "HEAD_S", 0.0)
    monkeypatch.setattr(sealing, "EVERY_S", 0.0)
    monkeypatch.setattr(sealing, "PAGE_ROWS", 1)
    sizes: list[int] = []

    def pause(_seconds: float) -> None:
        sizes.append(log.files.newest(tenant.slug))
        if len(sizes) <= 2:
            DecisionLog(engine).write([a_decision(tenant.id)])

    before = log.files.newest(tenant.slug)
    assert Sealer(log.engine, log.signer, log.files, pause).run(full=True) == 2
    # A head has each decision at the page after the one in which it was stored.
    assert sizes[:3] == [before, before + 1, before + 2]
    assert (log.verify().problems, log.verify().waiting) == ([], 0)


def test_a_log_that_cannot_be_continued_is_tried_again_later_and_holds_up_no_other(
    engine: Engine,
    make_tenant: MakeTenant,
    log: SealedLog,
    tamper: Tamper,
    rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, broken = make_tenant(), make_tenant("broken")
    DecisionLog(engine).write([a_decision(tenant.id) for tenant in (whole, broken)])
    log.seal()
    tamper("UPDATE seal_leaves SET commitment = '' WHERE tenant_id = %s", broken.id)
    heads = len(log.files.sizes(whole.slug))
    passes: list[int] = []

    def sealed(tenant: Tenant) -> int:
        statement = "SELECT count(*) AS n FROM seal_leaves WHERE tenant_id = :t"
        return int(rows(statement, t=tenant.id)[0]["n"])

    def pause(_seconds: float) -> bool:
        passes.append(sealed(whole))
        DecisionLog(engine).write([a_decision(tenant.id) for tenant in (whole, broken)])
        return len(passes) == 4

    before = sealed(broken)
    keep_sealing(sealer_of(log), pause)
    assert [passes[i + 1] - passes[i] for i in range(3)] == [1, 1, 1]
    # Only the first pass is a full one, which exports a head at once: nothing was new in it.
    assert len(log.files.sizes(whole.slug)) == heads
    assert sealed(broken) == before

    sealer = sealer_of(log)
    with pytest.raises(SealError, match="'broken' differs"):
        sealer.run(full=True)
    tamper("DELETE FROM seal_leaves WHERE tenant_id = %s", broken.id)
    tamper("DELETE FROM seal_heads WHERE tenant_id = %s", broken.id)
    for path in (log.files.root / "broken").iterdir():
        path.unlink()
    with pytest.raises(SealError, match="'broken' differs"):
        sealer.run(full=True)
    later = time.monotonic() + sealing.RETRY_S
    monkeypatch.setattr(sealing.time, "monotonic", lambda: later)
    assert sealer.run(full=False)
    assert log.verify("broken").problems == []


def test_a_kill_at_any_moment_leaves_a_log_that_goes_on(
    engine: Engine,
    make_tenant: MakeTenant,
    log: SealedLog,
    database: str,
    tmp_path: Path,
    rows: Rows,
) -> None:
    tenant = make_tenant()
    key = tmp_path / "seal.key"
    key.write_text(log.kept_key)
    environment = os.environ | {
        "DATABASE_URL": database,
        "SENTINEL_SEAL_KEY": str(key),
        "SENTINEL_SEAL_HEADS": str(log.files.root),
    }
    command = [sys.executable, "-m", "sentinel", "seal", "run"]
    written = 0
    for further_s in (0.0, 0.05):
        DecisionLog(engine).write([a_decision(tenant.id) for _ in range(3000)])
        written += 3000
        process = subprocess.Popen(command, env=environment)
        until = time.monotonic() + 60
        sealed = "SELECT count(*) AS n FROM seal_leaves WHERE kind = 'decision'"
        while rows(sealed)[0]["n"] <= written - 3000 and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(further_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert rows(sealed)[0]["n"] > written - 3000
    log.seal()
    verdict = log.verify()
    assert (verdict.problems, verdict.waiting) == ([], 0)
    assert rows(sealed)[0]["n"] == written
