"""Events of files, read by their event type: the same values as of requests, and named faults."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.columns import Column, TextColumn
from scoring.event import all_columns
from scoring.event_type.fields import EventType
from scoring.event_type.validation import EventValidator
from scoring.tables.missing_words import MISSING_WORDS
from scoring.transaction import PAYSIM
from tests.support.data.event_files import write_csv, write_parquet
from tests.support.event_types import NOW_US, an_event_type
from training.errors import TrainingError
from training.event_types.loading import EventData, load_events

CARD: dict[str, Any] = {"kind": "entity", "entity": "card"}
USUAL: dict[str, list[Any]] = {
    "TX_DATETIME": ["2026-03-31T12:00:00Z", "2026-03-31T11:00:00Z", "2026-03-31T13:00:00Z"],
    "CUSTOMER_ID": ["596", "7", "596"],
    "TERMINAL_ID": ["T1", "T2", "T1"],
    "TX_AMOUNT": ["57.16", "0", "1000000"],
    "CHANNEL": ["web", "", "pos"],
    "TX_FRAUD": ["0", "1", "0"],
}

Load = Callable[..., EventData]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """A function that reads a CSV file of three payments, with a field `f`."""

    def load_f(*cells: Any, field: dict[str, Any] | None = None, **how: Any) -> EventData:
        columns = USUAL | ({"f": list(cells)} if cells else {})
        event_type = an_event_type(f=field) if field else an_event_type()
        return load_events(write_csv(tmp_path / "payments.csv", columns, **how), event_type)

    return load_f


@pytest.fixture
def load_parquet(tmp_path: Path) -> Load:
    """A function that reads a Parquet file of three payments, with a field `f`."""

    def load_f(cells: pa.Array, **field: Any) -> EventData:
        path = write_parquet(tmp_path / "payments.parquet", USUAL | {"f": cells})
        return load_events(path, an_event_type(f=field))

    return load_f


def values(column: Column) -> list[Any]:
    """Return the values of a column, None where missing."""
    if isinstance(column, TextColumn):
        return [None if code < 0 else column.values[code] for code in column.codes]
    return [None if np.isnan(value) else value for value in column.tolist()]


def refusal(read: Callable[[], object]) -> str:
    with pytest.raises(TrainingError) as refused:
        read()
    message = str(refused.value)
    assert message.isprintable()
    return message


def test_events_are_read_in_the_order_of_their_times(load: Load) -> None:
    data = load()
    assert data.source == "payments.csv"
    assert data.labels.tolist() == [True, False, False]
    eleven = int(datetime(2026, 3, 31, 11, tzinfo=UTC).timestamp()) * 1_000_000
    assert data.time_us is not None
    assert data.time_us.tolist() == [eleven, eleven + 3_600_000_000, eleven + 7_200_000_000]
    assert data.columns["TX_DATETIME"].tolist() == (data.time_us / 1e6).tolist()
    assert {name: values(column) for name, column in data.columns.items()} == {
        "TX_DATETIME": [time / 1e6 for time in data.time_us.tolist()],
        "CUSTOMER_ID": ["7", "596", "596"],
        "TERMINAL_ID": ["T2", "T1", "T1"],
        "TX_AMOUNT": [0.0, 57.16, 1e6],
        "CHANNEL": [None, "web", "pos"],
    }


def test_events_of_one_time_keep_the_order_of_the_file(tmp_path: Path) -> None:
    columns = USUAL | {"TX_DATETIME": ["2026-03-31", "2026-03-30", "2026-03-31"]}
    data = load_events(write_csv(tmp_path / "p.csv", columns), an_event_type())
    assert values(data.columns["TERMINAL_ID"]) == ["T2", "T1", "T1"]
    assert values(data.columns["TX_AMOUNT"]) == [0.0, 57.16, 1e6]


def test_columns_that_are_not_fields_are_listed(tmp_path: Path) -> None:
    event_type = an_event_type(dropped={"kind": "text", "ignored": True})
    columns = {"": [0, 1, 2], "extra": [1, 2, 3], "dropped": [1, 2, 3]} | USUAL
    data = load_events(write_csv(tmp_path / "p.csv", columns), event_type)
    assert data.ignored == ("extra",)
    assert "dropped" not in data.columns


def test_an_optional_column_may_be_missing(tmp_path: Path) -> None:
    columns = {name: cells for name, cells in USUAL.items() if name != "CHANNEL"}
    event_type = an_event_type(age={"kind": "number", "optional": True})
    data = load_events(write_csv(tmp_path / "p.csv", columns), event_type)
    assert values(data.columns["CHANNEL"]) == values(data.columns["age"]) == [None] * 3


@pytest.mark.parametrize("name", [*(name for name in USUAL if name != "CHANNEL")])
def test_a_required_column_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    columns = {other: cells for other, cells in USUAL.items() if other != name}
    path = write_csv(tmp_path / "p.csv", columns, separator=";")
    message = refusal(lambda: load_events(path, an_event_type()))
    assert message.startswith(f"p.csv lacks the column {name}; its columns are ")


def test_an_event_type_without_a_label_is_refused(tmp_path: Path) -> None:
    event_type = EventType("payments", None, an_event_type().fields)
    path = write_csv(tmp_path / "p.csv", USUAL)
    assert "payments has no label" in refusal(lambda: load_events(path, event_type))


@pytest.mark.parametrize(
    ("field", "cell", "must"),
    [
        ({"kind": "number"}, "a", "a finite number, not 'a'"),
        ({"kind": "number"}, "inf", "a finite number, not 'inf'"),
        ({"kind": "number"}, "1e400", "a finite number, not '1e400'"),
        ({"kind": "number"}, "", "a finite number, not empty"),
        ({"kind": "number", "min": 0}, "-0.1", "a finite number of at least 0, not '-0.1'"),
        ({"kind": "number", "max": 5, "optional": True}, "6", "of at most 5, not '6'"),
        ({"kind": "integer"}, "1.5", "a whole number within ±9007199254740991, not '1.5'"),
        ({"kind": "integer"}, "9007199254740993", "a whole number within"),
        ({"kind": "integer", "min": 0, "max": 9}, "10", "a whole number from 0 to 9, not '10'"),
        ({"kind": "boolean"}, "maybe", "true or false, 1 or 0, yes or no, not 'maybe'"),
        ({"kind": "boolean"}, "2", "true or false"),
        ({"kind": "category", "values": ["a"]}, "b", "one of a, not 'b'"),
        ({"kind": "category", "values": ["a"]}, "NA", "one of a, not 'NA'"),
        ({"kind": "category"}, "x" * 257, "text of 1 to 256 visible characters, not 'xxx"),
        ({"kind": "category"}, "a\x7f", "text of 1 to 256 visible characters, not 'a\\x7f'"),
        ({"kind": "category"}, "", "text of 1 to 256 visible characters, not empty"),
        (CARD, "x" * 129, "1 to 128 visible characters"),
        (CARD, "?", "1 to 128 visible characters"),
        ({"kind": "timestamp"}, "1969-12-31", "a time since 1970"),
        ({"kind": "timestamp"}, "2026-02-29", "a time since 1970"),
        ({"kind": "timestamp"}, "31.03.2026", "a time since 1970"),
        ({"kind": "text"}, "x" * 4097, "text of at most 4,096 characters"),
    ],
)
def test_a_bad_cell_is_named_with_its_row_and_column(
    load: Load, field: dict[str, Any], cell: str, must: str
) -> None:
    good = {"timestamp": "2026-03-31", "category": "a"}.get(field["kind"], "1")
    message = refusal(lambda: load(good, cell, good, field=field))
    assert message.startswith("payments.csv, row 2 (line 3): f must be ")
    assert must in message


@pytest.mark.parametrize("label", ["", "2", "maybe"])
def test_a_bad_label_is_named(tmp_path: Path, label: str) -> None:
    path = write_csv(tmp_path / "p.csv", USUAL | {"TX_FRAUD": ["0", "1", label]})
    message = refusal(lambda: load_events(path, an_event_type()))
    assert message.startswith("p.csv, row 3 (line 4): TX_FRAUD must be 0 or 1, true or false")


def test_separators_in_numbers_come_with_a_hint(load: Load) -> None:
    message = refusal(lambda: load("1 000", "2", "3", field={"kind": "number"}))
    assert "decimal point and without separators, such as 1234.5" in message


@pytest.mark.parametrize(
    ("field", "cells", "expected"),
    [
        ({"kind": "number"}, ("1,5", "2", "-3,25"), [2.0, 1.5, -3.25]),
        ({"kind": "integer"}, ("3.0", "4", "5"), [4.0, 3.0, 5.0]),
        ({"kind": "boolean"}, ("yes", "FALSE", "1"), [0.0, 1.0, 1.0]),
        ({"kind": "category"}, ("a", "b", "a"), ["b", "a", "a"]),
        ({"kind": "category", "values": ["NA", "-"]}, ("NA", "-", "NA"), ["-", "NA", "NA"]),
        ({"kind": "category", "values": ["DE", "NA"], "optional": True}, ("NA", "na", "null"),
         [None, "NA", None]),
        ({"kind": "text"}, ("x", "y\tz", "x"), ["y\tz", "x", "x"]),
        ({"kind": "timestamp"}, ("1774958400", "0", "1e9"), [0.0, 1774958400.0, 1e9]),
        ({"kind": "timestamp"}, ("1774958400000",) * 3, [1774958400.0] * 3),
        ({"kind": "timestamp"}, ("2026-03-31 14:00+02:00",) * 3, [1774958400.0] * 3),
        (CARD | {"optional": True}, ("-", "05", "NaN"), ["05", None, None]),
        ({"kind": "number", "optional": True}, ("?", "null", "N/A"), [None] * 3),
    ],
)  # fmt: skip
def test_cells_are_read_as_people_write_them(
    load: Load, field: dict[str, Any], cells: tuple[str, ...], expected: list[Any]
) -> None:
    assert values(load(*cells, field=field, separator=";").columns["f"]) == expected


@pytest.mark.parametrize(
    ("field", "cells", "expected"),
    [
        (CARD, pa.array([7, 8, 7]), ["8", "7", "7"]),
        (CARD | {"optional": True}, pa.array([7.0, None, 8.0]), [None, "7", "8"]),
        (CARD, pa.array(["a", "b", "a"]).dictionary_encode(), ["b", "a", "a"]),
        ({"kind": "category"}, pa.array([True, False, True]), ["false", "true", "true"]),
        ({"kind": "boolean"}, pa.array([True, False, True]), [0.0, 1.0, 1.0]),
        ({"kind": "boolean", "optional": True}, pa.array([1.0, None, 0.0]), [None, 1.0, 0.0]),
        ({"kind": "number"}, pa.array([Decimal("0.1"), Decimal(2), Decimal(3)]), [2.0, 0.1, 3.0]),
        ({"kind": "integer"}, pa.array([1, 2, 3], pa.uint64()), [2.0, 1.0, 3.0]),
        (
            {"kind": "timestamp"},
            pa.array([datetime(2026, 3, 31, 12, tzinfo=UTC)] * 3, pa.timestamp("us", "Asia/Tokyo")),
            [1774958400.0] * 3,
        ),
        ({"kind": "timestamp"}, pa.array([0, 1, 2], pa.date32()), [86400.0, 0.0, 172800.0]),
        ({"kind": "text", "optional": True}, pa.array([None] * 3), [None] * 3),
    ],
)
def test_types_of_parquet_are_read(
    load_parquet: Load, field: dict[str, Any], cells: pa.Array, expected: list[Any]
) -> None:
    assert values(load_parquet(cells, **field).columns["f"]) == expected


@pytest.mark.parametrize(
    ("field", "cells"),
    [
        ({"kind": "number"}, pa.array([True, False, True])),
        ({"kind": "number"}, pa.array([[1], [2], [3]])),
        ({"kind": "text"}, pa.array([{"a": 1}] * 3)),
        ({"kind": "timestamp"}, pa.array([True, False, True])),
        (CARD, pa.array([datetime(2026, 1, 1)] * 3)),
    ],
)
def test_a_type_that_no_cell_of_the_kind_has_is_refused(
    load_parquet: Load, field: dict[str, Any], cells: pa.Array
) -> None:
    message = refusal(lambda: load_parquet(cells, **field))
    assert message.startswith("payments.parquet: the column f has the type ")
    assert message.endswith(f"which cannot be a {field['kind']}.")


def test_bytes_that_are_not_utf_8_are_refused(load_parquet: Load) -> None:
    message = refusal(lambda: load_parquet(pa.array([b"a", b"\xff", b"b"]), kind="category"))
    assert message == "payments.parquet: the column f is not UTF-8 text."


def test_paysim_is_read_in_the_order_of_the_file(month: pa.Table, tmp_path: Path) -> None:
    columns = dict(zip(month.column_names, month.columns, strict=True))
    data = load_events(write_parquet(tmp_path / "month.parquet", columns), PAYSIM)
    assert data.time_us is None
    assert len(data) == month.num_rows
    assert data.columns["step"].tolist() == month["step"].to_pylist()
    assert data.ignored == ("isFlaggedFraud",)


KINDS: dict[str, dict[str, Any]] = {
    "number": {"kind": "number", "min": -5, "optional": True},
    "integer": {"kind": "integer", "optional": True},
    "boolean": {"kind": "boolean", "optional": True},
    "category": {"kind": "category", "optional": True},
    "entity": CARD | {"optional": True},
    "text": {"kind": "text", "optional": True},
}
WORDS = st.text(st.sampled_from("ab 1é-?N,"), min_size=1, max_size=4).map(str.strip).filter(
    lambda text: text.lower() not in MISSING_WORDS
)  # fmt: skip
BODIES = st.fixed_dictionaries(
    {
        "number": st.none() | st.floats(-5, 1e300),
        "integer": st.none() | st.integers(-(2**53) + 1, 2**53 - 1),
        "boolean": st.none() | st.booleans(),
        "category": st.none() | WORDS,
        "entity": st.none() | WORDS,
        "text": st.none() | WORDS,
    }
)


EVERY_KIND = an_event_type(**KINDS)
VALIDATOR = EventValidator(EVERY_KIND)


@given(st.lists(BODIES, min_size=1, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_file_and_requests_of_the_same_events_are_the_same_columns(
    tmp_path: Path, bodies: list[dict[str, Any]]
) -> None:
    n = len(bodies)
    own = {name: [body[name] for body in bodies] for name in KINDS}
    usual = {name: [cells[0]] * n for name, cells in USUAL.items()}
    events = [
        VALIDATOR.validate(
            {k: v[0] for k, v in usual.items() if k != "TX_FRAUD"} | {"TX_AMOUNT": 57.16} | body,
            NOW_US,
        )
        for body in bodies
    ]
    expected = all_columns(EVERY_KIND, events)
    types = {"number": pa.float64(), "integer": pa.int64(), "boolean": pa.bool_()}
    typed = {name: pa.array(cells, types.get(name, pa.string())) for name, cells in own.items()}
    files = (
        write_csv(tmp_path / "a.csv", usual | own, quote='"'),
        write_parquet(tmp_path / "a.parquet", usual | typed),
    )
    for path in files:
        data = load_events(path, EVERY_KIND)
        assert {name: values(column) for name, column in data.columns.items()} == {
            name: values(column) for name, column in expected.items()
        }
