"""The CSV export holds the stored values, and no cell begins a spreadsheet formula."""

from __future__ import annotations

import asyncio
import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.review.csv_export import CsvExport
from api.review.export_lines import _lines
from persistence.review.cases import Case, Feedback
from scoring.rules.ruling import Ruling
from scoring.rules.verdict import DecidedBy, Verdict
from scoring.tables.formulas import FORMULA_STARTS
from scoring.transaction import PAYSIM
from tests.support.event_types import an_event_type
from tests.support.factories import a_decision

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
EXPORT = CsvExport(PAYSIM)


def a_case(rationale: str | None = None, **transaction: Any) -> Case:
    decided = a_decision(1, **transaction)._replace(decided_at=NOW)
    verdict = Feedback(1, "escalated", rationale or "", "abcdefghij", NOW)
    return Case(decided, undecided=True, feedback=(verdict,) if rationale else ())


def parsed(*cases: Case) -> list[dict[str, str]]:
    text = (EXPORT.header() + EXPORT.lines(cases)).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_line_holds_the_decision_and_its_latest_feedback() -> None:
    case = a_case("looked, saw", external_id="order-1")
    (row,) = parsed(case)
    assert tuple(row) == EXPORT.names
    assert row["transaction_id"] == str(case.decided.transaction_id)
    assert row["decided_at"] == NOW.isoformat() == "2026-01-31T12:00:00+00:00", "as in JSON"
    assert float(row["amount"]) == case.decided.transaction.amount
    assert float(row["score"]) == case.decided.prediction.score
    assert (row["feedback"], row["rationale"]) == ("escalated", "looked, saw")
    assert parsed(a_case())[0]["rationale"] == parsed(a_case())[0]["external_id"] == ""


def test_what_rules_and_chance_had_a_part_in_is_in_the_last_columns() -> None:
    case = a_case()
    drawn = case.decided.prediction._replace(decision="approve", approval_probability=0.05)
    (row,) = parsed(replace(case, decided=case.decided._replace(prediction=drawn)))
    last = ("approval_probability", "0.05"), ("decided_by", "")
    assert (row["decision"], tuple(row.items())[-2:]) == ("approve", last)
    verdict = Verdict("decline", DecidedBy("rule", 12, 3))
    ruled = case.decided.prediction.ruled(Ruling(7, verdict))
    (row,) = parsed(replace(case, decided=case.decided._replace(prediction=ruled)))
    last = ("approval_probability", ""), ("decided_by", "rule 12 version 3")
    assert (row["decision"], tuple(row.items())[-2:]) == ("decline", last)


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_a_csv_formula_is_exported_as_text(start: str) -> None:
    formula = f'{start}HYPERLINK("http://x","y")'
    (row,) = parsed(a_case(formula))
    assert row["rationale"] == f"'{formula}"


@pytest.mark.parametrize("column", ["external_id", "nameOrig", "nameDest"])
@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_a_csv_formula_in_an_account_or_id_is_exported_as_text(column: str, formula: str) -> None:
    attribute = {"nameOrig": "name_orig", "nameDest": "name_dest"}.get(column, column)
    (row,) = parsed(a_case(**{attribute: formula}))
    assert row[column] == f"'{formula}"


def test_a_negative_number_stays_a_number() -> None:
    line = EXPORT.lines([a_case(oldbalance_org=-3.5)]).decode()
    assert ",-3.5," in line
    assert parsed(a_case(oldbalance_org=-3.5))[0]["oldbalanceOrg"] == "-3.5"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50))
def test_every_text_stays_in_its_cell_and_begins_no_formula(rationale: str) -> None:
    (row,) = parsed(a_case(rationale))
    cell = row["rationale"]
    assert cell in {rationale, f"'{rationale}"}
    assert not cell.startswith(FORMULA_STARTS)


def test_a_fields_name_is_neither_a_formula_nor_the_name_of_another_column() -> None:
    event_type = an_event_type(
        **{"=1+1": {"kind": "number"}, "score": {"kind": "number"}, "decision": {"kind": "text"}}
    )
    (header,) = csv.reader(io.StringIO(CsvExport(event_type).header().decode()))
    assert "'=1+1" in header
    assert "=1+1" not in header
    assert len(set(header)) == len(header)
    assert {"event.score", "score", "event.decision", "decision"} <= set(header)


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_an_export_whose_rows_retention_removed_meanwhile_says_how_many(kept: int) -> None:
    async def read(_start: int) -> list[Case]:
        return [a_case()][: max(0, kept - 1)]

    async def export() -> bytes:
        lines = _lines(EXPORT, [a_case()][:kept], [1], read, 2, None)
        return b"".join([part async for part in lines])

    rows = list(csv.reader(io.StringIO(asyncio.run(export()).decode(), newline="")))
    assert len(rows) == 1 + kept + (kept < 2)
    assert {len(row) for row in rows} == {len(EXPORT.names)}
    assert rows[-1][0].startswith(f"rows removed: {2 - kept} by retention") is (kept < 2)
