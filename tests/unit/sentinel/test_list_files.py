"""Files of entries: which columns and values they may have, and what is wrong otherwise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scoring.lists.entry_rows import (
    BadEntry,
    EntryDefaults,
    NewEntry,
    parse_entry,
    parse_value,
    reason_fault,
)
from scoring.tables.csv_rows import TableFileError
from sentinel.operations.list_files import read_rows
from sentinel.operations.list_import import fault_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 4, 1, tzinfo=UTC)
NAMES = ("account", "nameOrig")
DEFAULTS = EntryDefaults("chargebacks", LATER)

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A factory of files."""

    def make(content: str | bytes, name: str = "blocked.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


def entries(path: Path, defaults: EntryDefaults = DEFAULTS) -> list[NewEntry]:
    rows = read_rows(path, NAMES, needs_reason=defaults.reason is None, note=lambda _sentence: None)
    return [parse_entry(row.cells, defaults, NOW) for row in rows]


def values(path: Path) -> tuple[list[str], list[str]]:
    """Return the values of a file, and what was noted about its first line."""
    notes: list[str] = []
    rows = read_rows(path, NAMES, needs_reason=False, note=notes.append)
    return [parse_value(row.cells) for row in rows], notes


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_is_read_as_spreadsheets_write_it(
    write: Write, separator: str, end: str, mark: str
) -> None:
    lines = ["expires_at|note|value|reason", "2026-05-01T00:00:00+02:00|x|C1|stolen", "||C2|"]
    path = write(mark + end.join(lines).replace("|", separator) + end)
    assert entries(path) == [
        NewEntry("C1", "stolen", datetime(2026, 4, 30, 22, tzinfo=UTC)),
        NewEntry("C2", "chargebacks", LATER),
    ]


@pytest.mark.parametrize("header", ["value", "account", "nameOrig", "NAMEORIG", '" value "'])
def test_the_only_column_has_a_known_name_and_nothing_is_noted(write: Write, header: str) -> None:
    assert values(write(f"{header}\nC1\nC2\n")) == (["C1", "C2"], [])


def test_words_above_other_cells_are_the_name_of_the_only_column(write: Write) -> None:
    note = "Took the first line of blocked.csv, blocked accounts, for the column's name."
    assert values(write("blocked accounts\nC1\n")) == (["C1"], [note])


@pytest.mark.parametrize(
    ("lines", "first"), [(["C1", "C2"], "C1"), (["alice", "bob"], "alice"), (["7"], "7")]
)
def test_a_file_without_a_header_loses_no_value(write: Write, lines: list[str], first: str) -> None:
    note = f"blocked.csv has no header: its first line, {first}, is a value."
    assert values(write("\n".join(lines))) == (lines, [note])


def test_a_value_without_a_header_is_on_its_own_line(write: Write) -> None:
    path = write("\n\nC1\n\nC2\n")
    rows = read_rows(path, NAMES, needs_reason=False, note=lambda _sentence: None)
    assert [(row.number, row.line) for row in rows] == [(1, 3), (2, 5)]


def test_parquet_has_texts_whole_numbers_and_times(write: Write) -> None:
    path = write(b"", "blocked.parquet")
    at = datetime(2026, 5, 1, 9, 30, 0, 123456, tzinfo=UTC)
    columns = {
        "value": pa.array([b"C1", b"C2"]),
        "reason": pa.array(["stolen", None]).dictionary_encode(),
        "expires_at": pa.array([at, None], pa.timestamp("ns", "Europe/Berlin")),
    }
    pq.write_table(pa.table(columns), path)
    assert entries(path) == [NewEntry("C1", "stolen", at), NewEntry("C2", "chargebacks", LATER)]
    pq.write_table(pa.table({"anything": [596, 7]}), path)
    assert values(path) == (["596", "7"], [])


def parsed(*cells: Any, defaults: EntryDefaults = DEFAULTS) -> NewEntry:
    return parse_entry([*cells, *[None] * (3 - len(cells))], defaults, NOW)


@pytest.mark.parametrize("word", ["", " ", "NA", "N/A", "null", "-"])
def test_a_missing_word_is_no_reason_no_time_and_no_value(word: str) -> None:
    assert parsed("C1", word, word) == NewEntry("C1", "chargebacks", LATER)
    with pytest.raises(BadEntry, match=r"^value is missing$"):
        parsed(word)


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        (["x" * 129], "value must be 1 to 128 visible characters"),
        (["a\0b"], "value must be"),
        (["a\u200bb"], "value must be"),
        (["a\nb"], "value must be"),
        (["\udce9"], "value must be"),
        ([b"\xe9"], "value must be"),
        ([7.0], "value must be .* or a whole number"),
        ([Decimal(7)], "value must be"),
        ([True], "value must be"),
        ([2**53], "value must be"),
        ([date(2026, 1, 1)], "value must be"),
        (["C1", "x" * 501], "reason must be 1 to 500 characters"),
        (["C1", "a\0b"], "reason must be"),
        (["C1", "\udce9"], "reason must be"),
        (["C1", "", "soon"], "expires_at must be a time such as"),
        (["C1", "", "31.12.2026"], "expires_at must be a time such as"),
        (["C1", "", "2026-12-31"], "expires_at must have an offset"),
        (["C1", "", date(2026, 12, 31)], "expires_at must have an offset"),
        (["C1", "", datetime(2026, 12, 31)], "expires_at must have an offset"),
        (["C1", "", NOW], "expires_at must be later than now"),
        (["C1", "", "9999-12-31T23:59:59-14:00"], "expires_at must be a time such as"),
    ],
)
def test_a_row_that_is_not_valid_names_its_column(cells: list[Any], fault: str) -> None:
    with pytest.raises(BadEntry, match=f"^{fault}"):
        parsed(*cells)


def test_a_row_names_each_of_its_faults() -> None:
    with pytest.raises(BadEntry) as refused:
        parsed("", "", "soon", defaults=EntryDefaults())
    assert fault_of(refused.value) == (
        "value is missing; reason is missing; --reason gives one to the rows without; expires_at "
        "must be a time such as 2026-01-31T12:00:00Z"
    )
    assert [column for column, _ in refused.value.faults] == ["value", "reason", "expires_at"]


def test_a_time_is_kept_in_utc() -> None:
    at = datetime(2026, 5, 1, tzinfo=timezone(timedelta(hours=-3)))
    assert parsed("C1", "", at).expires_at == at
    assert str(parsed("C1", "", at).expires_at) == "2026-05-01 03:00:00+00:00"


def test_a_reason_may_have_lines() -> None:
    assert reason_fault("first\nsecond\u00a0one") is None
    assert reason_fault("") is not None


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "is empty"),
        ("\ufeff\n\n", "is empty"),
        (",,\nC1,,\n", "is empty"),
        ("account,note\nC1,x\n", "lacks the column value; its columns are account, note"),
        ("account;note\nC1;x\n", "lacks the column value; its columns are account;note"),
        ("account|note\nC1|x\n", r"lacks the column value; .* Separate the cells by commas"),
        ("reason\nstolen\n", "lacks the column value"),
        ("value,value\nC1,C2\n", "has the column value twice"),
        (f'value\n"{"x" * 200_000}"\n', "line 2: field larger"),
        (b"PK\x03\x04xlsx", "is a zip archive or an Excel workbook; save the table as CSV"),
        (b"\xff\xfev\0a\0", "is text in UTF-16; save it as UTF-8"),
        (b"\xfe\xff\0v\0a", "is text in UTF-16; save it as UTF-8"),
        (b"\x1f\x8b\x08", "is compressed; decompress it first"),
        (b"PAR1", "is a Parquet file; give it a name that ends in .parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(
    write: Write, content: str | bytes, fault: str
) -> None:
    with pytest.raises(TableFileError, match=rf"^blocked\.csv.*{fault}"):
        entries(write(content))


def test_a_file_without_reasons_needs_one_for_all(write: Write) -> None:
    path = write("value\nC1\n")
    with pytest.raises(TableFileError, match="lacks the column reason; give --reason"):
        entries(path, EntryDefaults())
    assert entries(path, EntryDefaults("stolen")) == [NewEntry("C1", "stolen")]


@pytest.mark.parametrize("content", ["value\nC1\n", ""])
def test_a_file_that_is_no_parquet_is_named(write: Write, content: str) -> None:
    with pytest.raises(TableFileError, match=r"^blocked\.parquet cannot be read"):
        entries(write(content, "blocked.parquet"))
