"""The lines of resulting files repeat cells, and no spreadsheet runs one of them."""

from __future__ import annotations

import pytest

from scoring.tables.csv_rows import Row
from scoring.uploads.lines import reject_line
from scoring.uploads.row_reader import Fault


@pytest.mark.parametrize(
    ("cell", "written"),
    [("-", "-"), (" - ", " - "), ("?", "?"), ("-5", "-5"), ("-x", "'-x"), ("=1+1", "'=1+1")],
)
def test_a_missing_value_comes_back_as_it_was_and_a_formula_does_not(
    cell: str, written: str
) -> None:
    line = reject_line(",", Row(1, (cell,), 2), [Fault("", "", "is wrong")])
    assert line.decode().startswith(f'"{written}",')
