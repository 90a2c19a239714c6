"""The last events of somebody's own file, which the demo decides as those of the last days."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from sentinel.local.demo.payments import DAYS, Payment, spread

if TYPE_CHECKING:
    from scoring.windows.events import IntArray
    from training.data.labelled_events import LabelledEvents

MOST = 600
"""Events that are decided, the last ones: windows over the past of each are read one by one."""
_US_A_DAY = 86_400 * 1_000_000


def recent(data: LabelledEvents, but: IntArray) -> IntArray:
    """Return the last rows of the test part, at most MOST, but for some; in order.

    Where the events have a time, they are of the days before a label is known, in which windows
    know no label: what the others have as their past stays as it is.

    Args:
        data: labelled events.
        but: rows that are left out.

    Raises:
        TrainingError: the events cannot be split.
    """
    # Imported late: the packages for training.
    from training.data.history import LABEL_DELAY_US
    from training.data.split import split

    rows = split(data.step, data.is_fraud, scale=data.scale).test.rows
    first = rows.start
    if data.time_us is not None:
        known = int(np.searchsorted(data.time_us, data.time_us[-1] - LABEL_DELAY_US, side="right"))
        first = max(first, known)
    return np.setdiff1d(np.arange(first, rows.stop), but)[-MOST:]


def payments(data: LabelledEvents, rows: IntArray, now: datetime) -> list[Payment]:
    """Return rows as payments that end now; without a time they are spread over a fortnight.

    Args:
        data: labelled events.
        rows: rows in order.
        now: end of the time, UTC.
    """
    # Imported late: Numba takes 0.5 s to load.
    import orjson

    from sentinel.history_rows import Documents

    bodies = [orjson.loads(one) for one in Documents(data.event_type, data.columns).of(rows)]
    if data.time_us is None:
        ago = np.linspace(DAYS * _US_A_DAY, 0, rows.size, endpoint=False).astype(np.int64)
    else:
        ago = data.time_us[rows[-1]] - data.time_us[rows] + 60_000_000 if rows.size else rows
    return spread(bodies, data.is_fraud[rows].tolist(), ago, now)
