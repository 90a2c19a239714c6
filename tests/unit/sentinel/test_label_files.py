"""Files of labels: which columns and values a row may have, and what is wrong with it otherwise."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from persistence.labels.writer import NewLabel
from scoring.tables.csv_rows import TableFileError
from sentinel.operations.label_files import read_rows
from sentinel.operations.label_rows import COLUMNS, BadRow, parse_row

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GOOD = {
    "external_id": "order-1",
    "label": "fraud",
    "source": "chargeback",
    "occurred_at": "2026-02-01T10:00:00+01:00",
}
HEADER = "external_id,label,source,occurred_at"


def parsed(**changes: Any) -> NewLabel:
    row = GOOD | changes
    return parse_row([row.get(name) for name in COLUMNS], NOW)


def rows_of(path: Path) -> list[NewLabel]:
    return [parse_row(row.cells, NOW) for row in read_rows(path)]


def test_a_row_is_read_with_the_values_that_may_be_missing() -> None:
    assert parsed() == NewLabel(
        "order-1", None, "fraud", "chargeback", datetime(2026, 2, 1, 9, tzinfo=UTC), None, False
    )
    by_id = parsed(
        external_id=" ",
        transaction_id="01a20954-307f-76ad-bbfb-c426daea33c6",
        label=" legitimate ",
        amount_lost="12.50",
        reversed="True",
    )
    assert by_id.external_id is None
    assert by_id.transaction_id == UUID("01a20954-307f-76ad-bbfb-c426daea33c6")
    assert (by_id.label, by_id.amount_lost, by_id.reversed) == ("legitimate", 12.5, True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"external_id": ""}, "one of the two"),
        ({"transaction_id": "01a20954-307f-76ad-bbfb-c426daea33c6"}, "one of the two"),
        ({"external_id": "a b"}, "external_id must be"),
        ({"external_id": "a\0"}, "external_id must be"),
        ({"external_id": "\udce9"}, "external_id must be"),
        ({"external_id": "", "transaction_id": "7"}, "transaction_id must be a UUID"),
        ({"label": "escalated"}, "label must be fraud or legitimate"),
        ({"label": "Fraud"}, "label must be"),
        ({"source": "rumour"}, "source must be one of chargeback, analyst"),
        ({"occurred_at": ""}, "occurred_at must be a time"),
        ({"occurred_at": "1.2.2026"}, "occurred_at must be a time"),
        ({"occurred_at": "2026-02-01T10:00:00"}, "occurred_at must have an offset"),
        ({"occurred_at": datetime(2026, 2, 1)}, "occurred_at must have an offset"),
        ({"occurred_at": "1969-12-31T23:59:59Z"}, "occurred_at must not be before 1970"),
        ({"occurred_at": NOW + timedelta(minutes=6)}, "occurred_at must not be in the future"),
        ({"amount_lost": "-1"}, "amount_lost must be from 0"),
        ({"external_id": "NA", "transaction_id": "null"}, "one of the two"),
        ({"label": "NA"}, "label must be"),
        ({"occurred_at": "NA"}, "occurred_at must be a time"),
        ({"amount_lost": "inf"}, "amount_lost must be from 0"),
        ({"amount_lost": "1,5"}, "amount_lost must be a number"),
        ({"amount_lost": "1_000"}, "amount_lost must be a number"),
        ({"reversed": "maybe"}, "reversed must be"),
    ],
)
def test_a_row_that_is_not_valid_names_its_column(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRow, match=reason):
        parsed(**changes)


@pytest.mark.parametrize("word", ["", " ", "NA", "N/A", "nan", "NULL", "?", "-"])
def test_a_cell_that_may_be_missing_is_missing_in_any_word_for_it(word: str) -> None:
    assert parsed(transaction_id=word, amount_lost=word, reversed=word) == parsed()


def test_a_row_names_each_of_its_faults() -> None:
    with pytest.raises(BadRow) as refused:
        parsed(external_id="", label="Fraud", occurred_at="soon", amount_lost="1,5", reversed="x")
    assert str(refused.value) == (
        "must have external_id or transaction_id, one of the two; label must be fraud or "
        "legitimate; occurred_at must be a time such as 2026-01-31T12:00:00Z; amount_lost must be "
        "a number, with a point and without separators; reversed must be true, false or empty"
    )


def test_a_clock_may_be_some_minutes_ahead() -> None:
    assert parsed(occurred_at=NOW + timedelta(minutes=5)).occurred_at > NOW


def test_csv_has_its_columns_in_any_order_and_others_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(
        "\ufeffnote,source, occurred_at,label,external_id\n\n"
        'won,customer,2026-02-01T10:00:00Z,fraud,"a,1"\n'
    )
    (label,) = rows_of(path)
    assert (label.external_id, label.source) == ("a,1", "customer")


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv_may_have_semicolons_or_tabs_and_any_line_ends(
    tmp_path: Path, separator: str, end: str
) -> None:
    path = tmp_path / "labels.csv"
    lines = [HEADER, "a,fraud,rule,2026-02-01T10:00:00Z"]
    path.write_bytes(end.join(line.replace(",", separator) for line in lines).encode("utf-8-sig"))
    (label,) = rows_of(path)
    assert (label.external_id, label.label, label.source) == ("a", "fraud", "rule")


def test_a_row_of_another_length_is_a_fault_of_that_row_alone(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(f"{HEADER}\na,fraud\nb,fraud,rule,2026-02-01T10:00:00Z\n")
    short, good = read_rows(path)
    assert (short.number, short.fault) == (1, "has 2 columns, the header has 4")
    assert (good.number, good.fault) == (2, None)
    assert len(short.cells) == len(good.cells) == len(COLUMNS)


def test_a_row_has_the_line_on_which_it_begins_in_an_editor(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    row = "fraud,rule,2026-02-01T10:00:00Z"
    path.write_text(f'{HEADER},note\n\na,{row},"two\nlines"\nb,{row},\n')
    assert [(found.number, found.line) for found in read_rows(path)] == [(1, 3), (2, 5)]


def test_parquet_has_times_numbers_and_booleans(tmp_path: Path) -> None:
    path = tmp_path / "labels.PARQUET"
    at = datetime(2026, 2, 1, 9, 30, 0, 123456, tzinfo=UTC)
    table = pa.table(
        {
            "external_id": ["a", "b"],
            "label": pa.array(["fraud", "legitimate"]).dictionary_encode(),
            "source": ["chargeback", "import"],
            "occurred_at": pa.array([at, at], pa.timestamp("ns", "Europe/Berlin")),
            "amount_lost": [12.5, None],
            "reversed": [True, None],
            "more": [1, 2],
        }
    )
    pq.write_table(table, path)
    first, second = rows_of(path)
    assert (first.occurred_at, first.amount_lost, first.reversed) == (at, 12.5, True)
    assert (second.label, second.amount_lost, second.reversed) == ("legitimate", None, False)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        (
            "external_id,label,source\n",
            "lacks the column occurred_at; its columns are external_id,",
        ),
        ("a,b\n", "lacks the columns external_id or transaction_id, label, source, occurred_at;"),
        (
            HEADER.replace(",", "|"),
            r"its columns are external_id\|label.* Separate the cells by comm",
        ),
        (
            "external_id,,label, ,source\n",
            r"are external_id, \(one without a name\), label, \(one w",
        ),
        (f"{HEADER},label\n", "has the column label twice"),
        (f'{HEADER}\n"{"x" * 200_000}"\n', "line 2: field larger"),
    ],
)
def test_a_file_that_cannot_be_imported_is_named_with_the_reason(
    tmp_path: Path, content: str, reason: str
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(content)
    with pytest.raises(TableFileError, match=rf"^labels\.csv.*{reason}"):
        list(read_rows(path))


def test_a_gzipped_file_is_no_file_of_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv.gz"
    path.write_bytes(gzip.compress(HEADER.encode()))
    with pytest.raises(TableFileError, match=r"^labels\.csv\.gz is compressed; decompress it"):
        list(read_rows(path))


def test_a_file_that_is_no_parquet_is_named_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "labels.parquet"
    path.write_text(HEADER)
    with pytest.raises(TableFileError, match=r"^labels\.parquet cannot be read"):
        list(read_rows(path))
