"""The lines of resulting files repeat cells, and no spreadsheet runs one of them."""

from __future__ import annotations

import pytest

from scoring.tables.csv_rows import Row
from scoring.uploads.lines import RESULT_COLUMNS, header_line, reject_line, removed_line
from scoring.uploads.row_reader import Fault
from scoring.uploads.table import Shape


@pytest.mark.parametrize(
    ("cell", "written"),
    [("-", "-"), (" - ", " - "), ("?", "?"), ("-5", "-5"), ("-x", "'-x"), ("=1+1", "'=1+1")],
)
def test_a_missing_value_comes_back_as_it_was_and_a_formula_does_not(
    cell: str, written: str
) -> None:
    line = reject_line(",", Row(1, (cell,), 2), [Fault("", "", "is wrong")])
    assert line.decode().startswith(f'"{written}",')


@pytest.mark.parametrize(
    ("columns", "added"),
    [
        (("amount",), "score"),
        (("amount", "score"), "sentinel_score"),
        (("score", "sentinel_score"), "sentinel_sentinel_score"),
        (("sentinel_score", "score"), "sentinel_sentinel_score"),
    ],
)
def test_no_column_of_a_result_has_the_name_of_another(
    columns: tuple[str, ...], added: str
) -> None:
    line = header_line(Shape(",", False, columns), RESULT_COLUMNS).decode().strip()
    names = [name.strip('"') for name in line.split(",")]
    assert names[len(columns)] == added
    assert len(set(names)) == len(names)


def test_the_line_of_a_file_whose_rest_was_removed_has_as_many_cells_as_a_row() -> None:
    shape = Shape(";", False, ("a", "b"))
    header = header_line(shape, RESULT_COLUMNS).decode()
    line = removed_line(shape, RESULT_COLUMNS).decode()
    assert line.count(";") == header.count(";")
    assert "removed" in line
