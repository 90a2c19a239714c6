"""Files as people have them: separators, compression, encodings, and the types of Parquet."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.data.loading import COLUMNS, read
from training.errors import TrainingError

HEADER = ",".join(COLUMNS)
GOOD = "1,PAYMENT,12.50,C1,100.0,M1,0.0,0"
BAD = GOOD.replace("12.50", "twelve")


def refusal(path: Path) -> str:
    with pytest.raises(TrainingError) as error:
        read(path)
    message = str(error.value)
    assert message.isprintable(), "no control characters, no line feed"
    return message


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """A factory of files."""

    def write(content: str | bytes, name: str = "p.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def parquet(tmp_path: Path) -> Callable[..., Path]:
    """A factory of Parquet files of two good rows with other columns."""

    def write(**columns: pa.Array) -> Path:
        good: dict[str, Any] = {
            "step": [1, 2], "type": ["PAYMENT", "TRANSFER"], "amount": [12.5, 0.1],
            "nameOrig": ["C1", "C2"], "oldbalanceOrg": [100.0, 0.1], "nameDest": ["M1", "C3"],
            "oldbalanceDest": [0.0, -5.0], "isFraud": [0, 1],
        }  # fmt: skip
        path = tmp_path / "p.parquet"
        pq.write_table(pa.table(good | columns), path)
        return path

    return write


@pytest.mark.parametrize(
    ("lines", "row", "line"),
    [
        ([HEADER, GOOD, "", "", BAD], 2, 5),
        (["", HEADER, GOOD, BAD], 2, 4),
        ([HEADER, GOOD.replace("C1", '"C1"'), BAD], 2, 3),
        ([HEADER + ",note", GOOD + ',"two\nlines"', GOOD + ',"\n\n"', BAD + ",x"], 3, 7),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_bad_cell_is_on_the_line_that_an_editor_shows(
    file: Callable[..., Path], lines: list[str], row: int, line: int, end: str
) -> None:
    path = file(end.join(lines) + end)
    assert f"row {row} (line {line}): amount" in refusal(path)
    ragged = lines[-1] + ",extra,cells"
    path = file(end.join([*lines[:-1], ragged]) + end)
    assert f"row {row} (line {line}): the row has" in refusal(path)


def test_a_comment_line_is_a_row_that_is_too_short(file: Callable[..., Path]) -> None:
    message = refusal(file(f"{HEADER}\n{GOOD}\n\n# totals\n{GOOD}\n"))
    assert "row 2 (line 4): the row has 1 column, the header has 8." in message


def test_a_quote_that_is_not_closed_is_hinted_at(file: Callable[..., Path]) -> None:
    open_quote = GOOD.replace("C1", '"C1')
    message = refusal(file(f"{HEADER}\n{GOOD}\n{open_quote}\n{GOOD}\n"))
    assert "row 2 (line 3)" in message
    assert "quote that is not closed" in message


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_line_ends_and_a_bom_do_not_matter(
    file: Callable[..., Path], separator: str, end: str
) -> None:
    text = f"{HEADER}\n{GOOD}\n".replace(",", separator).replace("\n", end)
    plain = read(file(f"{HEADER}\n{GOOD}\n", "plain.csv"))
    assert read(file(text)).fingerprint == plain.fingerprint
    assert read(file(b"\xef\xbb\xbf" + text.encode())).fingerprint == plain.fingerprint


@pytest.mark.parametrize("name", ["p.csv.gz", "p.csv", "p.CSV.GZ", "p.tsv.gz"])
def test_a_gzipped_file_is_read_whatever_its_name(file: Callable[..., Path], name: str) -> None:
    text = f"{HEADER}\n{GOOD}\n".encode()
    in_two = gzip.compress(text[:90]) + gzip.compress(text[90:])
    plain = read(file(text, "plain.csv"))
    assert read(file(gzip.compress(text), name)).fingerprint == plain.fingerprint
    assert read(file(in_two, name)).fingerprint == plain.fingerprint
    assert read(file(text, "p.csv.gz")).fingerprint == plain.fingerprint, "unpacked on the way"
    bad = gzip.compress(f"{HEADER}\n\n{BAD}\n".encode())
    assert "row 1 (line 3): amount" in refusal(file(bad, name))


def test_a_gzipped_file_that_is_cut_off_is_refused(file: Callable[..., Path]) -> None:
    content = gzip.compress(f"{HEADER}\n{GOOD}\n".encode())
    for length in (2, 12, len(content) - 12, len(content) - 4):
        assert "p.csv.gz" in refusal(file(content[:length], "p.csv.gz"))


def test_spaces_around_names_and_values_are_ignored(file: Callable[..., Path]) -> None:
    spaced = f" {HEADER} \n {GOOD} \n".replace(",", " , ")
    plain = read(file(f"{HEADER}\n{GOOD}\n", "plain.csv"))
    assert read(file(spaced)).fingerprint == plain.fingerprint


@pytest.mark.parametrize(
    "number",
    [
        *("295_836.42", "1_000", "1,5", "1.234,56", "1 000", "1'000", "１２", "٣"),  # noqa: RUF001
        *("inf", "Infinity", "-inf", "nan", "NaN", "NULL", "0x1F", "1e", "1e400", "--1", "1.2.3"),
        *("$5", "5 €", "", "true", "1f", ".", "+"),
    ],
)
def test_other_spellings_of_a_number_are_refused(file: Callable[..., Path], number: str) -> None:
    cells = GOOD.split(",")
    cells[2] = f'"{number}"'
    assert "row 1 (line 2): amount must be" in refusal(file(f"{HEADER}\n{','.join(cells)}\n"))


@pytest.mark.parametrize("number", ["295_836.42", "1,5", "1 000,5"])
def test_separators_in_a_number_come_with_the_way_to_write_it(
    file: Callable[..., Path], number: str
) -> None:
    line = GOOD.replace(",", ";").replace("12.50", number)
    message = refusal(file(f"{HEADER}\n".replace(",", ";") + line + "\n"))
    assert "decimal point and without separators, such as 1234.5" in message


@pytest.mark.parametrize("number", ["12.5", "12.50", "+12.5", "1.25e1", "125E-1", "012.5"])
def test_numbers_are_read_as_the_nearest_float(file: Callable[..., Path], number: str) -> None:
    data = read(file(f"{HEADER}\n{GOOD.replace('12.50', number)}\n"))
    assert data.amount.tolist() == [12.5]


def test_a_decimal_and_its_text_are_the_same_number(parquet: Callable[..., Path]) -> None:
    texts = ["295836.42", "0.1"]
    kind = pa.decimal128(38, 18)
    column = pa.array([Decimal(text) for text in texts], kind)
    as_text = read(parquet(amount=pa.array(texts)))
    assert as_text.amount.tolist() == [295836.42, 0.1]
    assert read(parquet(amount=column)).fingerprint == as_text.fingerprint


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (pa.array([False, True]), [False, True]),
        (pa.array(["False", "True"]), [False, True]),
        (pa.array(["0", "1.0"]), [False, True]),
        (pa.array([0, 1], pa.uint8()), [False, True]),
        (pa.array([0.0, 1.0], pa.float16()), [False, True]),
        (pa.array(["0", "1"]).dictionary_encode(), [False, True]),
    ],
)
def test_labels_may_be_booleans(
    parquet: Callable[..., Path], label: pa.Array, expected: list[bool]
) -> None:
    assert read(parquet(isFraud=label)).is_fraud.tolist() == expected


@pytest.mark.parametrize("label", ["yes", "no", "Y", "t", "2", "-0.5", "fraud"])
def test_other_labels_are_refused(parquet: Callable[..., Path], label: str) -> None:
    message = refusal(parquet(isFraud=pa.array(["0", label])))
    assert message == f"p.parquet, row 2: isFraud must be 0 or 1, or true or false, not {label!r}."


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("type", pa.array(["PAYMENT", "TRANSFER"]).dictionary_encode()),
        ("type", pa.array([b"PAYMENT", b"TRANSFER"])),
        ("nameOrig", pa.array(["C1", "C2"], pa.large_string())),
        ("nameOrig", pa.array(["C1", "C2"], pa.string_view())),
        ("step", pa.array([1, 2], pa.uint64())),
        ("step", pa.array([1.0, 2.0], pa.float32())),
        ("amount", pa.array(["12.5", "0.1"]).dictionary_encode()),
        ("amount", pa.array([Decimal("12.5"), Decimal("0.1")], pa.decimal256(40, 2))),
    ],
)
def test_columns_of_equal_meaning_are_read(
    parquet: Callable[..., Path], name: str, column: pa.Array
) -> None:
    usual = read(parquet())
    assert read(parquet(**{name: column})).fingerprint == usual.fingerprint


@pytest.mark.parametrize(
    ("name", "column", "must"),
    [
        ("amount", pa.array([[1.0], [2.0]]), "numbers"),
        ("amount", pa.array([{"value": 1.0}, {"value": 2.0}]), "numbers"),
        ("amount", pa.array([True, False]), "numbers"),
        ("step", pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * 2), "numbers"),
        ("isFraud", pa.array([[0], [1]]), "numbers"),
        ("nameOrig", pa.array([["C1"], ["C2"]]), "text"),
        ("nameDest", pa.array([1.5, 2.5]), "text"),
        ("type", pa.array([True, False]), "text"),
    ],
)
def test_a_type_that_cannot_be_valid_is_named_with_its_column(
    parquet: Callable[..., Path], name: str, column: pa.Array, must: str
) -> None:
    message = refusal(parquet(**{name: column}))
    kind = str(column.type).replace("item:", "element:")  # as Parquet names it
    assert message == f"p.parquet: the column {name} has the type {kind}; it must hold {must}."


@pytest.mark.parametrize(
    ("name", "column", "shown"),
    [
        ("amount", pa.array([1.0, None]), "empty"),
        ("amount", pa.array([None, None], pa.null()), "empty"),
        ("amount", pa.array([1, 2**62]), str(2**62)),
        ("step", pa.array([1, None], pa.int32()), "empty"),
        ("nameOrig", pa.array(["C1", None]), "empty"),
        ("nameOrig", pa.array(["C1", "C\x00"]), "'C\\x00'"),
        ("type", pa.array([None, "WIRE"], pa.string()), "empty"),
    ],
)
def test_missing_and_huge_values_are_shown(
    parquet: Callable[..., Path], name: str, column: pa.Array, shown: str
) -> None:
    message = refusal(parquet(**{name: column}))
    assert f": {name} must be" in message
    assert f"not {shown}." in message


def test_bytes_that_are_not_utf8_are_refused(parquet: Callable[..., Path]) -> None:
    message = refusal(parquet(nameOrig=pa.array([b"C1", b"\xe9"])))
    assert message == "p.parquet: the column nameOrig is not UTF-8 text."


def test_columns_that_are_not_read_are_listed(
    file: Callable[..., Path], parquet: Callable[..., Path]
) -> None:
    assert read(file(f"{HEADER}\n{GOOD}\n")).ignored == ()
    path = file(f"device,{HEADER},,country\nx,{GOOD},,\xe9\n".encode("latin-1"))
    assert read(path).ignored == ("device", "country")
    index = {"__index_level_0__": pa.array([0, 1]), "device": pa.array([[1], [2]])}
    assert read(parquet(**index)).ignored == ("device",)


@pytest.mark.parametrize("written", ["Amount", "AMOUNT", "amounts"])
def test_a_column_with_a_similar_name_is_hinted_at(file: Callable[..., Path], written: str) -> None:
    message = refusal(file(f"{HEADER.replace('amount', written)}\n{GOOD}\n"))
    assert message.startswith("p.csv lacks the column amount;")
    assert message.endswith(f"Rename {written!r} to amount.")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "p.csv is empty."),
        (b"\n\n \n", "p.csv is empty."),
        (b"\xef\xbb\xbf", "p.csv is empty."),
        (f"{HEADER}\n".encode(), "p.csv has no rows."),
        (HEADER.encode(), "p.csv has no rows."),
        (f"{HEADER}\n{GOOD}\n".encode("utf-16"), "p.csv is text in UTF-16: save it as UTF-8."),
        (f"{HEADER}\n".encode("utf-16-le"), "p.csv is not text: it has a NUL byte at position 2."),
        (b"PAR1\x00", "p.csv is a Parquet file: give it a name that ends in .parquet."),
        (b"PK\x03\x04", "p.csv is a zip archive or an Excel workbook: save the table as CSV."),
        (b"\x7fELF\x02\x00\x1b[31m", "p.csv is not text: it has a NUL byte at position 6."),
        (f"{HEADER}\n{GOOD}\n{GOOD.replace('C1', 'É')}\n".encode("latin-1"), "row 2 (line 3): n"),
        (b"\x1b[31mstep,type\n1,2\n", "p.csv lacks the columns"),
    ],
)
def test_a_file_that_is_no_table_is_named_for_what_it_is(
    file: Callable[..., Path], content: bytes, expected: str
) -> None:
    assert expected in refusal(file(content))


def test_a_cell_larger_than_pythons_limit_does_not_end_in_a_traceback(
    file: Callable[..., Path],
) -> None:
    huge = "x" * (csv.field_size_limit() + 1)
    assert "p.csv, row 2: amount must be" in refusal(
        file(f"{HEADER},note\n{GOOD},{huge}\n{BAD},\n")
    )


def test_a_name_may_hold_any_bytes(month: pa.Table, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/m\xe9\x1b[31m [bold] ?#%20.csv"))
    odd.write_text(f"{HEADER}\n{GOOD}\n")
    assert read(odd).source == "m\ufffd\\x1b[31m [bold] ?#%20.csv"
    odd.write_text(f"{HEADER}\n{BAD}\n")
    assert refusal(odd).startswith("m\ufffd\\x1b[31m [bold] ?#%20.csv, row 1 (line 2): amount")
    odd = odd.with_suffix(".parquet")
    with odd.open("wb") as file:
        pq.write_table(month, file)
    assert len(read(odd)) == len(month)


def test_a_directory_is_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "p.csv").mkdir()
    assert refusal(tmp_path / "p.csv").endswith("p.csv is a directory; name one file.")
