"""`sentinel history import`: what it stores, rejects, repeats and leaves out."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from persistence.event_types import apply_event_type
from persistence.history.writer import StoredPast
from persistence.tenancy import SERVICE, tenant_transaction
from persistence.tenants import Tenant
from sentinel.cli.main import main
from sentinel.operations.history_import import import_events
from tests.support.data.past_events import past_of
from tests.support.event_types import an_event_type
from tests.support.fixture_types import MakeTenant, Rows

HEADER = "TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,CHANNEL,TX_FRAUD"
FIRST = "2018-04-01T00:00:31,596,3156,57.16,,0"
SECOND = r"2018-04-02T00:00:00,59\6,3156,1,web,1"
BAD = "2018-04-02T00:00:00,596,3156,much,tv,1"
DAY_US = 86_400_000_000
FIRST_US = 1_522_540_831_000_000
SECOND_US = 1_522_627_200_000_000

Import = Callable[..., Result]


@pytest.fixture
def tenant(engine: Engine, make_tenant: MakeTenant) -> Tenant:
    made = make_tenant()
    with tenant_transaction(engine, made.id) as connection:
        apply_event_type(connection, made.id, an_event_type(), SERVICE)
    return made


@pytest.fixture
def import_(database: str, monkeypatch: pytest.MonkeyPatch) -> Import:
    monkeypatch.setenv("DATABASE_URL", database)

    def run(path: Path, *options: str, tenant: str = "demo") -> Result:
        return CliRunner().invoke(
            main, ["history", "import", "--tenant", tenant, str(path), *options]
        )

    return run


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def test_each_entity_gets_the_event_and_its_label_after_the_delay(
    import_: Import, tenant: Tenant, service_engine: Engine, tmp_path: Path
) -> None:
    done = import_(write(tmp_path / "p.csv", FIRST, SECOND), "--label-delay", "3d")
    assert done.exit_code == 0, done.output
    assert "Imported 2 events, 1 of them fraud." in done.output
    assert (
        "That makes 4 past events of CUSTOMER_ID, TERMINAL_ID: 4 new, 0 stored before."
        in done.output
    )
    terminal = past_of(service_engine, tenant.id, "TERMINAL_ID", "3156")
    customer = past_of(service_engine, tenant.id, "CUSTOMER_ID", r"59\6")
    assert [(e.fields["TX_DATETIME"], e.fraud_known_us) for e in terminal] == [
        (FIRST_US, None),
        (SECOND_US, SECOND_US + 3 * DAY_US),
    ]
    fields: dict[str, Any] = {
        "TX_DATETIME": SECOND_US, "CUSTOMER_ID": r"59\6", "TERMINAL_ID": "3156",
        "TX_AMOUNT": 1.0, "CHANNEL": "web",
    }  # fmt: skip
    assert [event.fields for event in customer] == [fields]


@pytest.mark.usefixtures("tenant")
def test_the_same_file_again_adds_nothing_and_a_longer_one_what_is_new(
    import_: Import, rows: Rows, tmp_path: Path
) -> None:
    import_(write(tmp_path / "p.csv", FIRST))
    again = import_(write(tmp_path / "q.csv", FIRST, SECOND))
    assert "4 past events of CUSTOMER_ID, TERMINAL_ID: 2 new, 2 stored before." in again.output
    assert rows("SELECT sum(events) FROM entity_segments") == [{"sum": 4}]


def frauds(engine: Engine, tenant: Tenant) -> dict[float, float | None]:
    """Days after which each event, by its amount, became known as a fraud to each entity."""
    found: dict[float, set[float | None]] = {}
    for entity, key in (("TERMINAL_ID", "3156"), ("CUSTOMER_ID", "596")):
        for event in past_of(engine, tenant.id, entity, key):
            us = event.fraud_known_us
            after = None if us is None else (us - event.fields["TX_DATETIME"]) / DAY_US
            found.setdefault(event.fields["TX_AMOUNT"], set()).add(after)
    assert all(len(moments) == 1 for moments in found.values()), "its entities agree"
    return {amount: next(iter(moments)) for amount, moments in found.items()}


def labelled(path: Path, *labels: str) -> Path:
    """A file of events that differ by their amounts and labels."""
    start = "2018-04-01T00:00"
    return write(path, *(f"{start}:{i:02},596,3156,{i},web,{x}" for i, x in enumerate(labels)))


def test_a_repeated_import_brings_new_labels_of_events_that_are_stored(
    import_: Import, tenant: Tenant, service_engine: Engine, rows: Rows, tmp_path: Path
) -> None:
    path = tmp_path / "p.csv"
    first = import_(labelled(path, "0", "1", "1", "1", "0"))
    assert "Of those" not in first.output
    assert frauds(service_engine, tenant) == {0: None, 1: 7, 2: 7, 3: 7, 4: None}

    # Found out, withdrawn, the same, without a label, and one that is new.
    again = import_(labelled(path, "1", "0", "1", "", "0", "1"))
    assert "12 past events of CUSTOMER_ID, TERMINAL_ID: 2 new, 10 stored before." in again.output
    assert "Of those stored before, 2 are frauds now, 2 are no frauds any more.\n" in again.output
    assert frauds(service_engine, tenant) == {0: 7, 1: None, 2: 7, 3: 7, 4: None, 5: 7}
    assert rows("SELECT sum(events) FROM entity_segments") == [{"sum": 12}]

    third = import_(labelled(path, "1", "0", "1", "", "0", "1"))
    assert "0 new, 12 stored before.\n" in third.output
    assert "Of those" not in third.output


def test_labels_that_a_repeated_import_leaves_out_stay(
    import_: Import, tenant: Tenant, service_engine: Engine, tmp_path: Path
) -> None:
    path = labelled(tmp_path / "p.csv", "0", "1")
    import_(path)
    lines = path.read_text().replace(",TX_FRAUD", "").replace("web,0", "web").replace("b,1", "b")
    path.write_text(lines)
    assert "Of those" not in import_(path).output
    assert frauds(service_engine, tenant) == {0: None, 1: 7}


def test_a_repeated_import_with_another_delay_moves_the_frauds(
    import_: Import, tenant: Tenant, service_engine: Engine, tmp_path: Path
) -> None:
    path = labelled(tmp_path / "p.csv", "0", "1")
    import_(path)
    moved = import_(path, "--label-delay", "30d")
    assert "Of those stored before, 2 became known as frauds at another time." in moved.output
    assert frauds(service_engine, tenant) == {0: None, 1: 30}


def test_a_corrected_file_leaves_what_it_would_have_left_at_first(
    import_: Import,
    tenant: Tenant,
    engine: Engine,
    make_tenant: MakeTenant,
    service_engine: Engine,
    tmp_path: Path,
) -> None:
    corrected = ("0", "1", "1", "0")
    fresh = make_tenant("fresh")
    with tenant_transaction(engine, fresh.id) as connection:
        apply_event_type(connection, fresh.id, an_event_type(), SERVICE)
    import_(labelled(tmp_path / "p.csv", "1", "0", "1", ""))
    for slug in ("demo", "fresh"):
        import_(labelled(tmp_path / "p.csv", *corrected), tenant=slug)
    assert frauds(service_engine, tenant) == frauds(service_engine, fresh)


def test_another_tenants_frauds_stay(
    import_: Import,
    tenant: Tenant,
    engine: Engine,
    make_tenant: MakeTenant,
    service_engine: Engine,
    tmp_path: Path,
) -> None:
    other = make_tenant("other")
    with tenant_transaction(engine, other.id) as connection:
        apply_event_type(connection, other.id, an_event_type(), SERVICE)
    for slug in ("demo", "other"):
        import_(labelled(tmp_path / "p.csv", "1"), tenant=slug)
    import_(labelled(tmp_path / "p.csv", "0"))
    assert frauds(service_engine, tenant) == {0: None}
    assert frauds(service_engine, other) == {0: 7}


@pytest.mark.usefixtures("tenant")
def test_bad_rows_are_written_with_reason_and_line_and_can_be_corrected(
    import_: Import, rows: Rows, tmp_path: Path
) -> None:
    path = write(tmp_path / "p.csv", FIRST, BAD)
    done = import_(path)
    assert done.exit_code == 1
    assert f"Rejected 1 of 2 rows: {path}.rejected.csv." in done.output
    rejected = tmp_path / "p.csv.rejected.csv"
    with rejected.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["row"], row["line"]) == ("2", "3")
    assert row["reason"] == (
        "TX_AMOUNT must be a finite number from 0 to 1000000, not 'much'. CHANNEL must be one of "
        "pos, web, atm, not 'tv'."
    )
    rejected.write_text(rejected.read_text().replace("much,tv", "12,web", 1))
    assert import_(rejected).exit_code == 0
    assert import_(write(path, FIRST)).exit_code == 0
    assert not rejected.exists()
    assert rows("SELECT sum(events) FROM entity_segments") == [{"sum": 4}]


@pytest.mark.usefixtures("tenant")
def test_events_from_a_time_on_are_left_out(import_: Import, rows: Rows, tmp_path: Path) -> None:
    done = import_(write(tmp_path / "p.csv", FIRST, SECOND), "--until", "2018-04-02")
    assert "Imported 1 event, 0 of them fraud; left out 1 later event." in done.output
    assert rows("SELECT DISTINCT until_us FROM entity_segments") == [{"until_us": FIRST_US}]


@pytest.mark.usefixtures("tenant")
def test_the_history_is_the_tenants_own(
    import_: Import, make_tenant: MakeTenant, service_engine: Engine, tmp_path: Path
) -> None:
    other = make_tenant("other")
    import_(write(tmp_path / "p.csv", FIRST))
    assert past_of(service_engine, other.id, "TERMINAL_ID", "3156") == []


@pytest.mark.usefixtures("tenant")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--label-delay", "a week"), "'a week' is not a duration such as 7d"),
        (("--label-delay", "-1d"), "'-1d' is not a duration such as 7d"),
        (("--until", "soon"), "'soon' is not an ISO 8601 time"),
    ],
)
def test_an_option_that_cannot_be_read_is_refused(
    import_: Import, tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    done = import_(write(tmp_path / "p.csv", FIRST), *options)
    assert done.exit_code == 2
    assert sentence in done.output


def test_a_tenant_of_paysims_transactions_is_told_to_apply_an_event_type(
    import_: Import, make_tenant: MakeTenant, tmp_path: Path
) -> None:
    make_tenant("paysim")
    done = import_(write(tmp_path / "p.csv", FIRST), tenant="paysim")
    assert done.exit_code == 1
    assert "has no event type of its own" in done.output


def test_the_services_own_role_suffices(
    tenant: Tenant, service_engine: Engine, tmp_path: Path
) -> None:
    path = write(tmp_path / "p.csv", FIRST, SECOND)
    done = import_events(service_engine, tenant, path, SERVICE, label_delay_us=DAY_US)
    assert (done.entries, done.stored) == (4, StoredPast(new=4))
    assert len(past_of(service_engine, tenant.id, "TERMINAL_ID", "3156")) == 2
    path = write(path, FIRST.removesuffix("0") + "1", SECOND)
    again = import_events(service_engine, tenant, path, SERVICE, label_delay_us=DAY_US)
    assert again.stored == StoredPast(new_frauds=2)
