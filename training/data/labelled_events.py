"""Labelled events: what every training, evaluation and recalibration on a file reads."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scoring.columns import BoolArray, Column, Columns, FloatArray, TextColumn
from scoring.event_type.fields import EventType
from scoring.feature_set.model_features import ModelFeatures
from scoring.transaction import PAYSIM
from scoring.windows.events import IntArray
from training.data.history import window_columns
from training.data.scale import Scale


@dataclass(frozen=True, slots=True)
class LabelledEvents:
    """n events in time order with their labels.

    Attributes:
        event_type: event type of the events.
        columns: column by the name of each field that is not ignored, n rows each.
        is_fraud: labels, bool (n,).
        step: hours, non-decreasing, float64 (n,): PaySim's, or those since 1970. Without a time the
            events are in a random order, cut into 720 hours of as many events each.
        time_us: microseconds since 1970, int64 (n,); None without a time.
        source: name of the source, for people.
        fingerprint: SHA-256 in hex of every value that training reads, in time order.
        ignored: names of the columns of the source that were not read.
    """

    event_type: EventType
    columns: Columns
    is_fraud: BoolArray
    step: FloatArray
    time_us: IntArray | None
    source: str
    fingerprint: str
    ignored: tuple[str, ...] = ()

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

    def rows_of_hours(self, from_step: int | None, until_step: int | None) -> slice:
        """Return the rows of the hours from_step to until_step, both included.

        Args:
            from_step: first hour; None begins at the first row.
            until_step: last hour; None ends at the last row.
        """
        first = None if from_step is None else np.searchsorted(self.step, from_step, side="left")
        end = None if until_step is None else np.searchsorted(self.step, until_step, side="right")
        return slice(
            0 if first is None else int(first),
            len(self) if end is None else int(end),
        )

    @property
    def scale(self) -> Scale:
        """How people read the order of the events."""
        is_by_time = self.event_type is PAYSIM or self.time_us is not None
        return Scale(self.step, self.time_us, is_by_time)

    def __len__(self) -> int:
        return int(self.is_fraud.shape[0])


def amount_of(event_type: EventType, columns: Columns) -> FloatArray:
    """Return the column of the amount, 0 where missing; zeros without a field of that role."""
    name = event_type.roles.get("amount")
    column = columns[name] if name else next(iter(columns.values()))
    if name and isinstance(column, np.ndarray):
        return np.nan_to_num(column)
    return np.zeros(len(column.codes if isinstance(column, TextColumn) else column))


def taken(columns: Columns, order: IntArray | slice) -> dict[str, Column]:
    """Return columns with some of their rows, in an order."""
    return {
        name: TextColumn(column.codes[order], column.values)
        if isinstance(column, TextColumn)
        else np.ascontiguousarray(column[order])
        for name, column in columns.items()
    }


def fingerprint(columns: Columns, is_fraud: BoolArray) -> str:
    """Return the SHA-256 in hex of columns and labels, whatever the codes of the texts are."""
    digest = hashlib.sha256()
    for name, column in columns.items():
        digest.update(name.encode())
        if isinstance(column, TextColumn):
            digest.update(_text_hashes(column.values).take(column.codes).data)
        else:
            digest.update(np.ascontiguousarray(column).data)
    digest.update(np.ascontiguousarray(is_fraud).data)
    return digest.hexdigest()


def _text_hashes(values: Sequence[str]) -> IntArray:
    """Return a hash of each text, and at the end, where the code -1 points, 0."""
    digests = (hashlib.blake2b(value.encode(), digest_size=8).digest() for value in values)
    return np.array([*(int.from_bytes(d, "big", signed=True) for d in digests), 0], np.int64)
