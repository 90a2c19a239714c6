"""`sentinel labels import`: what it stores, rejects, repeats and reports."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from persistence.decisions.writer import DecisionLog
from persistence.tenants import Tenant
from sentinel.cli.main import main
from sentinel.operations import label_import
from tests.support.data.own_events import CardTenant
from tests.support.data.review import decide, store
from tests.support.event_types import an_event_type
from tests.support.fixture_types import MakeTenant, Rows

HEADER = "external_id,transaction_id,label,source,occurred_at,amount_lost,reversed"
AT = "2026-02-01T10:00:00Z"

Import = Callable[..., Result]


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant()


@pytest.fixture
def import_(database: str, monkeypatch: pytest.MonkeyPatch) -> Import:
    monkeypatch.setenv("DATABASE_URL", database)

    def run(path: Path, tenant: str = "demo") -> Result:
        return CliRunner().invoke(main, ["labels", "import", "--tenant", tenant, str(path)])

    return run


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def test_rows_are_stored_and_the_others_rejected_with_the_reason(
    import_: Import, engine: Engine, tenant: Tenant, rows: Rows, tmp_path: Path
) -> None:
    first, second = (decide(tenant, external_id=f"order-{i}") for i in (1, 2))
    store(engine, first, second)
    path = write(
        tmp_path / "labels.csv",
        f"order-1,,fraud,chargeback,{AT},12.5,",
        f"order-9,,fraud,chargeback,{AT},,",
        "order-1,,fraud,rumour,yesterday,,",
        f",{second.transaction_id},legitimate,customer,{AT},,true",
        f",{second.prediction_id},fraud,customer,{AT},,",
        "order-1,,fraud",
    )
    done = import_(path)
    assert done.exit_code == 1
    assert "Stored 2 labels; 0 were stored before." in done.output
    assert f"Rejected 4 of 6 rows: {path}.rejected.csv." in done.output
    stored = rows(
        "SELECT transaction_id, label, source, amount_lost, reversed FROM labels ORDER BY id"
    )
    assert sorted(tuple(r.values()) for r in stored) == sorted(
        [
            (first.transaction_id, "fraud", "chargeback", 12.5, False),
            (second.transaction_id, "legitimate", "customer", None, True),
        ]
    )
    with (tmp_path / "labels.csv.rejected.csv").open(newline="") as file:
        rejected = {(r["row"], r["line"]): r["reason"] for r in csv.DictReader(file)}
    unknown = "no decision of the tenant has this id"
    assert list(rejected.items()) == [
        (("2", "3"), unknown),
        (
            ("3", "4"),
            "source must be one of chargeback, analyst, customer, rule, import; occurred_at must "
            "be a time such as 2026-01-31T12:00:00Z",
        ),
        (("5", "6"), unknown),
        (("6", "7"), "has 3 columns, the header has 7"),
    ], "in the order of the file"
    (entry,) = rows("SELECT via, object FROM audit_log WHERE action = 'label.created'")
    assert entry == {"via": "sentinel labels import", "object": "labels"}


def test_a_label_that_is_older_than_its_event_is_rejected(
    import_: Import, engine: Engine, service_engine: Engine, rows: Rows, tmp_path: Path
) -> None:
    cards = CardTenant(engine, an_event_type(), "demo")
    payments = [cards.decided(external_id=f"order-{i}") for i in (1, 2)]
    assert DecisionLog(service_engine).write(payments) == payments
    path = write(
        tmp_path / "labels.csv",
        "order-1,,fraud,chargeback,2026-04-01T00:00:00Z,,",
        "order-2,,fraud,chargeback,2026-03-01T00:00:00Z,,",
    )
    done = import_(path)
    assert (done.exit_code, done.stdout) == (1, "Stored 1 label; 0 were stored before.\n")
    with (tmp_path / "labels.csv.rejected.csv").open(newline="") as file:
        (rejected,) = csv.DictReader(file)
    assert (rejected["row"], rejected["reason"]) == (
        "2",
        "occurred_at must not be before the event's own time, 2026-03-31T12:00:00+00:00",
    )
    assert rows("SELECT count(*) FROM labels") == [{"count": 1}]


def test_the_same_file_again_changes_nothing_and_corrected_rejects_are_imported(
    import_: Import, engine: Engine, tenant: Tenant, rows: Rows, tmp_path: Path
) -> None:
    store(engine, decide(tenant, external_id="order-1"), decide(tenant, external_id="order-2"))
    path = write(
        tmp_path / "labels.csv",
        f"order-1,,fraud,chargeback,{AT},,",
        f"order-2,,fraud,rumour,{AT},,",
    )
    assert import_(path).exit_code == 1
    again = import_(path)
    assert "Stored 0 labels; 1 was stored before." in again.output
    rejects = tmp_path / "labels.csv.rejected.csv"
    rejects.write_text(rejects.read_text().replace("rumour", "rule"))
    corrected = import_(rejects)
    assert (corrected.exit_code, corrected.output) == (
        0,
        "Stored 1 label; 0 were stored before.\n",
    )
    assert rows("SELECT count(*) FROM labels") == [{"count": 2}]


def test_an_interrupted_import_continues_where_it_ended(
    import_: Import,
    engine: Engine,
    tenant: Tenant,
    rows: Rows,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = [decide(tenant, external_id=f"order-{i}") for i in range(7)]
    store(engine, *batch)
    monkeypatch.setattr(label_import, "BATCH_ROWS", 3)
    lines = [f"order-{i},,fraud,chargeback,{AT},," for i in range(7)]
    broken = write(tmp_path / "labels.csv", *lines[:6], f'"{"x" * 200_000}"')
    assert "line 8" in import_(broken).output
    assert rows("SELECT count(*) FROM labels") == [{"count": 6}]
    done = import_(write(broken, *lines))
    assert (done.exit_code, done.output) == (0, "Stored 1 label; 6 were stored before.\n")


def test_an_import_without_rejects_removes_the_rejects_of_an_earlier_one(
    import_: Import, engine: Engine, tenant: Tenant, tmp_path: Path
) -> None:
    path = write(tmp_path / "labels.csv", f"order-1,,fraud,chargeback,{AT},,")
    assert import_(path).exit_code == 1
    store(engine, decide(tenant, external_id="order-1"))
    assert import_(path).exit_code == 0
    assert not (tmp_path / "labels.csv.rejected.csv").exists()


def test_events_of_another_tenant_are_rejected(
    import_: Import, engine: Engine, make_tenant: MakeTenant, tmp_path: Path
) -> None:
    make_tenant()
    theirs = decide(make_tenant("other"), external_id="order-1")
    store(engine, theirs)
    path = write(
        tmp_path / "labels.csv",
        f"order-1,,fraud,chargeback,{AT},,",
        f",{theirs.transaction_id},fraud,chargeback,{AT},,",
    )
    assert "Rejected 2 of 2 rows" in import_(path).output


@pytest.mark.parametrize(
    ("name", "tenant_slug", "sentence"),
    [("labels.csv", "nobody", "There is no tenant 'nobody'"), ("none.csv", "demo", "none.csv")],
)
def test_what_is_not_there_is_named(
    import_: Import,
    make_tenant: MakeTenant,
    tmp_path: Path,
    name: str,
    tenant_slug: str,
    sentence: str,
) -> None:
    make_tenant()
    write(tmp_path / "labels.csv")
    done = import_(tmp_path / name, tenant_slug)
    assert done.exit_code in {1, 2}
    assert sentence in done.output
