"""Cut the file of payments into what is known before the test, and the test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.quality.published import TEST_END_US, TEST_US, TRAINING_END_US, Payments

LABEL = "TX_FRAUD"
COLUMNS = ("TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT", LABEL)
MISSING = (
    "The Fraud Detection Handbook's simulated payments are needed: put them in one Parquet file"
    " and name it, as in `make bench-quality DATA=handbook.parquet`."
)


@dataclass(frozen=True, slots=True)
class Cut:
    """The files and the payments of the experiment.

    Attributes:
        training: Parquet file of the payments up to the end of training, with labels.
        past: Parquet file of those before the test, with labels.
        payments: payments up to the end of the test.
        bodies: payments of the test in order of time, as requests have them.
    """

    training: Path
    past: Path
    payments: Payments
    bodies: list[dict[str, object]]


def cut(source: Path | None, folder: Path) -> Cut:
    """Write the files of the experiment to a folder.

    Args:
        source: Parquet file of all payments.
        folder: existing folder.

    Raises:
        click.ClickException: the file is missing or is another one.
    """
    if source is None or not source.is_file():
        raise click.ClickException(MISSING)
    names = pq.read_schema(source).names
    if not set(COLUMNS) <= set(names):
        raise click.ClickException(f"{source} lacks the columns {', '.join(COLUMNS)}. {MISSING}")
    table = pq.read_table(source)
    table = table.take(pc.sort_indices(table, [("TX_DATETIME", "ascending")]))
    times = table["TX_DATETIME"].cast(pa.timestamp("us")).cast(pa.int64())
    time_us = np.asarray(times, dtype=np.int64)
    training, test, end = np.searchsorted(time_us, (TRAINING_END_US, TEST_US, TEST_END_US)).tolist()
    files = folder / "training.parquet", folder / "past.parquet"
    for path, rows in zip(files, (training, test), strict=True):
        pq.write_table(table.slice(0, rows), path)
    used = table.slice(0, end)
    payments = Payments(
        time_us[:end],
        np.asarray(used["CUSTOMER_ID"], dtype=np.int64),
        np.asarray(used[LABEL], dtype=np.int64) == 1,
    )
    week = table.slice(test, end - test)
    moments = np.datetime_as_string(time_us[test:end].astype("datetime64[us]"), unit="s").tolist()
    bodies: list[dict[str, object]] = [
        {
            "TX_DATETIME": f"{moment}Z",
            "CUSTOMER_ID": customer,
            "TERMINAL_ID": terminal,
            "TX_AMOUNT": amount,
        }
        for moment, customer, terminal, amount in zip(
            moments,
            *(week[name].to_pylist() for name in ("CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT")),
            strict=True,
        )
    ]
    return Cut(*files, payments, bodies)
