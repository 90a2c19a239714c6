"""A cell has the value that it says, or none and a reason."""

from __future__ import annotations

import math
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.event_type.fields import Field, Kind
from scoring.event_type.timestamps import parse_timestamp
from scoring.uploads.cells import BadCell, cell_reader
from scoring.uploads.lines import header_line
from scoring.uploads.mapping import suggested
from scoring.uploads.table import Shape
from tests.support.event_types import an_event_type

BERLIN = ZoneInfo("Europe/Berlin")


def read(kind: Kind, cell: str, zone: ZoneInfo | None = None, **more: Any) -> object:
    return cell_reader(Field("f", kind, **more), zone)(cell)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_that_python_writes_comes_back_the_same(value: float) -> None:
    assert repr(read("number", repr(value))) == repr(value)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, max_value=10**12, min_value=0))
def test_money_comes_back_to_the_cent(value: Any) -> None:
    assert f"{read('number', str(value)):.2f}" == str(value)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (" 12.50 ", 12.5),
        ("+.5", 0.5),
        ("1e3", 1000.0),
        ("", None),
        ("N/A", None),
        ("0.1000000000000000055511151231257827021181583404541015625", 0.1),
    ],
)
def test_a_number_is_read(cell: str, value: float | None) -> None:
    assert read("number", cell) == value


@pytest.mark.parametrize("cell", ["12,5", "-0,5", "1.234,56", "1 234,5"])
def test_a_decimal_comma_is_refused(cell: str) -> None:
    with pytest.raises(BadCell, match="decimal comma"):
        read("number", cell)


@pytest.mark.parametrize("cell", ["1,234", "1,234.5", "12 345", "1'234"])
def test_digits_that_are_grouped_are_refused(cell: str) -> None:
    with pytest.raises(BadCell, match="among its digits"):
        read("number", cell)


@pytest.mark.parametrize("cell", ["9007199254740993", "0.12345678901234567"])
def test_a_number_that_a_double_would_change_is_refused(cell: str) -> None:
    with pytest.raises(BadCell, match="it would become"):
        read("number", cell)


@pytest.mark.parametrize(
    "cell", ["1e-400", "-1e-400", "1.2345e-320", "1e-9999999999999999999", "5" * 20 + "e-999999"]
)
def test_a_number_that_is_too_close_to_zero_is_refused(cell: str) -> None:
    with pytest.raises(BadCell, match="closer to zero than is stored: it would become"):
        read("number", cell)


@pytest.mark.parametrize("cell", ["0e-400", "-0.0e5", "0e-9999999999999999999", "0e9999999999"])
def test_zero_is_zero_with_any_exponent(cell: str) -> None:
    assert read("number", cell) == 0


@pytest.mark.parametrize("cell", ["1e9999999999999999999", "-1e400"])
def test_a_number_that_is_too_large_is_left_to_the_rule_of_the_field(cell: str) -> None:
    assert abs(cast("float", read("number", cell))) == math.inf


@pytest.mark.parametrize("cell", ["1_0", "infinity", "nan0", "0x1", "\uff11"])
def test_what_is_no_number_is_left_to_the_rule_of_the_field(cell: str) -> None:
    assert read("number", cell) == cell


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("integer", "007", 7),
        ("integer", "5.0", 5),
        ("integer", "5.5", "5.5"),
        ("boolean", "Yes", True),
        ("boolean", "0", False),
        ("boolean", "perhaps", "perhaps"),
        ("entity", "007", "007"),
        ("entity", " 7", " 7"),
        ("entity", "-", None),
        ("text", "-", "-"),
        ("text", "", None),
        ("category", "na", None),
        ("timestamp", "2026-05-01T09:30:00.5+02:00", "2026-05-01T09:30:00.5+02:00"),
        ("timestamp", "2026-05-01 09:30:00 UTC", "2026-05-01T09:30:00Z"),
        ("timestamp", "2026-05-01 09:30+0200", "2026-05-01T09:30:00+02:00"),
        ("timestamp", "01.05.2026", "01.05.2026"),
    ],
)
def test_each_kind_keeps_what_the_cell_says(kind: Kind, cell: str, value: object) -> None:
    assert read(kind, cell) == value


def test_a_value_of_a_category_that_is_a_word_for_missing_is_that_value() -> None:
    assert read("category", "NA", values=("NA", "DE")) == "NA"


def test_a_time_without_a_zone_needs_one_and_none_is_guessed_at_a_change_of_summer_time() -> None:
    with pytest.raises(BadCell, match="no time zone"):
        read("timestamp", "2026-05-01 09:30:00")
    summer = read("timestamp", "2026-05-01 09:30:00", BERLIN)
    winter = read("timestamp", "2026-12-01 09:30:00", BERLIN)
    assert (summer, winter) == ("2026-05-01T09:30:00+02:00", "2026-12-01T09:30:00+01:00")
    assert parse_timestamp(str(summer)) is not None
    for never_or_twice in ("2026-03-29 02:30:00", "2026-10-25 02:30:00"):
        with pytest.raises(BadCell, match="twice or never"):
            read("timestamp", never_or_twice, BERLIN)


def test_columns_are_proposed_by_their_names_and_each_once() -> None:
    columns = ["tx amount", "Customer-ID", "TX_AMOUNT", "other", "external_id"]
    assert suggested(an_event_type(), columns) == {
        "CUSTOMER_ID": "Customer-ID",
        "TX_AMOUNT": "TX_AMOUNT",
        "external_id": "external_id",
    }


def test_an_added_column_never_has_the_name_of_one_of_the_input() -> None:
    line = header_line(Shape(";", False, ("score", "=a")), ("score", "outcome"))
    assert line == b'"score";"\'=a";"sentinel_score";"outcome"\r\n'
