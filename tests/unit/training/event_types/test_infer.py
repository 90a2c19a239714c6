"""What is inferred from files as people have them."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scoring.event_type.fields import EventType, Field
from tests.support.data.event_files import (
    FILLER,
    FRAUDS,
    LABEL,
    ROWS,
    Infer,
    cells,
    comments,
    write_csv,
    write_parquet,
)
from training.errors import TrainingError
from training.event_types.infer import infer


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
        ("ja", "nein"), ("Oui", "Non"), ("sí", "no"), ("SI", "NO"), ("sì", "no"),
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
        "a.csv, row 1 (line 2): the label y must be 0 or 1, true or false, yes or no, ja or nein, "
        f"oui or non, sí or no, fraud or legit, not {shown}."
    )
    assert str(refused.value).endswith(f" 1 of {len(LABEL)} rows is not valid.")


@pytest.mark.parametrize("needed", [("label", None), ("y", "when")])
def test_a_column_that_is_not_there_is_named(draft: Infer, tmp_path: Path, needed: Any) -> None:
    draft()
    with pytest.raises(TrainingError, match=r"lacks the column (label|when); its columns are x, o"):
        infer(tmp_path / "payments.csv", *needed)


def test_labels_that_are_all_the_same_are_named(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", {"x": FILLER, "y": [0] * ROWS})
    assert any("the same" in comment for comment in infer(path, "y").comments)


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
    ("columns", "message"),
    [
        ({"y": LABEL}, "no column that can be a field"),
        ({"x": [], "y": []}, "a.csv has no rows."),
    ],
)
def test_a_file_without_columns_or_rows_is_refused(
    tmp_path: Path, columns: dict[str, list[Any]], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        infer(write_csv(tmp_path / "a.csv", columns), "y")


def test_names_of_columns_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "payments.csv"
    path.write_bytes("Käufer,fraud\nA,1\nB,0\n".encode("latin-1"))
    with pytest.raises(TrainingError) as error:
        infer(path, "fraud")
    assert str(error.value) == (
        "payments.csv: the name of a column is not UTF-8 text; save the file as UTF-8."
    )


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
