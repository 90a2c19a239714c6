"""Events of a tenant's own event type, as trainings read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scoring.event_type.fields import EventType
from scoring.transaction import PAYSIM
from training.data.labelled_events import LabelledEvents, fingerprint, taken
from training.data.loading import read
from training.event_types.loading import load_events

HOUR_US = 3_600_000_000
HOURS_WITHOUT_TIME = 720
"""Hours, a month of them, into which events without a time are cut."""


def own_events(path: Path, event_type: EventType, seed: int) -> LabelledEvents:
    """Read a file of events of a tenant's own event type.

    Without a time the events are put in a random order, so that each part of a split has events of
    all of the file.

    Args:
        path: CSV or Parquet file.
        event_type: event type with a label.
        seed: seed of that order.

    Raises:
        TrainingError: see `training.event_types.loading.load_events`.
    """
    data = load_events(path, event_type)
    columns, is_fraud = data.columns, data.labels
    if data.time_us is None:
        order = np.random.default_rng(seed).permutation(len(data))
        columns, is_fraud = taken(columns, order), is_fraud[order]
        step = np.floor(np.arange(len(data)) * (HOURS_WITHOUT_TIME / len(data)))
    else:
        step = np.floor(data.time_us / HOUR_US)
    return LabelledEvents(
        event_type,
        columns,
        is_fraud,
        step,
        data.time_us,
        data.source,
        fingerprint(columns, is_fraud),
        data.ignored,
    )


def read_labelled(path: Path, event_type: EventType, seed: int = 0) -> LabelledEvents:
    """Read a file of labelled events of any event type; see `own_events`."""
    return read(path) if event_type is PAYSIM else own_events(path, event_type, seed)
