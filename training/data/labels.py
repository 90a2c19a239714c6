"""Collect labelled transactions to recalibrate on, from a file or from stored decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from persistence.labels.reader import MaturedTransactions, selection_bias
from scoring.columns import BoolArray, Columns, FloatArray
from scoring.counted import counted
from scoring.event_type.fields import EventType
from scoring.feature_set.model_features import ModelFeatures
from scoring.windows.events import IntArray
from training.data.history import window_columns
from training.data.labelled_events import LabelledEvents, amount_of, taken
from training.data.maturity_window import Window


@dataclass(frozen=True, slots=True)
class Labels:
    """n labelled transactions in time order.

    Attributes:
        event_type: event type of the events.
        columns: fields from which the features are computed.
        is_fraud: labels, bool (n,).
        weights: transactions that each stands for (`scoring.evaluation.weights`), float64 (n,); 0:
            its label does not count.
        time_us: microseconds since 1970, int64 (n,); None without a time.
        time: hours of a file, or Unix seconds if `is_clock`, non-decreasing, float64 (n,).
        is_clock: whether `time` is in Unix seconds.
        source: phrase for the transactions, which follows their number in a sentence.
        remedy: sentence on what to do if there are too few.
        facts: parameters of the run that identify the transactions.
        notes: sentences to print with the figures.
    """

    event_type: EventType
    columns: Columns
    is_fraud: BoolArray
    weights: FloatArray
    time_us: IntArray | None
    time: FloatArray
    is_clock: bool
    source: str
    remedy: str
    facts: Mapping[str, object]
    notes: tuple[str, ...]

    @property
    def amount(self) -> FloatArray:
        """Money, float64 (n,); 0 without a field of that role."""
        return amount_of(self.event_type, self.columns)

    def matrix(self, features: ModelFeatures) -> FloatArray:
        """Compute features of all events, each with what was known at its time.

        Returns:
            C-contiguous float64 (n, number of features).
        """
        windows = window_columns(self.columns, self.time_us, self.is_fraud, features)
        return features.matrix(self.columns, windows)

    def span(self, rows: slice) -> tuple[str, str]:
        """Return the first and the last moment of some rows: hours, or dates in UTC."""
        first, last = float(self.time[rows.start]), float(self.time[rows.stop - 1])
        if not self.is_clock:
            return f"{first:.0f}", f"{last:.0f}"
        return _date(first), _date(last)


def from_file(data: LabelledEvents, from_step: int | None, until_step: int | None) -> Labels:
    """Return the labels of the hours from_step to until_step of a file, both included."""
    rows = data.rows_of_hours(from_step, until_step)
    later = "" if until_step is None else " or a later --until-step"
    return Labels(
        event_type=data.event_type,
        columns=taken(data.columns, rows),
        is_fraud=data.is_fraud[rows],
        weights=np.ones(rows.stop - rows.start),
        time_us=None if data.time_us is None else data.time_us[rows],
        time=data.step[rows],
        is_clock=False,
        source=f"transactions of {data.source}",
        remedy=f"Give more transactions{later}.",
        facts={"source": data.source, "data_fingerprint": data.fingerprint},
        notes=(),
    )


def from_feedback(matured: MaturedTransactions, window: Window) -> Labels:
    """Return the labels of stored transactions, from their labels of all sources."""
    earliest_first = slice(None, None, -1)
    has_weight = matured.weights > 0
    count, labelled = matured.is_fraud.size, int(np.count_nonzero(matured.labelled & has_weight))
    presumed = int(np.count_nonzero(~matured.labelled & has_weight))
    notes = [
        f"Labels: {labelled:,} of {counted(count, 'transaction')} {window} "
        f"{'has' if labelled == 1 else 'have'} a label; "
        f"{counted(presumed, 'other is', 'others are')} presumed honest. "
        f"{selection_bias(matured.weights, matured.is_fraud)}"
    ]
    if matured.truncated:
        notes.append(f"Only the newest {count:,} transactions of the window were read.")
    return Labels(
        event_type=matured.event_type,
        columns=taken(matured.columns, earliest_first),
        is_fraud=matured.is_fraud[earliest_first],
        weights=matured.weights[earliest_first],
        time_us=None if matured.time_us is None else matured.time_us[earliest_first],
        time=matured.decided_at[earliest_first],
        is_clock=True,
        source=f"matured transactions ({window})",
        remedy="Wait for more labels, widen --window-days or lower --maturity-days.",
        facts={
            "source": "feedback",
            **window.facts(),
            "labelled": labelled,
        },
        notes=tuple(notes),
    )


def _date(unix_s: float) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M}"
