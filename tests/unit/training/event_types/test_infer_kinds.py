"""The kind of a field follows the cells of its column."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from scoring.event_type.fields import Field
from tests.support.data.event_files import (
    FILLER,
    FRAUDS,
    ROWS,
    Infer,
    cells,
    comments,
    field,
)


@pytest.mark.parametrize("words", ["", "NA", "NaN", "null", "?", "-", "n/a"])
def test_missing_cells_make_a_field_optional(draft: Infer, words: str) -> None:
    found = draft([words, *FILLER[1:]])
    assert field(found) == Field("x", "integer", optional=True)
    assert "Missing in 1 of 400 rows" in comments(found)


def test_a_word_for_missing_in_a_category_is_questioned(draft: Infer) -> None:
    countries = [cell if i % 25 else "NA" for i, cell in enumerate(cells("DE", "FR", "IT"))]
    found = draft(countries)
    assert field(found) == Field("x", "category", values=("DE", "FR", "IT"), optional=True)
    assert "'NA' counts as missing; name it in `values` if it is one" in comments(found)
    assert "counts as missing" not in comments(draft(["", *cells("DE", "FR", "IT")[1:]]))
    assert "counts as missing" not in comments(draft(["NA", *FILLER[1:]])), "no category"


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


@pytest.mark.parametrize("written", ["1,885.00", "1.885,00", "1'885.00", "1 885,00", "1,885,000"])
def test_numbers_with_separated_thousands_come_with_the_way_to_write_them(
    draft: Infer, written: str
) -> None:
    found = draft(cells(written, written.replace("8", "9"), "12"), separator=";")
    assert "look like numbers with separated thousands" in comments(found)
    assert "write them as 1234.5 if it is a number" in comments(found)


@pytest.mark.parametrize("x", [("007", "012", "100"), ("10.1.2.3", "10.1.2.4", "1.1.1.1")])
def test_digits_that_are_no_numbers_are_not_taken_for_thousands(
    draft: Infer, x: tuple[str, ...]
) -> None:
    assert "thousands" not in comments(draft(cells(*x)))


def test_text_with_many_values_is_open_or_text(draft: Infer) -> None:
    assert field(draft([f"v{i % 51}" for i in range(ROWS)])) == Field("x", "category")
    assert field(draft([f"v{i % 350}" for i in range(ROWS)])) == Field("x", "text")
    assert field(draft(["x" * 300, *cells("a", "b", "c")[1:]])) == Field("x", "text")
    assert field(draft(["x" * 5000, *cells("a", "b", "c")[1:]])).ignored


def test_rare_values_of_a_category_are_questioned(draft: Infer) -> None:
    found = draft(["typo", *cells("a", "b", "c")[1:]])
    assert "1 of the values is in fewer than 20 rows, such as 'typo': is it correct?" in comments(
        found
    )


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
