"""What is inferred from files as people have them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from scoring.event_type.fields import EventType, Field
from tests.support.event_files import FRAUDS, ROWS, cells, write_csv, write_parquet
from training.errors import TrainingError
from training.event_types.draft import Draft
from training.event_types.infer import infer

LABEL = FRAUDS.astype(int).tolist()
Infer = Callable[..., Draft]
FILLER = cells(*range(7))


@pytest.fixture
def draft(tmp_path: Path) -> Infer:
    """A function that infers from a CSV file with a column `x` and the label `y`."""

    def infer_x(x: Any = FILLER, *, name: str = "x", time: str | None = None, **how: Any) -> Draft:
        columns = {name: x, "other": FILLER, "y": LABEL}
        return infer(write_csv(tmp_path / "payments.csv", columns, **how), "y", time)

    return infer_x


@pytest.fixture
def draft_parquet(tmp_path: Path) -> Infer:
    """A function that infers from a Parquet file with a column `x` and the label `y`."""

    def infer_x(x: pa.Array, *, name: str = "x", time: str | None = None) -> Draft:
        columns = {name: x, "other": FILLER, "y": LABEL}
        return infer(write_parquet(tmp_path / "payments.parquet", columns), "y", time)

    return infer_x


def field(draft: Draft, name: str = "x") -> Field:
    return next(field for field in draft.event_type.fields if field.name == name)


def comments(draft: Draft, name: str = "x") -> str:
    return " ".join(draft.field_comments.get(name, ()))


def card_payments() -> dict[str, list[Any]]:
    """Return columns of ROWS card payments, with every kind of field."""
    rng = np.random.default_rng(0)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    amounts = np.round(rng.lognormal(3, 1, ROWS), 2) + 0.5
    return {
        "": list(range(ROWS)),
        "TRANSACTION_ID": list(range(1000, 1000 + ROWS)),
        "TX_DATETIME": [f"{start + timedelta(hours=i):%F %T}" for i in range(ROWS)],
        "CUSTOMER_ID": rng.integers(1, 80, ROWS).tolist(),
        "TERMINAL_ID": [f"T{i}" for i in rng.integers(1, 90, ROWS)],
        "TX_AMOUNT": amounts.tolist(),
        "CHANNEL": cells("pos", "web", "atm"),
        "NEW_CARD": cells(0, 1, 0),
        "MCC": cells(5411, 5812, 5999),
        "CITY": [f"city {i % 90}" for i in range(ROWS)],
        "NOTE": [f"order {i} of today" for i in range(ROWS)],
        "COUNTRY": cells("FR", None, "DE"),
        "CURRENCY": cells("EUR"),
        "SCENARIO": [1 + i % 3 if fraud else 0 for i, fraud in enumerate(FRAUDS)],
        "TX_FRAUD": LABEL,
    }


def test_card_payments_become_an_event_type(tmp_path: Path) -> None:
    draft = infer(write_csv(tmp_path / "Card payments.2026.csv", card_payments()), "TX_FRAUD")
    assert draft.event_type == EventType(
        "card_payments",
        "TX_FRAUD",
        (
            Field("TRANSACTION_ID", "integer", ignored=True),
            Field("TX_DATETIME", "timestamp", role="time"),
            Field("CUSTOMER_ID", "entity", role="payer", entity="customer"),
            Field("TERMINAL_ID", "entity", role="payee", entity="terminal"),
            Field("TX_AMOUNT", "number", role="amount", minimum=0.0),
            Field("CHANNEL", "category", values=("atm", "pos", "web")),
            Field("NEW_CARD", "boolean"),
            Field("MCC", "integer"),
            Field("CITY", "category"),
            Field("NOTE", "text"),
            Field("COUNTRY", "category", values=("DE", "FR"), optional=True),
            Field("CURRENCY", "text", ignored=True),
            Field("SCENARIO", "integer", ignored=True),
        ),
    )
    assert "external_id" in comments(draft, "TRANSACTION_ID")
    assert "read as UTC" in comments(draft, "TX_DATETIME")
    assert "the customer is a guess by the name. So is its role." in comments(draft, "CUSTOMER_ID")
    assert "codes without an order" in comments(draft, "MCC")
    assert "send true or false" in comments(draft, "NEW_CARD")
    assert "Missing in 133 of 400 rows (33.2%)" in comments(draft, "COUNTRY")
    assert "it is 'EUR' in every row" in comments(draft, "CURRENCY")
    assert "gives the label away (precision 1.000, recall 1.000" in comments(draft, "SCENARIO")
    assert "400 rows, 50 of them fraud (12.50%)" in draft.comments[0]
    assert any("without a name" in comment for comment in draft.comments)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_line_ends_quotes_and_compression_do_not_matter(
    tmp_path: Path, separator: str, end: str
) -> None:
    plain = infer(write_csv(tmp_path / "a.csv", card_payments()), "TX_FRAUD")
    written = write_csv(
        tmp_path / "a.tsv", card_payments(), separator=separator, end=end, quote='"'
    )
    assert infer(written, "TX_FRAUD").field_comments == plain.field_comments
    zipped = tmp_path / "a.csv.gz"
    zipped.write_bytes(gzip.compress(b"\xef\xbb\xbf" + written.read_bytes()))
    assert infer(zipped, "TX_FRAUD").event_type.fields == plain.event_type.fields


def test_csv_and_parquet_of_the_same_rows_are_the_same_event_type(tmp_path: Path) -> None:
    columns = card_payments()
    del columns[""]
    csv = infer(write_csv(tmp_path / "a.csv", columns), "TX_FRAUD")
    columns["TX_DATETIME"] = [datetime.fromisoformat(text) for text in columns["TX_DATETIME"]]
    parquet = infer(write_parquet(tmp_path / "a.parquet", columns), "TX_FRAUD")
    assert parquet.event_type == csv.event_type


@pytest.mark.parametrize(
    ("fraud", "legit"),
    [
        ("1", "0"), ("1.0", "0.0"), ("true", "false"), ("TRUE", "FALSE"), ("yes", "no"),
        ("Y", "N"), ("fraud", "legit"), ("Fraud", "Legitimate"), ("t", "f"),
    ],
)  # fmt: skip
def test_labels_are_read_as_people_write_them(tmp_path: Path, fraud: str, legit: str) -> None:
    columns = {"x": FILLER, "y": [fraud if label else legit for label in LABEL]}
    draft = infer(write_csv(tmp_path / "a.csv", columns), "y")
    assert "50 of them fraud" in draft.comments[0]


@pytest.mark.parametrize("label", [None, "2", "maybe", "-1"])
def test_other_labels_are_refused_with_their_line(tmp_path: Path, label: str | None) -> None:
    columns = {"x": FILLER, "y": [label, *LABEL[1:]]}
    with pytest.raises(TrainingError) as refused:
        infer(write_csv(tmp_path / "a.csv", columns), "y")
    shown = "empty" if label is None else repr(label)
    assert str(refused.value).startswith(
        "a.csv, row 1 (line 2): the label y must be 0 or 1, true or false, yes or no, fraud or "
        f"legit, not {shown}."
    )


@pytest.mark.parametrize("needed", [("label", None), ("y", "when")])
def test_a_column_that_is_not_there_is_named(draft: Infer, tmp_path: Path, needed: Any) -> None:
    draft()
    with pytest.raises(TrainingError, match=r"lacks the column (label|when); its columns are x, o"):
        infer(tmp_path / "payments.csv", *needed)


def test_labels_that_are_all_the_same_are_named(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", {"x": FILLER, "y": [0] * ROWS})
    assert any("the same" in comment for comment in infer(path, "y").comments)


@pytest.mark.parametrize("words", ["", "NA", "NaN", "null", "?", "-", "n/a"])
def test_missing_cells_make_a_field_optional(draft: Infer, words: str) -> None:
    found = draft([words, *FILLER[1:]])
    assert field(found) == Field("x", "integer", optional=True)
    assert "Missing in 1 of 400 rows" in comments(found)


def test_a_column_without_any_cell_is_ignored(draft: Infer, draft_parquet: Infer) -> None:
    for found in (
        draft([None] * ROWS),
        draft_parquet(pa.array([None] * ROWS, pa.timestamp("us"))),
        draft_parquet(pa.array([float("nan")] * ROWS)),
    ):
        assert field(found).ignored
        assert "every cell is missing" in comments(found)


@pytest.mark.parametrize(
    ("x", "kind"),
    [
        (cells("1.5", "2", "-3e2"), "number"),
        (cells("1", "-2", "30"), "integer"),
        (cells("1", "0", "1"), "boolean"),
        (cells("0.0", "1.0", "0.0"), "boolean"),
        (cells("true", "False", "TRUE"), "boolean"),
        (cells("Y", "N", "Y"), "category"),
        (cells("yes", "no", "no"), "category"),
        (cells("007", "13", "42"), "category"),
        (cells("2026-03-31", "2026-04-01", "2026-04-02"), "timestamp"),
        (cells("9007199254740993", "1", "2"), "number"),
    ],
)
def test_the_kind_follows_the_cells(draft: Infer, x: list[Any], kind: str) -> None:
    assert field(draft(x)).kind == kind


@pytest.mark.parametrize(
    ("x", "kind"),
    [
        (pa.array(cells(True, False, None)), "boolean"),
        (pa.array(cells(1, 2, None), pa.float64()), "integer"),
        (pa.array(cells(1.0, 2.0, 3.0)), "number"),
        (pa.array(cells(Decimal("1.50"), Decimal("2.25"), Decimal("3.00"))), "number"),
        (pa.array(cells("a", "b", "c")).dictionary_encode(), "category"),
        (pa.array(cells(date(2026, 1, 1), date(2026, 1, 2), None)), "timestamp"),
        (pa.array([datetime(2026, 1, 1, i % 7) for i in range(ROWS)], pa.timestamp("ns")),
         "timestamp"),
    ],
)  # fmt: skip
def test_the_kind_follows_the_types_of_parquet(
    draft_parquet: Infer, x: pa.Array, kind: str
) -> None:
    assert field(draft_parquet(x)).kind == kind
    assert not field(draft_parquet(x)).ignored


@pytest.mark.parametrize(
    "x", [pa.array([[1]] * ROWS), pa.array([{"a": 1}] * ROWS), pa.array([b"\xff"] * ROWS)]
)
def test_a_column_that_cannot_be_a_field_is_ignored(draft_parquet: Infer, x: pa.Array) -> None:
    found = draft_parquet(x)
    assert field(found).ignored
    assert "neither numbers, nor text, nor times" in comments(found)


def test_decimal_commas_are_read_and_noted(draft: Infer) -> None:
    found = draft(cells("1,5", "-12,25", "3"), separator=";")
    assert field(found).kind == "number"
    assert comments(found).startswith("From -12.25 to 3. Its numbers are read with decimal commas")
    quoted = draft(cells("1,5", "12,25", "3"), quote='"')
    assert field(quoted).kind == "number"


def test_commas_that_may_separate_thousands_are_not_read_as_decimal(draft: Infer) -> None:
    found = draft(cells("1,234", "56", "7"), separator=";")
    assert field(found).kind == "category"


@pytest.mark.parametrize(
    ("unit", "word"),
    [(1, "seconds"), (10**3, "milliseconds"), (10**6, "microseconds"), (10**9, "nanoseconds")],
)
def test_a_number_since_1970_is_a_time_with_its_unit(draft: Infer, unit: int, word: str) -> None:
    x = [str((1_774_958_400 + 60 * i) * unit) for i in range(ROWS)]
    found = draft(x, name="created_at")
    assert field(found, "created_at") == Field("created_at", "timestamp", role="time")
    assert comments(found, "created_at").startswith("From 2026-03-31T12:00:00 to ")
    assert f"Read as {word} since 1970" in comments(found, "created_at")


@pytest.mark.parametrize(("name", "first"), [("created_at", 0), ("points", 1_774_958_400)])
def test_other_numbers_are_no_times(draft: Infer, name: str, first: int) -> None:
    x = [str(first + 60 * (i // 2)) for i in range(ROWS)]
    assert field(draft(x, name=name), name).kind == "integer"


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-31T12:00:{:02d}Z", "2026-03-31 12:00:{:02d}.123456+02:00",
        "2026/03/31 12:{:02d}", "2026-03-{:02d}", "2026-03-31 12:00:{:02d} UTC",
    ],
)  # fmt: skip
def test_texts_of_iso_8601_are_times(draft: Infer, text: str) -> None:
    found = draft([text.format(1 + i % 27) for i in range(ROWS)])
    assert field(found) == Field("x", "timestamp", role="time")
    has_zone = text.endswith(("Z", "UTC", ":00"))
    assert ("read as UTC" in comments(found)) is not has_zone


@pytest.mark.parametrize(
    ("x", "part"),
    [
        (cells("31/03/2026", "01/04/2026", "02/04/2026"), "day and month may be confused"),
        (cells("1.4.26 10:00", "2.4.26 11:00", "3.4.26 12:00"), "day and month may be confused"),
        (cells("1969-12-31", "2026-03-31", "2026-04-01"), "before 1970"),
    ],
)
def test_times_that_cannot_be_read_are_ignored(draft: Infer, x: list[Any], part: str) -> None:
    found = draft(x)
    assert field(found).ignored
    assert part in comments(found)


def test_the_time_that_is_named_is_the_events_time(tmp_path: Path) -> None:
    times = [f"2026-03-{1 + i % 30:02d}" for i in range(ROWS)]
    seconds = [1_000 + 7 * (i // 2) for i in range(ROWS)]
    opened = [f"{day} 10:00" for day in times]
    path = write_csv(
        tmp_path / "a.csv", {"date": times, "opened": opened, "s": seconds, "y": LABEL}
    )
    unnamed = infer(path, "y")
    assert field(unnamed, "date").role == "time"
    assert "so might be opened" in comments(unnamed, "date")
    assert field(infer(path, "y", "opened"), "opened").role == "time"
    assert field(infer(path, "y", "opened"), "date") == Field("date", "timestamp")
    assert field(infer(path, "y", "s"), "s") == Field("s", "timestamp", role="time")


def test_a_named_time_that_is_none_is_refused(draft: Infer) -> None:
    with pytest.raises(TrainingError, match="the column x is no time; write times in ISO 8601"):
        draft(cells("a", "b", "c"), time="x")


def test_the_time_that_is_named_may_separate_the_labels(draft: Infer) -> None:
    x = [f"2026-0{2 if fraud else 1}-01" for fraud in FRAUDS]
    assert field(draft(x, time="x")) == Field("x", "timestamp", role="time")
    assert field(draft(x)).ignored


def test_a_named_time_before_1970_is_refused(draft: Infer) -> None:
    with pytest.raises(TrainingError, match="the column x has times before 1970"):
        draft(cells("1969-12-31", "2026-03-31", "2026-04-01"), time="x")


def test_a_time_after_the_event_is_ignored(tmp_path: Path) -> None:
    paid = [f"2026-03-{1 + i % 30:02d}" for i in range(ROWS)]
    columns = {"time": paid, "expires": cells("2026-04-15", "2028-01-01", "2027-01-01")}
    columns["opened"] = cells("2020-04-15", "2021-01-01", "2022-01-01")
    found = infer(write_csv(tmp_path / "a.csv", columns | {"y": LABEL}), "y")
    assert field(found, "expires").ignored
    assert "more than 24 hours after the event" in comments(found, "expires")
    assert field(found, "opened") == Field("opened", "timestamp")


def test_events_without_a_time_are_noted(draft: Infer) -> None:
    found = draft([None, *["2026-03-31", "2026-04-01"] * 199, "2026-04-01"])
    assert field(found) == Field("x", "timestamp", role="time")
    assert "the rows without it will be refused" in comments(found)


@pytest.mark.parametrize(
    ("name", "entity", "role"),
    [
        ("CUSTOMER_ID", "customer", "payer"), ("customerId", "customer", "payer"),
        ("customerid", "customer", "payer"), ("card1", "card", "payer"),
        ("account_number", "account", "payer"), ("nameOrig", "account", "payer"),
        ("nameDest", "account", "payee"), ("receiver_account", "account", "payee"),
        ("merchant", "merchant", "payee"), ("terminal_id", "terminal", "payee"),
        ("device_id", "device", None), ("IPAddress", "ip", None), ("ip", "ip", None),
        ("email", "email", None), ("user_id", "user", "payer"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["{}", "c{}"])
def test_a_name_tells_an_entity(draft: Infer, name: str, entity: str, role: Any, form: str) -> None:
    found = draft([form.format(i % 99) for i in range(ROWS)], name=name)
    assert field(found, name) == Field(name, "entity", role=role, entity=entity)


@pytest.mark.parametrize(
    "name", ["customer_age", "card_type", "merchant_category", "device_count", "is_user", "chip"]
)
def test_a_name_that_describes_something_is_no_entity(draft: Infer, name: str) -> None:
    assert field(draft([str(i % 99) for i in range(ROWS)], name=name), name).kind == "integer"


def test_a_few_values_are_no_entity_unless_the_name_says_so(draft: Infer) -> None:
    assert field(draft(cells("visa", "amex", "jcb"), name="card"), "card").kind == "category"
    assert field(draft(cells("a", "b", "c"), name="shop_id"), "shop_id").kind == "entity"


def test_whole_floats_of_pandas_are_ids(draft_parquet: Infer) -> None:
    x = pa.array([None, *(float(i % 70) for i in range(ROWS - 1))])
    found = draft_parquet(x, name="customer_id")
    expected = Field("customer_id", "entity", role="payer", entity="customer", optional=True)
    assert field(found, "customer_id") == expected


def test_ids_with_a_decimal_point_are_questioned(draft: Infer) -> None:
    found = draft([f"{i % 70}.0" for i in range(ROWS)], name="customer_id")
    assert field(found, "customer_id").kind == "number"
    assert "without a decimal point and make it an entity" in comments(found, "customer_id")


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("x", [str(i) for i in range(ROWS)]),
        ("x", [str(i) for i in range(ROWS, 0, -1)]),
        ("payment_id", [str(7 * i) for i in range(ROWS)]),
        ("uuid", [f"{i:032x}g" for i in range(ROWS)]),
    ],
)
def test_a_column_that_numbers_the_rows_is_ignored(draft: Infer, name: str, x: list[Any]) -> None:
    found = draft(x, name=name)
    assert field(found, name).ignored
    assert "numbers the rows" in comments(found, name)


def test_the_first_best_name_of_an_amount_is_the_amount(tmp_path: Path) -> None:
    columns = {
        "price": cells(1.5, 2.5, 3.5),
        "Amount": cells(-1.5, 20, 3),
        "total_visits": cells(1, 2, 3),
        "y": LABEL,
    }
    found = infer(write_csv(tmp_path / "a.csv", columns), "y")
    assert field(found, "Amount") == Field("Amount", "number", role="amount")
    assert "So might be price. A max such as 10000" in comments(found, "Amount")
    assert field(found, "price").role is None


def test_an_amount_of_whole_numbers_is_a_number(draft: Infer) -> None:
    for x in (cells(1, 2, 3), cells(0, 1, 1)):
        expected = Field("amount", "number", role="amount", minimum=0.0)
        assert field(draft(x, name="amount"), "amount") == expected


def test_text_with_many_values_is_open_or_text(draft: Infer) -> None:
    assert field(draft([f"v{i % 51}" for i in range(ROWS)])) == Field("x", "category")
    assert field(draft([f"v{i % 350}" for i in range(ROWS)])) == Field("x", "text")
    assert field(draft(["x" * 300, *cells("a", "b", "c")[1:]])) == Field("x", "text")
    assert field(draft(["x" * 5000, *cells("a", "b", "c")[1:]])).ignored


def test_rare_values_of_a_category_are_questioned(draft: Infer) -> None:
    found = draft(["typo", *cells("a", "b", "c")[1:]])
    assert "1 of the values are in fewer than 20 rows, such as 'typo'" in comments(found)


def test_numbers_with_a_few_other_cells_are_questioned(draft: Infer) -> None:
    found = draft(["about 5", *[str(i % 90) for i in range(1, ROWS)]])
    assert field(found).kind == "category"
    assert "Most cells are numbers, but not 'about 5'" in comments(found)


def test_a_number_that_separates_the_labels_is_a_leak(draft: Infer) -> None:
    rng = np.random.default_rng(0)
    score = np.where(FRAUDS, 0.6, 0.1) + rng.random(ROWS) / 4
    found = draft(score.round(6).tolist())
    assert field(found).ignored
    assert "gives the label away" in comments(found)
    almost = np.where(rng.random(ROWS) < 0.05, 1 - FRAUDS, FRAUDS)
    kept = draft([f"v{value:.0f}" for value in almost])
    assert not field(kept).ignored
    assert "nearly gives the label away" in comments(kept)


def test_missing_cells_may_be_a_leak(draft: Infer) -> None:
    assert field(draft(["2026-03-31" if fraud else None for fraud in FRAUDS])).ignored


def test_unique_values_are_no_leak(draft: Infer) -> None:
    rng = np.random.default_rng(1)
    assert not field(draft(rng.random(ROWS).tolist())).ignored
    assert not field(draft([f"free text {i}" for i in range(ROWS)])).ignored


def test_names_from_after_the_decision_are_ignored_or_questioned(draft: Infer) -> None:
    assert field(draft(name="isFraudReported"), "isFraudReported").ignored
    assert field(draft(name="chargeback_date"), "chargeback_date").ignored
    found = draft(name="newbalanceOrig")
    assert "state after the payment" in comments(found, "newbalanceOrig")
    assert "state after" not in comments(draft(name="newsletter"), "newsletter")


def test_columns_whose_names_no_field_has_are_left_out(tmp_path: Path) -> None:
    columns = {"x": FILLER, "external_id": FILLER, "n" * 129: FILLER, "y": LABEL}
    found = infer(write_csv(tmp_path / "a.csv", columns), "y")
    assert [f.name for f in found.event_type.fields] == ["x"]
    assert any("'external_id', 'nnn" in comment for comment in found.comments)


def test_200_columns_are_read_and_501_refused(tmp_path: Path) -> None:
    def file(count: int) -> Path:
        columns = {f"V{i}": cells(i, i + 1.5, i + 3) for i in range(count)}
        return write_csv(tmp_path / "a.csv", columns | {"y": LABEL})

    assert len(infer(file(200), "y").event_type.fields) == 200
    with pytest.raises(TrainingError, match="501 columns; an event type has at most 500 fields"):
        infer(file(501), "y")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"y": LABEL}, "no column that can be a field"),
        ({"x": [], "y": []}, "a.csv has no rows."),
    ],
)
def test_a_file_without_columns_or_rows_is_refused(
    tmp_path: Path, columns: dict[str, list[Any]], said: str
) -> None:
    with pytest.raises(TrainingError, match=said):
        infer(write_csv(tmp_path / "a.csv", columns), "y")


def test_a_name_that_the_file_has_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,x,y\n1,2,0\n")
    with pytest.raises(TrainingError, match="the column x more than once"):
        infer(tmp_path / "a.csv", "y")


@pytest.mark.parametrize(
    ("file", "name"),
    [("2026.csv", "event"), ("Ein Käufer-Test.csv", "ein_k_ufer_test"), ("a.csv", "event")],
)
def test_the_name_follows_the_files(tmp_path: Path, file: str, name: str) -> None:
    path = write_csv(tmp_path / file, {"x": FILLER, "y": LABEL})
    assert infer(path, "y").event_type.name == name


def test_a_file_of_a_few_rows_is_read(tmp_path: Path) -> None:
    columns = {"x": ["1"], "when": ["2026-03-31"], "who": ["a"], "y": ["1"]}
    found = infer(write_csv(tmp_path / "a.csv", columns), "y")
    assert [f.kind for f in found.event_type.fields] == ["integer", "timestamp", "text"]
