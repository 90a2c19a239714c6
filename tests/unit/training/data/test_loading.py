"""Reading labelled transactions: invalid rows and files are reported with field and line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scoring.columns import TextColumn
from training.data.loading import COLUMNS, from_table, read
from training.errors import TrainingError


def refusal(path: Path) -> str:
    with pytest.raises(TrainingError) as error:
        read(path)
    return str(error.value)


def test_good_rows_are_read(payments: Callable[..., Path]) -> None:
    data = read(payments(row=2, step=3, type="TRANSFER", nameDest="C2", isFraud=1))
    assert len(data) == 3
    assert data.step.tolist() == [1, 1, 3], "in time order"
    assert data.is_fraud.tolist() == [False, False, True]
    payees = data.columns["nameDest"]
    assert isinstance(payees, TextColumn)
    assert [payees.values[code][0] for code in payees.codes] == ["M", "M", "C"]


@pytest.mark.parametrize(
    ("field", "value", "demand"),
    [
        ("step", "1.5", "a whole number from 0 to 1000000"),
        ("step", str(2**40), "a whole number from 0 to 1000000"),
        ("step", "soon", "a whole number"),
        ("type", "WIRE", "one of PAYMENT, CASH_IN, DEBIT, CASH_OUT, TRANSFER"),
        ("type", "", "one of PAYMENT"),
        ("amount", "-1", "a finite number from 0 to 1000000000000"),
        ("amount", "nan", "a finite number"),
        ("amount", "inf", "a finite number"),
        ("amount", "", "a finite number"),
        ("amount", "twelve", "a finite number"),
        ("oldbalanceOrg", "1e16", "a finite number within ±1000000000000000"),
        ("oldbalanceDest", "NULL", "a finite number within"),
        ("nameOrig", "", "1 to 64 printable ASCII characters without spaces"),
        ("nameOrig", "C" * 200, "1 to 64 printable"),
        ("nameDest", "M 1", "1 to 64 printable"),
        ("isFraud", "2", "0 or 1"),
        ("isFraud", "yes", "0 or 1"),
    ],
)
def test_a_bad_row_is_named_with_its_field_and_line(
    payments: Callable[..., Path], field: str, value: str, demand: str
) -> None:
    message = refusal(payments(row=2, **{field: value}))
    assert message.startswith(f"payments.csv, row 2 (line 3): {field} must be {demand}")
    assert "\n" not in message


def test_a_row_with_a_comma_too_many_is_named(payments: Callable[..., Path]) -> None:
    assert refusal(payments(row=2, amount="12,5")) == (
        "payments.csv, row 2 (line 3): the row has 9 columns, the header has 8."
    )


def test_the_number_of_bad_rows_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    good = "1,PAYMENT,1,C1,1,M1,0,0"
    path.write_text("\n".join([",".join(COLUMNS), good, good.replace("C1", ""), "x" + good]) + "\n")
    assert refusal(path).endswith("2 rows are not valid.")


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_column_is_named(month: pa.Table, tmp_path: Path, column: str) -> None:
    lacking = month.drop_columns([column])
    pq.write_table(lacking, tmp_path / "month.parquet")
    message = refusal(tmp_path / "month.parquet")
    assert message.startswith(f"month.parquet lacks the column {column}; its columns are ")


def test_a_column_given_twice_is_refused(tmp_path: Path) -> None:
    header = ",".join((*COLUMNS, "amount"))
    (tmp_path / "p.csv").write_text(f"{header}\n1,PAYMENT,1,C1,1,M1,0,0,2\n")
    assert "the column amount more than once" in refusal(tmp_path / "p.csv")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("p.parquet", b"not parquet", "cannot be read"),
        ("p.xlsx", b"x", "must end in .csv, .csv.gz, .tsv, .tsv.gz or .parquet"),
    ],
)
def test_an_unusable_file_is_reported_in_a_sentence(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert expected in refusal(tmp_path / name)


def test_a_missing_file_is_reported_in_a_sentence(tmp_path: Path) -> None:
    assert "is not a file" in refusal(tmp_path / "none.csv")


def test_csv_and_parquet_of_the_same_rows_are_the_same_data(
    month: pa.Table, month_csv: Path, tmp_path: Path
) -> None:
    pq.write_table(month, tmp_path / "month.parquet")
    assert read(month_csv).fingerprint == read(tmp_path / "month.parquet").fingerprint


def test_the_fingerprint_follows_content_not_order(month: pa.Table) -> None:
    data = from_table(month, "a")
    steps = np.asarray(month["step"])
    by_day = np.argsort(steps % 24, kind="stable")
    assert from_table(month.take(by_day), "b").fingerprint == data.fingerprint
    relabelled = month.set_column(9, "isFraud", pa.array(1 - np.asarray(month["isFraud"])))
    assert from_table(relabelled, "a").fingerprint != data.fingerprint


def test_an_overdraft_is_a_valid_balance(payments: Callable[..., Path]) -> None:
    data = read(payments(row=1, oldbalanceOrg="-250.10"))
    assert data.columns["oldbalanceOrg"][0] == -250.10
