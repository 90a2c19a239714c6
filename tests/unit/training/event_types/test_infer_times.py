"""Which columns are times, and which one is the time of the event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scoring.event_type.fields import Field
from tests.support.data.event_files import (
    FRAUDS,
    LABEL,
    ROWS,
    Infer,
    cells,
    comments,
    field,
    write_csv,
)
from training.errors import TrainingError
from training.event_types.infer import infer


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
        (cells("1969-12-31", "2026-03-31", "2026-04-01"), "before 1970"),
    ],
)
def test_times_that_cannot_be_read_are_ignored(draft: Infer, x: list[Any], part: str) -> None:
    found = draft(x)
    assert field(found).ignored
    assert part in comments(found)


DAY_FIRST = cells("01.04.2026 09:30", "31.03.2026 13:45", "02.04.2026 23:59")


@pytest.mark.parametrize(
    ("x", "fault"),
    [
        (
            DAY_FIRST,
            "dates with the day first. Write the year first: 2026-03-31 13:45 for 31.03.2026 "
            "13:45.",
        ),
        (
            cells("1/4/2026", "31/3/2026", "2/4/2026"),
            "dates with the day first. Write the year first: 2026-03-31 for 31/3/2026.",
        ),
        (
            cells("04/01/2026 9:30 AM", "03/31/2026 1:45 PM", "04/02/2026 1:46 PM"),
            "dates with the month first. Write the year first: 2026-03-31 for 03/31/2026 1:45 PM.",
        ),
        *(
            (
                x,
                f"dates whose day and month may be confused, such as {x[0]}. Write the year first, "
                "as in 2026-05-31 13:45.",
            )
            for x in (
                cells("01.04.2026", "02.04.2026", "03.04.2026"),
                cells("1.4.26 10:00", "25.4.26 11:00", "3.4.26 12:00"),
                cells("31/03/2026", "04/13/2026", "02/04/2026"),
            )
        ),
    ],
)
def test_dates_without_the_year_first_are_ignored_with_how_to_write_them(
    draft: Infer, x: list[Any], fault: str
) -> None:
    found = draft(x)
    assert field(found) == Field("x", "text", ignored=True)
    assert comments(found) == f"Ignored: its cells are {fault}"
    assert any(comment.endswith("Is it x? See there how to write its dates.")
               for comment in found.comments)  # fmt: skip
    with pytest.raises(TrainingError) as refused:
        draft(x, time="x")
    assert str(refused.value) == f"payments.csv: the cells of the column x are {fault}"


def test_some_other_cells_do_not_hide_that_a_column_has_dates_or_times(draft: Infer) -> None:
    days = [f"{1 + i % 28:02d}.{1 + i // 28 % 12:02d}.2026" for i in range(ROWS)]
    found = draft(["soon", *days[1:]])
    assert comments(found).startswith("Ignored: its cells are dates with the day first.")
    times = [f"2026-03-31 12:{i // 60 % 60:02d}:{i % 60:02d}" for i in range(ROWS)]
    found = draft(["soon", *times[1:]])
    assert comments(found).startswith(
        "Most cells are times, but not 'soon'; correct them if it is a time."
    )


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
