"""A row is read by itself: what goes wrong in one holds up no other."""

from __future__ import annotations

from typing import Any

import pytest

from scoring.tables.csv_rows import Row
from scoring.transaction import PAYSIM
from scoring.uploads.row_reader import BadRow, RowReader


def test_an_error_that_nobody_foresaw_rejects_its_row_alone() -> None:
    def validate(body: dict[str, Any]) -> Any:
        return 1 / body["amount"]

    reader = RowReader(PAYSIM, ("amount",), {"amount": "amount"}, None, validate)
    with pytest.raises(BadRow) as bad:
        reader.read(Row(1, ("0",)), "a")
    assert [one.reason for one in bad.value.faults] == [
        "cannot be read; the service's log has more"
    ]
    assert reader.read(Row(2, ("2",)), "b") == 0.5
