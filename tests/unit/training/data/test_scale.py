"""What people read of the order of rows: hours, dates, or row numbers."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.scale import Scale
from training.data.split import split
from training.errors import TrainingError

DAY_US = 86_400_000_000
STEP = np.arange(2000) // 10


def dates() -> Scale:
    return Scale(STEP.astype(float), 1_522_540_831_000_000 + STEP * DAY_US)


@pytest.mark.parametrize(
    ("scale", "span", "until"),
    [
        (Scale(STEP.astype(float)), "steps 1 to 199", "step 199"),
        (dates(), "2018-04-02 00:00 to 2018-10-17 00:00", "2018-10-17 00:00"),
        (Scale(STEP.astype(float), is_by_time=False), "rows 11 to 2,000", "row 2,000"),
    ],
)
def test_a_span_reads_as_what_orders_the_rows(scale: Scale, span: str, until: str) -> None:
    assert scale.span(slice(10, 2000)) == span
    assert scale.place(1999) == until


def test_the_parts_of_a_split_are_described_on_its_scale() -> None:
    is_fraud = np.arange(2000) % 10 == 0
    assert "rows 1 to " in str(split(STEP, is_fraud, scale=Scale(STEP, is_by_time=False)).fit)
    assert ", 2018-04-01 00:00 to 2018-" in str(split(STEP, is_fraud, scale=dates()).fit)


def test_a_part_without_frauds_is_refused_with_its_date() -> None:
    is_fraud = (np.arange(2000) % 10 == 0) & (np.arange(2000) < 1000)
    with pytest.raises(TrainingError, match=r"\(up to 2018-\d\d-\d\d 00:00\) holds 0 frauds"):
        split(STEP, is_fraud, scale=dates())
    with pytest.raises(TrainingError, match=r"part of the random split \(up to row 1,\d{3}\)"):
        split(STEP, is_fraud, scale=Scale(STEP, is_by_time=False))
