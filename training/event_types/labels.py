"""Read the column of a file that has the labels."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from scoring.columns import FloatArray
from scoring.tables.written_numbers import BOOLEANS
from training.data import columns as arrow_columns
from training.event_types.cells import booleans

LABEL_RULE = "0 or 1, true or false, yes or no, ja or nein, oui or non, sí or no, fraud or legit"

_WORDS = {
    **BOOLEANS,
    # Of other languages: no word means yes in one of them and no in another.
    **dict.fromkeys(("ja", "oui", "sí", "sì", "si"), 1.0),
    **dict.fromkeys(("nein", "non"), 0.0),
    **dict.fromkeys(("fraud", "fraudulent"), 1.0),
    **dict.fromkeys(("legit", "legitimate", "genuine", "normal", "non-fraud", "not fraud"), 0.0),
}


def labels(column: pa.ChunkedArray) -> FloatArray:
    """Return 1.0 for fraud, 0.0 for legitimate and NaN for any other cell, float64 (n,).

    Args:
        column: n cells.
    """
    can_be_labels = arrow_columns.can_be_numbers(column.type) or pa.types.is_boolean(column.type)
    if not can_be_labels:
        return np.full(len(column), np.nan)
    return booleans(column, _WORDS)
