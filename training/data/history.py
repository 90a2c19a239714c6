"""Windows of past events over a file, each event with what was known at its time."""

from __future__ import annotations

from scoring.columns import BoolArray, Columns, FloatArray
from scoring.feature_set.model_features import ModelFeatures
from scoring.windows.events import IntArray, Labels
from training.errors import TrainingError

LABEL_DELAY_US = 7 * 86_400 * 1_000_000
"""Time from an event until its label is known, where a file does not say: a week."""


def window_columns(
    columns: Columns, time_us: IntArray | None, is_fraud: BoolArray, features: ModelFeatures
) -> list[FloatArray]:
    """Compute the windows of features for n events in time order.

    Args:
        columns: columns of the events.
        time_us: microseconds since 1970, non-decreasing, int64 (n,); None without a time.
        is_fraud: labels, bool (n,), each known LABEL_DELAY_US after its event.
        features: features whose windows are computed.

    Returns:
        Values of each window, float64 (n,), in the order of `features.windows`.

    Raises:
        TrainingError: the features have windows, and the events no time.
    """
    if not features.windows:
        return []
    if time_us is None:
        raise TrainingError(
            "The features have windows, which need a field with the role time; the event type "
            f"{features.event_type.name} has none."
        )
    labels = Labels(is_fraud, time_us + LABEL_DELAY_US)
    return list(features.window_inputs.values(columns, time_us, labels))
