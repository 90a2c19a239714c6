"""Past events of a file: the valid ones in order of time, and why the others are not valid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.data.event_files import write_csv, write_parquet
from tests.support.event_types import NOW_US, an_event_type
from training.errors import TrainingError
from training.event_types.past_events import PastEvents, load_past_events

USUAL: dict[str, list[Any]] = {
    "TX_DATETIME": ["2026-03-31T12:00:00Z", "2026-03-31T11:00:00Z", "2026-03-31T13:00:00Z"],
    "CUSTOMER_ID": ["596", "7", "596"],
    "TERMINAL_ID": ["T1", "T2", "T1"],
    "TX_AMOUNT": ["57.16", "0", "1000000"],
    "CHANNEL": ["web", "", "pos"],
    "TX_FRAUD": ["0", "1", ""],
}


def load(path: Path, **fields: dict[str, Any] | None) -> PastEvents:
    return load_past_events(path, an_event_type(**fields), NOW_US)


def reasons(data: PastEvents) -> dict[tuple[int, int | None], str]:
    return {(one.row, one.line): one.reason for one in data.rejected}


def test_events_are_in_order_of_time_and_an_empty_label_is_no_fraud(tmp_path: Path) -> None:
    data = load(write_csv(tmp_path / "p.csv", USUAL))
    assert data.is_fraud.tolist() == [True, False, False]
    assert data.is_labelled.tolist() == [True, True, False]
    assert data.time_us.tolist() == sorted(data.time_us.tolist())
    assert data.rejected == ()


def test_a_date_with_the_day_first_is_not_guessed_but_rejected(tmp_path: Path) -> None:
    times = ["31.03.2026 12:00", "2026-03-31 11:00", "01.04.2026"]
    data = load(write_csv(tmp_path / "p.csv", USUAL | {"TX_DATETIME": times}))
    assert len(data) == 1
    assert reasons(data) == {
        (row, row + 1): "TX_DATETIME must be a time since 1970 with the year first, such as "
        f"2026-05-01T09:30:00Z, or a number since 1970, not {times[row - 1]!r}."
        for row in (1, 3)
    }


def test_a_file_without_labels_has_no_known_fraud(tmp_path: Path) -> None:
    columns = {name: cells for name, cells in USUAL.items() if name != "TX_FRAUD"}
    data = load(write_parquet(tmp_path / "p.parquet", columns))
    assert len(data) == 3
    assert not data.is_fraud.any()
    assert not data.is_labelled.any()


def test_a_row_is_rejected_by_each_of_its_bad_columns_and_the_others_are_kept(
    tmp_path: Path,
) -> None:
    columns = USUAL | {
        "TX_AMOUNT": ["57.16", "1,000.00", "-1"],
        "TX_FRAUD": ["0", "1", "perhaps"],
    }
    data = load(write_csv(tmp_path / "p.csv", columns, separator=";"))
    assert data.columns["TX_AMOUNT"].tolist() == [57.16]  # type: ignore[union-attr]
    assert reasons(data) == {
        (2, 3): "TX_AMOUNT must be a finite number from 0 to 1000000, not '1,000.00'. Write numbers"
        " with a decimal point and without separators, such as 1234.5.",
        (3, 4): "TX_AMOUNT must be a finite number from 0 to 1000000, not '-1'. TX_FRAUD must be 0"
        " or 1, true or false, yes or no, ja or nein, oui or non, sí or no, fraud or legit, not"
        " 'perhaps'.",
    }
    assert dict(zip(data.names, data.rejected[1].cells, strict=True))["TX_FRAUD"] == "perhaps"


def test_a_label_that_cannot_be_read_rejects_its_row(tmp_path: Path) -> None:
    data = load(write_csv(tmp_path / "p.csv", USUAL | {"TX_FRAUD": ["0", "1", "perhaps"]}))
    assert len(data) == 2
    assert reasons(data)[3, 4].startswith("TX_FRAUD must be 0 or 1")


def test_a_time_in_the_future_rejects_its_row(tmp_path: Path) -> None:
    times = ["2026-03-31T12:00:00Z", "2026-03-31T11:00:00Z", "2062-03-31T13:00:00Z"]
    data = load(write_csv(tmp_path / "p.csv", USUAL | {"TX_DATETIME": times}))
    assert "at most 24 hours in the future" in reasons(data)[3, 4]


def test_a_row_of_another_width_is_rejected_and_the_lines_of_later_ones_are_right(
    tmp_path: Path,
) -> None:
    header = ",".join(USUAL)
    (tmp_path / "p.csv").write_text(
        f"{header}\n"
        "2026-03-31T12:00:00Z,596,T1,57.16,web,0\n"
        "2026-03-31T12:00:00Z,596,T1\n"
        "\n"
        "2026-03-31T12:00:00Z,596,T1,12.5,web,0\n"
        "2026-03-31T12:00:00Z,596,,57.16,web,0\n"
    )
    data = load(tmp_path / "p.csv")
    assert data.columns["TX_AMOUNT"].tolist() == [57.16, 12.5]  # type: ignore[union-attr]
    assert reasons(data)[2, 3] == "the row has 3 columns, the header has 6."
    assert reasons(data)[4, 6].startswith("TERMINAL_ID must be 1 to 128 visible characters")
    assert data.rejected[0].cells == ["2026-03-31T12:00:00Z", "596", "T1", "", "", ""]


@pytest.mark.parametrize(
    ("without", "missing"),
    [("TX_DATETIME", "time"), ("CUSTOMER_ID", "entity")],
)
def test_an_event_type_that_has_no_windows_is_refused(
    tmp_path: Path, without: str, missing: str
) -> None:
    path = write_csv(tmp_path / "p.csv", USUAL)
    with pytest.raises(TrainingError, match=f"has no {missing}"):
        load(path, **{without: None, "TERMINAL_ID": None})


def test_a_missing_column_refuses_the_file(tmp_path: Path) -> None:
    columns = {name: cells for name, cells in USUAL.items() if name != "TX_AMOUNT"}
    with pytest.raises(TrainingError, match="lacks the column TX_AMOUNT"):
        load(write_csv(tmp_path / "p.csv", columns))
