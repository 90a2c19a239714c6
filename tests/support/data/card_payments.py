"""Card payments with their labels: the Fraud Detection Handbook's, or generated ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.event_types import an_event_type

PAYMENT = an_event_type(CHANNEL=None)
"""The event type of the columns below."""
COLUMNS = ("TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT", "TX_FRAUD")


def generated_payments(count: int, seed: int = 14) -> pa.Table:
    """Return payments of at most two months in order of time, a fiftieth of them frauds.

    Some are in the same second, and few cards have most of them. A day has 25 or more, so that no
    batch of 150 lasts longer than the week after which a label is known.
    """
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.integers(0, min(60.0, count / 25) * 86_400, count))
    tied = rng.random(count) < 0.1
    tied[0] = False
    seconds = np.maximum.accumulate(np.where(tied, 0, seconds))
    return pa.table(
        {
            "TX_DATETIME": np.datetime64("2024-01-02", "s") + seconds.astype("timedelta64[s]"),
            "CUSTOMER_ID": rng.zipf(1.4, count) % max(count // 40, 1),
            "TERMINAL_ID": rng.integers(0, max(count // 60, 1), count),
            "TX_AMOUNT": rng.lognormal(3.5, 1.2, count).round(2),
            "TX_FRAUD": (rng.random(count) < 0.02).astype(np.int64),
        }
    )


def handbook_payments(path: Path, count: int) -> pa.Table:
    """Return all payments of some cards and of some terminals of the handbook, in order of time.

    The first payments of all would have no past of a month.

    Args:
        path: Parquet file of the handbook's payments in order of time.
        count: number of payments, at most the file's.
    """
    table = pq.read_table(path, columns=list(COLUMNS))
    ranks = [
        np.asarray(table[name]) / np.max(table[name]) for name in ("CUSTOMER_ID", "TERMINAL_ID")
    ]
    rank = np.minimum(*ranks)
    chosen = np.flatnonzero(rank <= np.partition(rank, count - 1)[count - 1])[:count]
    return table.take(pa.array(chosen))
