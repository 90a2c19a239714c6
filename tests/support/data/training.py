"""A simulated month and files of payments to train on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest

from training.data.simulator import simulate

PAYMENT = {
    "step": "1",
    "type": "PAYMENT",
    "amount": "12.50",
    "nameOrig": "C1",
    "oldbalanceOrg": "100.0",
    "nameDest": "M1",
    "oldbalanceDest": "0.0",
    "isFraud": "0",
}


@pytest.fixture(scope="session")
def month() -> pa.Table:
    """A small simulated month."""
    return simulate(40_000, seed=3)


@pytest.fixture
def payments(tmp_path: Path) -> Callable[..., Path]:
    """A factory of CSV files of three good rows; `row` (from 1) gets the changes."""

    def write(row: int = 2, name: str = "payments.csv", **changes: Any) -> Path:
        rows = [dict(PAYMENT) for _ in range(3)]
        rows[row - 1].update(changes)
        lines = [",".join(PAYMENT), *(",".join(map(str, values.values())) for values in rows)]
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


@pytest.fixture
def month_csv(month: pa.Table, tmp_path: Path) -> Path:
    """The small month as a file."""
    path = tmp_path / "month.csv"
    pyarrow.csv.write_csv(month, path)
    return path
