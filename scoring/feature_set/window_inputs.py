"""What the windows of a feature set read of events: keys, values and conditions."""

from __future__ import annotations

import ast
from collections.abc import Sequence

import numpy as np

from scoring.columns import Column, Columns, FloatArray, TextColumn
from scoring.event import AnyEvent
from scoring.expressions import compile_expression
from scoring.feature_set.model_features import ModelFeatures
from scoring.windows.definition import WindowDefinition
from scoring.windows.events import Events, IntArray, Labels, joint_codes
from scoring.windows.point_in_time import window_values


def window_events(
    features: ModelFeatures, columns: Columns, time_us: IntArray, labels: Labels | None
) -> Events:
    """Return what the windows of features read of n events.

    Args:
        features: features whose windows are computed.
        columns: columns of the events, by arrival.
        time_us: microseconds since 1970, int64 (n,).
        labels: labels; None where no window is a fraud rate.
    """

    def computed(source: str) -> FloatArray:
        expression = compile_expression(
            source,
            features.event_type,
            categories=features.feature_set.categories,
            is_stateless=True,
        )
        return expression.evaluate(columns)

    keys = {
        by: joint_codes([_codes(columns[name]) for name in by])
        for by in {window.by for window in features.windows}
    }
    values: dict[str, Column] = {}
    for window in features.windows:
        if window.value is not None and window.value not in values:
            counted = _counted_field(window)
            values[window.value] = columns[counted] if counted else computed(window.value)
    conditions = {
        window.where: np.nan_to_num(computed(window.where)) != 0
        for window in features.windows
        if window.where is not None
    }
    return Events(time_us, keys, values, conditions, labels)


def windows_within(features: ModelFeatures, events: Sequence[AnyEvent]) -> list[FloatArray]:
    """Return the windows of n >= 1 events that see the events before them, and no other history.

    Args:
        features: features whose windows are computed.
        events: events by arrival, each with a time if the features have windows; none is labelled.

    Returns:
        Values of each window, float64 (n,), in the order of `features.windows`.
    """
    if not features.windows:
        return []
    time_us = np.array([event.time_us for event in events], dtype=np.int64)
    nothing = np.zeros(len(events), dtype=np.bool_)
    labels = Labels(nothing, time_us)
    past = window_events(features, features.columns_of(events), time_us, labels)
    values = window_values(past, features.windows)
    return [values[window] for window in features.windows]


def _counted_field(window: WindowDefinition) -> str | None:
    """Return the field whose values a window counts; None of another window."""
    if window.function != "distinct" or window.value is None:
        return None
    # A name that is no identifier is written field('its name').
    node = ast.parse(window.value, mode="eval").body
    return str(ast.literal_eval(node.args[0])) if isinstance(node, ast.Call) else window.value


def _codes(column: Column) -> IntArray:
    if not isinstance(column, TextColumn):
        raise TypeError("a window is by an entity, which is text")
    return column.codes
