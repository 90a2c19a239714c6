"""`sentinel lists`: make lists, fill and empty them, by one value and by file."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from persistence.rules import entries as stored_entries
from persistence.tenants import Tenant
from sentinel.cli.main import main
from sentinel.command_actor import os_user
from sentinel.operations import list_import
from tests.support.data.rules import put_list, put_rule
from tests.support.fixture_types import MakeTenant, Rows

Run = Callable[..., Result]
ENTRIES = "SELECT value, reason, actor, expires_at FROM list_entries WHERE removed_change IS NULL"


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant()


@pytest.fixture
def run(database: str, monkeypatch: pytest.MonkeyPatch, tenant: Tenant) -> Run:
    """A function that runs a command of `sentinel lists` for the tenant."""
    monkeypatch.setenv("DATABASE_URL", database)

    def command(name: str, *arguments: object, slug: str = tenant.slug) -> Result:
        words = ["lists", name, *map(str, arguments), "--tenant", slug]
        return CliRunner().invoke(main, words)

    return command


@pytest.fixture
def blocked(run: Run) -> None:
    """The list `blocked` of accounts, which declines."""
    assert run("create", "blocked", "--entity", "account", "--action", "decline").exit_code == 0


def values(rows: Rows) -> dict[str, str]:
    """Return the reason of each entry in force by its value."""
    return {row["value"]: row["reason"] for row in rows(ENTRIES)}


def test_a_list_is_made_listed_and_dropped(run: Run, rows: Rows) -> None:
    made = run(
        "create", "trusted", "--entity", "account", "--action", "approve", "--field", "nameDest"
    )
    assert (made.exit_code, made.output) == (
        0,
        "List trusted is in force for tenant demo: a payment with a listed account in nameDest is "
        "approved.\n",
    )
    assert run("create", "watched", "--entity", "account").output == (
        "List watched is in force for tenant demo: rules read it with in_list('watched', FIELD).\n"
    )
    listed = [line.rpartition("\t")[0] for line in run("list").output.splitlines()]
    assert listed == [
        f"trusted\taccount\tapprove\tnameDest\t0 entries\t{os_user()}",
        f"watched\taccount\tno action\trules only\t0 entries\t{os_user()}",
    ]
    dropped = run("drop", "trusted")
    assert dropped.output == "List trusted is no longer in force for tenant demo.\n"
    assert [line.split("\t")[0] for line in run("list").output.splitlines()] == ["watched"]
    audited = rows("SELECT actor, via, action FROM audit_log WHERE object = 'lists/trusted'")
    assert [(entry["actor"], entry["via"]) for entry in audited] == [
        (os_user(), "sentinel lists create"),
        (os_user(), "sentinel lists drop"),
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["Blocked", "--entity", "account"], "'Blocked' must be 2 to 40 lower-case letters"),
        (["b", "--entity", "account"], "'b' must be 2 to 40 lower-case letters"),
        (["blocked"], "Missing option '--entity'"),
        (
            ["blocked", "--entity", "card"],
            "entity must be an entity of your event type, of which there are: account.",
        ),
        (["blocked", "--entity", "account", "--action", "review"], "'review' is not one of"),
        (
            ["blocked", "--entity", "account", "--field", "nameDest"],
            "fields are those of a list with an action.",
        ),
        (
            ["blocked", "--entity", "account", "--action", "decline", "--field", "amount"],
            "fields.0 must be a field of the entity account: nameOrig, nameDest.",
        ),
    ],
)
def test_a_list_that_is_not_valid_is_refused_in_a_sentence(
    run: Run, rows: Rows, arguments: list[str], sentence: str
) -> None:
    refused = run("create", *arguments)
    assert refused.exit_code in {1, 2}
    assert sentence in refused.output
    assert rows("SELECT FROM lists") == []


@pytest.mark.usefixtures("blocked")
def test_a_name_is_that_of_one_list(run: Run) -> None:
    again = run("create", "blocked", "--entity", "account")
    assert (again.exit_code, again.output) == (1, "Error: name is the name of another list.\n")


def test_a_list_that_a_rule_reads_is_not_dropped(
    run: Run, service_engine: Engine, tenant: Tenant
) -> None:
    put_list(service_engine, tenant.id, "watched", action=None)
    put_rule(service_engine, tenant.id, condition="in_list('watched', nameOrig)")
    refused = run("drop", "watched")
    assert refused.exit_code == 1
    assert "Rule 1 (large) reads the list watched" in refused.output


@pytest.mark.usefixtures("blocked")
def test_one_value_is_added_shown_and_removed(run: Run) -> None:
    added = run("add", "blocked", "C1", "--reason", "stolen card", "--expires", "2100-01-01")
    assert added.output == "Added 1 entry to blocked; 0 replaced earlier ones.\n"
    again = run("add", "blocked", "C1", "--reason", "two chargebacks")
    assert again.output == "Added 0 entries to blocked; 1 replaced an earlier one.\n"
    run("add", "blocked", "C 2", "--reason", "x", "--expires", "2100-01-01T00:00+02:00")
    newest, oldest = (line.split("\t") for line in run("show", "blocked").output.splitlines())
    assert newest[1:5] == ["C 2", "ends 2099-12-31 22:00:00+0000", "x", os_user()]
    assert oldest[1:5] == ["C1", "stays", "two chargebacks", os_user()]
    assert run("show", "blocked", "--value", "C1").output.split("\t")[1] == "C1"
    absent = run("show", "blocked", "--value", "C9")
    assert (absent.exit_code, absent.output) == (1, "Error: C9 is not in the list blocked.\n")
    removed = run("remove", "blocked", "C1")
    assert removed.output == "Removed 1 entry from blocked; 0 values were not in it.\n"
    assert run("remove", "blocked", "C1").output == (
        "Removed 0 entries from blocked; 1 value was not in it.\n"
    )


@pytest.mark.usefixtures("blocked")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["C1"], "Missing option '--reason'"),
        (["C1", "--reason", ""], "must be 1 to 500 characters"),
        (["C1 ", "--reason", "x"], "'C1 ' must be 1 to 128 visible characters"),
        (["", "--reason", "x"], "'' is missing"),
        (["x" * 300, "--reason", "x"], "must be 1 to 128 visible characters"),
        (["C1", "--reason", "x", "--expires", "soon"], "'soon' is not an ISO 8601 time"),
        (["C1", "--reason", "x", "--expires", "2020-01-01"], "is not later than now"),
        (["blokced.csv", "--reason", "x"], "There is no file blokced.csv."),
    ],
)
def test_a_value_that_is_not_valid_is_refused(
    run: Run, rows: Rows, arguments: list[str], sentence: str
) -> None:
    refused = run("add", "blocked", *arguments)
    assert refused.exit_code == 2
    assert sentence in " ".join(refused.output.split())
    assert values(rows) == {}


@pytest.mark.parametrize("command", ["show", "add", "remove", "drop"])
def test_an_unknown_list_and_an_unknown_tenant_are_named(
    run: Run, tmp_path: Path, command: str
) -> None:
    path = tmp_path / "blocked.csv"
    path.write_text("value,reason\nC1,x\n")
    arguments = [path] if command in {"add", "remove"} else []
    unknown = run(command, "nothing", *arguments)
    assert (unknown.exit_code, unknown.output) == (1, "Error: There is no list 'nothing'.\n")
    assert (
        "There is no tenant 'nobody'" in run(command, "nothing", *arguments, slug="nobody").output
    )


@pytest.mark.usefixtures("blocked")
def test_the_valid_rows_of_a_file_are_one_change_and_the_others_are_rejected(
    run: Run, rows: Rows, tmp_path: Path
) -> None:
    run("add", "blocked", "C1", "--reason", "first")
    path = tmp_path / "blocked.csv"
    path.write_bytes(
        "\ufeffvalue;reason;expires_at\r\n"
        "C1;stolen;2100-01-01T00:00:00Z\r\n"
        "C2;;\r\n"
        ";mule;\r\n"
        "C4;mule;2020-01-01T00:00:00Z\r\n"
        "C5;mule\r\n"
        "\u00fc7;mule;\r\n"
        "C1;the last one counts;\r\n".encode()
    )
    done = run("add", "blocked", path, "--reason", "by hand")
    assert done.exit_code == 1
    assert done.stdout == "Added 2 entries to blocked; 1 replaced an earlier one.\n"
    assert done.stderr == f"Rejected 3 of 7 rows: {path}.rejected.csv.\n"
    assert values(rows) == {"C1": "the last one counts", "C2": "by hand", "\u00fc7": "mule"}
    with (tmp_path / "blocked.csv.rejected.csv").open(newline="") as file:
        rejected = [(r["value"], r["row"], r["line"], r["fault"]) for r in csv.DictReader(file)]
    assert rejected == [
        ("", "3", "4", "value is missing"),
        ("C4", "4", "5", "expires_at must be later than now"),
        ("C5", "5", "6", "has 2 columns, the header has 3"),
    ], "in the order of the file"
    assert len(rows("SELECT FROM rule_changes")) == 3
    vias = rows("SELECT DISTINCT via FROM audit_log WHERE action = 'list_entries.created'")
    assert vias == [{"via": "sentinel lists add"}]


@pytest.mark.usefixtures("blocked")
def test_corrected_rejects_are_added_and_those_of_an_earlier_run_removed(
    run: Run, rows: Rows, tmp_path: Path
) -> None:
    path = tmp_path / "blocked.csv"
    path.write_text("value,reason\nC1,\n")
    assert run("add", "blocked", path).exit_code == 1
    rejects = tmp_path / "blocked.csv.rejected.csv"
    rejects.write_text(rejects.read_text().replace("C1,,", "C1,stolen,"))
    assert run("add", "blocked", rejects).exit_code == 0
    assert values(rows) == {"C1": "stolen"}
    path.write_text("value,reason\nC1,again\n")
    assert run("add", "blocked", path).exit_code == 0
    assert not rejects.exists()


@pytest.mark.usefixtures("blocked")
def test_a_file_of_values_alone_needs_no_header(run: Run, rows: Rows, tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    path.write_text("C1\nC2\n")
    added = run("add", "blocked", path, "--reason", "leaked")
    assert added.output == (
        "accounts has no header: its first line, C1, is a value.\n"
        "Added 2 entries to blocked; 0 replaced earlier ones.\n"
    )
    path.write_text("nameOrig\nC2\nC3\n")
    assert run("remove", "blocked", path).output == (
        "Removed 1 entry from blocked; 1 value was not in it.\n"
    )
    assert values(rows) == {"C1": "leaked"}


@pytest.mark.usefixtures("blocked")
def test_a_file_that_breaks_off_changes_nothing(
    run: Run, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_entries, "PART", 2)
    run("add", "blocked", "C1", "--reason", "first")
    path = tmp_path / "blocked.csv"
    path.write_text("\n".join(["value", *(f"C{i}" for i in range(9)), f'"{"x" * 200_000}"']))
    for command, options in (("add", ["--reason", "x"]), ("remove", [])):
        broken = run(command, "blocked", path, *options)
        assert broken.exit_code == 1
        assert "blocked.csv, line 11: field larger" in broken.output
        assert values(rows) == {"C1": "first"}


@pytest.mark.usefixtures("blocked")
def test_a_file_beyond_the_limit_of_entries_changes_nothing(
    run: Run, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_import, "MAX_ENTRIES", 3)
    path = tmp_path / "blocked.csv"
    path.write_text("value\nC1\nC2\nC3\nC4\n")
    refused = run("add", "blocked", path, "--reason", "x")
    assert "blocked.csv has more than 3 rows; all lists together" in refused.output
    monkeypatch.undo()
    assert values(rows) == {}


@pytest.mark.usefixtures("blocked")
def test_the_whole_limit_is_refused_by_field(
    run: Run, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_entries, "MAX_ENTRIES", 1)
    path = tmp_path / "blocked.csv"
    path.write_text("value\nC1\nC2\n")
    refused = run("add", "blocked", path, "--reason", "x")
    assert refused.output.startswith("Error: entries are too many: all lists together have at mos")
    assert values(rows) == {}


@pytest.mark.usefixtures("blocked")
def test_many_rows_are_added_with_progress_and_shown_page_by_page(
    run: Run, rows: Rows, tmp_path: Path
) -> None:
    path = tmp_path / "blocked.csv"
    path.write_text("\n".join(["value", *(f"C{i}" for i in range(100_001))]) + "\n")
    added = run("add", "blocked", path, "--reason", "leaked")
    assert added.output == (
        "100,000 rows, 0 rejected ...\nAdded 100,001 entries to blocked; 0 replaced earlier ones.\n"
    )
    assert len(rows("SELECT FROM rule_changes")) == 2
    shown = [line.split("\t")[1] for line in run("show", "blocked").output.splitlines()]
    assert sorted(shown) == sorted(f"C{i}" for i in range(100_001))
    removed = run("remove", "blocked", path)
    assert re.search(r"Removed 100,001 entries from blocked; 0 values were", removed.output)
