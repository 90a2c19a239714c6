"""A hostile file is read in bounded time and memory: a table, or one sentence."""

from __future__ import annotations

import io
import time

import pytest

from scoring.tables.csv_rows import TableFileError
from scoring.uploads.table import MAX_BLANK_LINES, rows_of, shape_of

HEADER = b"step,type,amount\n"
ROW = b"1,TRANSFER,10\n"
SIZE = 20_000_000
MOST_SECONDS = 5.0
"""Far above what any of them takes (0.4 s); a million blank lines took 1.5 s, and 20 MB 30 s."""


def read(content: bytes) -> int:
    """Return the number of rows of a file, up to the most that are taken and one."""
    file = io.BytesIO(content)
    shape = shape_of(file, ("amount",))
    count = 0
    for row in rows_of(file, shape.separator):
        count = row.number
        if count > 100_000:
            break
    return count


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER + b"\n" * SIZE + ROW, "blank lines"),
        (b"\n" * SIZE + HEADER + ROW, "blank lines"),
        (HEADER + b"\r" * SIZE + ROW, "blank lines"),
        (HEADER + b'"' + ROW * (SIZE // 14), "bytes"),
        (HEADER + b"x" * SIZE, "bytes"),
        (b"x" * SIZE, "bytes"),
        (HEADER + b"," * SIZE, "bytes"),
        (HEADER + b'""""' * (SIZE // 4), "bytes"),
        (HEADER + "\u2028".encode() * (SIZE // 3), "bytes"),
        (HEADER + b"1,TRANSFER,\0\n", "is not text"),
        (b"\xff\xfe" + HEADER, "UTF-16"),
        (b"\xef\xbb\xbf\xef\xbb\xbf" + HEADER + ROW, "not plain text"),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else None,
)
def test_a_hostile_file_is_refused_soon(content: bytes, message: str) -> None:
    begin_s = time.process_time()
    with pytest.raises(TableFileError, match=message):
        read(content)
    assert time.process_time() - begin_s < MOST_SECONDS


@pytest.mark.parametrize("line", [b" \n", b'""\n', b"\x0b\n"])
def test_lines_that_look_blank_and_are_rows_end_at_the_most_rows(line: bytes) -> None:
    assert read(HEADER + line * 6_000_000) == 100_001


def test_a_file_with_a_blank_line_behind_each_row_is_taken() -> None:
    assert read(HEADER + (ROW + b"\n") * MAX_BLANK_LINES) == MAX_BLANK_LINES
