"""`sentinel journal` against a real database and the folder of a process."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.journal import files
from persistence.journal.journal import Journal
from persistence.journal.records import Encoder, keys_of
from persistence.tenants import list_tenants
from sentinel.cli.main import main
from tests.support.factories import a_decision
from tests.support.fixture_types import MakeTenant, Rows

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MAX_BYTES = 1 << 20


@pytest.fixture
def run(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("SENTINEL_JOURNAL_DIR", str(tmp_path))
    return lambda *arguments: CliRunner().invoke(main, arguments)


def journal_of(root: Path, *decisions: Decided) -> Journal:
    journal = Journal(root, MAX_BYTES)
    journal.claim(keys_of(decisions).items())
    journal.append([Encoder().decision(decided, NOW) for decided in decisions])
    return journal


def test_a_tenants_choice_is_listed_and_in_the_audit_log(
    run: Callable[..., Result], make_tenant: MakeTenant, engine: Engine, rows: Rows
) -> None:
    make_tenant()
    assert "go to the journal" in run("tenants", "journal", "demo", "on").output
    assert run("tenants", "list").output.strip().endswith("journal")
    assert [tenant.journal for tenant in list_tenants(engine)] == [True]
    audited = rows("SELECT action, after FROM audit_log WHERE object = 'tenants/demo' ORDER BY id")
    assert audited[-1]["action"].startswith("tenant.")
    assert audited[-1]["after"]["journal"] is True
    assert "refused" in run("tenants", "journal", "demo", "off").output


def test_what_waits_is_shown_and_drained_once_its_process_has_ended(
    run: Callable[..., Result], make_tenant: MakeTenant, tmp_path: Path, rows: Rows
) -> None:
    tenant = make_tenant()
    journal = journal_of(tmp_path, a_decision(tenant.id, external_id="order-1"))
    (state,) = json.loads(run("journal", "status", "--json").output)
    assert (state["in_use"], state["decisions"], state["quarantined"]) == (True, 1, 0)
    assert state["oldest_at"] == NOW.isoformat()
    assert "is in use" in run("journal", "drain").output
    assert rows("SELECT id FROM predictions") == []
    journal.close()
    drained = run("journal", "drain")
    assert (drained.exit_code, "1 stored" in drained.output) == (0, True)
    assert len(rows("SELECT id FROM predictions")) == 1
    assert "0 decisions wait" in run("journal", "status").output


def test_a_damaged_record_is_named_and_ends_verify_with_1(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    journal = journal_of(tmp_path, *(a_decision(1) for _ in range(3)))
    at = journal.oldest(3)[1]
    journal.close()
    whole = run("journal", "verify")
    assert (whole.exit_code, "3 decisions are whole" in whole.output) == (0, True)
    content = bytearray(at.path.read_bytes())
    content[at.end - 5] ^= 1
    at.path.write_bytes(content)
    damaged = run("journal", "verify")
    assert damaged.exit_code == 1
    assert f"{at.path} bytes {at.start} to {at.end}" in damaged.output
    assert "2 decisions are whole, 1 records are damaged" in damaged.output


def test_a_refused_record_is_stored_once_its_cause_is_gone(
    run: Callable[..., Result], make_tenant: MakeTenant, tmp_path: Path, engine: Engine, rows: Rows
) -> None:
    tenant = make_tenant()
    decided = a_decision(tenant.id)._replace(policy_id=7_000)
    journal_of(tmp_path, decided).close()
    refused = run("journal", "drain")
    assert (refused.exit_code, "1 refused" in refused.output) == (1, True)
    assert len(files.quarantined(tmp_path / "0")) == 1
    assert run("journal", "drain", "--quarantined").exit_code == 1
    (key,) = rows(
        "SELECT conname FROM pg_constraint WHERE contype = 'f' AND conparentid = 0"
        " AND conrelid = 'predictions'::regclass AND confrelid = 'policies'::regclass"
    )
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE predictions DROP CONSTRAINT {key['conname']}")
    assert run("journal", "drain", "--quarantined").exit_code == 0
    assert [row["id"] for row in rows("SELECT id FROM predictions")] == [decided.prediction_id]
    assert files.quarantined(tmp_path / "0") == []


def test_a_record_for_which_the_quarantine_has_no_place_ends_drain_with_1_and_stays(
    run: Callable[..., Result], make_tenant: MakeTenant, tmp_path: Path
) -> None:
    journal_of(tmp_path, a_decision(make_tenant().id)._replace(policy_id=7_000)).close()
    obstacle = tmp_path / "0" / files.QUARANTINE
    obstacle.touch()  # so that no folder can be made there
    kept = run("journal", "drain")
    assert (kept.exit_code, "1 decisions stay in the journal" in kept.output) == (1, True)
    obstacle.unlink()
    refused = run("journal", "drain")
    assert (refused.exit_code, "1 refused" in refused.output) == (1, True)
    assert "1 records are in quarantine" in refused.output
