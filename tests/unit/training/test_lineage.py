"""The caution on a file that a version was not made from."""

from __future__ import annotations

import pyarrow as pa
import pytest

from training.comparison.lineage import note_on_another_file
from training.data.loading import LabelledEvents, from_table


@pytest.mark.parametrize(
    ("numbers", "version"), [([2], "version 2 was made"), ([1, 3], "version 1 or 3 was made")]
)
def test_the_caution_names_the_file_and_the_versions(numbers: list[int], version: str) -> None:
    assert note_on_another_file("may.csv", numbers) == (
        f"may.csv is not the file that {version} from; if it holds rows of that file, the figures "
        "are too good."
    )


def test_a_part_of_a_file_has_another_fingerprint(month: pa.Table, data: LabelledEvents) -> None:
    assert from_table(month, "copy").fingerprint == data.fingerprint
    assert from_table(month.slice(0, len(month) - 1), "part").fingerprint != data.fingerprint
