"""The features of a training: given or suggested, with the categories that its data have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scoring.columns import TextColumn
from scoring.counted import counted
from scoring.errors import InvalidFeatureSet
from scoring.event_type.fields import EventType
from scoring.feature_set.document import MAX_CATEGORIES, MAX_FEATURES
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.model_features import ModelFeatures
from scoring.features import PAYSIM_FEATURES
from scoring.transaction import PAYSIM
from training.data.labelled_events import LabelledEvents
from training.errors import TrainingError
from training.features.feature_file import faults
from training.features.suggest import suggest


def features_of(
    event_type: EventType, given: FeatureSet | None, data: LabelledEvents, rows: slice
) -> ModelFeatures:
    """Return the features of a training.

    Args:
        event_type: event type of the data.
        given: feature set to use; None for PaySim's own, or for the suggested one.
        data: events of the training.
        rows: rows in which open categories are learned: those that the booster is fitted on.

    Raises:
        TrainingError: the feature set does not fit the event type, or none can be suggested.
    """
    if given is None and event_type is PAYSIM:
        return PAYSIM_FEATURES
    feature_set = suggested(event_type) if given is None else given
    try:
        learned = {
            name: _values(data, name, rows) for name in feature_set.open_categories(event_type)
        }
        known = {name: values for name, values in learned.items() if values}
        return ModelFeatures(
            event_type, replace(feature_set, categories={**known, **feature_set.categories})
        )
    except InvalidFeatureSet as error:
        raise TrainingError(
            f"The features do not fit the event type {event_type.name}:{faults(error)}"
        ) from error


def suggested(event_type: EventType) -> FeatureSet:
    """Return the features that are suggested for an event type.

    Raises:
        TrainingError: there are none, or more than a model may have.
    """
    feature_set = suggest(event_type)
    count = len(feature_set.definitions)
    if count == 0:
        raise TrainingError(
            f"No feature can be made of the fields of the event type {event_type.name} alone; add "
            "a field, or give a feature set."
        )
    if count > MAX_FEATURES:
        raise TrainingError(
            f"The event type {event_type.name} has {counted(len(event_type.kept), 'field')}, from "
            "which "
            f"{counted(count, 'feature is', 'features are')} made; a model has at most "
            f"{MAX_FEATURES}. Make fields that "
            "matter little `ignored` in the event type, or fewer of them entities."
        )
    return feature_set


def _values(data: LabelledEvents, name: str, rows: slice) -> tuple[str, ...]:
    """Return the values of an open category in some rows, the most frequent first."""
    column = data.columns[name]
    if not isinstance(column, TextColumn):
        raise TypeError(f"{name} is not text")
    codes = column.codes[rows]
    counts = np.bincount(codes[codes >= 0], minlength=len(column.values))
    order = sorted(np.flatnonzero(counts), key=lambda code: (-counts[code], column.values[code]))
    return tuple(column.values[code] for code in order[:MAX_CATEGORIES])
