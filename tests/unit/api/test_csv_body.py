"""A list's entries as a CSV body: what it may hold, and what is wrong by line and column."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from api.lists.csv_body import MAX_ERRORS, MAX_ROWS, entries_of_csv, values_of_csv
from scoring.errors import InvalidRequest


def errors_of(text: str) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refused:
        entries_of_csv(text.encode())
    return {error.field: error.message for error in refused.value.errors}


def test_entries_have_a_value_a_reason_and_maybe_an_expiry() -> None:
    body = '\ufeffexpires_at;value;reason\r\n2099-01-31T12:00:00Z;C1;"two; both"\r\n\r\n;C2;x\r\n'
    first, second = entries_of_csv(body.encode()).entries
    assert (first.value, first.reason) == ("C1", "two; both")
    assert first.expires_at == datetime(2099, 1, 31, 12, tzinfo=UTC)
    assert (second.value, second.reason, second.expires_at) == ("C2", "x", None)


def test_of_entities_that_are_taken_out_only_the_value_counts() -> None:
    assert values_of_csv(b"value,reason\nC1,\nC2,gone\n").values == ["C1", "C2"]
    assert values_of_csv(b"value\nC1").values == ["C1"]


def test_each_error_names_its_line_and_column() -> None:
    body = "value,reason,expires_at\nC1,ok,\n\n,,soon\nC 2,ok,2020-01-01\nC3\nC4,ok,2099-01-01\n"
    found = errors_of(body)
    assert list(found) == [
        "lines.4.value",
        "lines.4.reason",
        "lines.4.expires_at",
        "lines.5.expires_at",
        "lines.6",
        "lines.7.expires_at",
    ]
    assert found["lines.4.value"] == "is missing"
    assert found["lines.4.reason"] == "is missing"
    assert found["lines.5.expires_at"].startswith("must have an offset")
    assert found["lines.6"] == "has 1 column, the header has 3"
    assert found["lines.7.expires_at"].startswith("must have an offset")


def test_bytes_that_are_no_utf_8_are_an_error_of_their_cell() -> None:
    with pytest.raises(InvalidRequest) as refused:
        entries_of_csv(b"value,reason\nC1,caf\xe9\n")
    assert [error.field for error in refused.value.errors] == ["lines.2.reason"]


def test_of_many_bad_rows_the_first_are_named() -> None:
    found = errors_of("value,reason\n" + "C1,\n" * (MAX_ERRORS + 5))
    assert list(found) == [f"lines.{line}.reason" for line in range(2, MAX_ERRORS + 2)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "The body is empty"),
        ("value\nC1\n", "lacks the column reason"),
        ("C1,ok\n", "lacks the columns value, reason"),
        ("value,reason,value\nC1,ok,C1\n", "the column value twice"),
        ("value,reason\n", "has no row below its header"),
        ("value,reason\n" + "C1,ok\n" * (MAX_ROWS + 1), "more than 10,000 rows"),
    ],
)
def test_a_body_that_is_no_table_of_entries_is_refused_as_a_whole(body: str, message: str) -> None:
    found = errors_of(body)
    assert list(found) == ["body"]
    assert message in found["body"]
