"""Functions that infer an event type from a file with one column of interest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.support.data.event_files import FILLER, LABEL, Infer, write_csv, write_parquet
from training.event_types.draft import Draft
from training.event_types.infer import infer


@pytest.fixture
def draft(tmp_path: Path) -> Infer:
    """A function that infers from a CSV file with a column `x` and the label `y`."""

    def infer_x(x: Any = FILLER, *, name: str = "x", time: str | None = None, **how: Any) -> Draft:
        columns = {name: x, "other": FILLER, "y": LABEL}
        return infer(write_csv(tmp_path / "payments.csv", columns, **how), "y", time)

    return infer_x


@pytest.fixture
def draft_parquet(tmp_path: Path) -> Infer:
    """A function that infers from a Parquet file with a column `x` and the label `y`."""

    def infer_x(x: pa.Array, *, name: str = "x", time: str | None = None) -> Draft:
        columns = {name: x, "other": FILLER, "y": LABEL}
        return infer(write_parquet(tmp_path / "payments.parquet", columns), "y", time)

    return infer_x
