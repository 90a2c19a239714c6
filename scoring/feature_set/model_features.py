"""ModelFeatures: the inputs of a model version, for the event type that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from scoring.columns import Columns, FloatArray
from scoring.described_features import DescribedFeatures, FeatureDescription
from scoring.event import AnyEvent, event_columns
from scoring.event_type import document as event_type_document
from scoring.event_type.fields import EventType
from scoring.expressions.nodes import Call, Node, Window, children
from scoring.feature_set import document as feature_set_document
from scoring.feature_set.definition import Direction
from scoring.feature_set.entity_windows import EntityWindows
from scoring.feature_set.feature_set import CompiledFeature, CompiledFeatureSet, FeatureSet
from scoring.feature_set.history_windows import reads_frauds, windows_by_entity
from scoring.feature_set.sentences import phrase
from scoring.feature_set.window_inputs import WindowInputs
from scoring.transaction import PAYSIM
from scoring.windows.definition import WindowDefinition
from scoring.windows.events import Labels

_NO_OR_YES = ("no", "yes")
_HOURS = tuple(f"{hour:02d}:00" for hour in range(24))
_WEEKDAYS = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)
_SIGNS: Mapping[Direction, int] = {"increasing": 1, "decreasing": -1}
_OTHER = "another value"
"""Word for a value of an open category that the training had not seen."""


@dataclass(frozen=True, slots=True)
class ModelFeatures:
    """The features of a model version, and the event type that they are computed from.

    Attributes:
        event_type: event type of the training; the version needs those of its fields that the
            features use.
        feature_set: definitions in the order of the model's matrix.
        compiled: the definitions as one function of columns.
        window_inputs: the windows as one function of columns.
        by_entity: the windows by each entity, a pair's by its first one.
        described: features as people read them.

    Raises:
        InvalidFeatureSet: an expression does not fit the event type.
    """

    event_type: EventType
    feature_set: FeatureSet
    compiled: CompiledFeatureSet = field(init=False, compare=False, repr=False)
    window_inputs: WindowInputs = field(init=False, compare=False, repr=False)
    by_entity: tuple[EntityWindows, ...] = field(init=False, compare=False, repr=False)
    described: DescribedFeatures = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        compiled = self.feature_set.compile(self.event_type)
        object.__setattr__(self, "compiled", compiled)
        categories = self.feature_set.categories
        inputs = WindowInputs(compiled.windows, self.event_type, categories)
        object.__setattr__(self, "window_inputs", inputs)
        by_entity = windows_by_entity(compiled.windows, self.event_type, categories)
        object.__setattr__(self, "by_entity", by_entity)
        phrases = tuple(partial(self._phrase, feature) for feature in compiled.features)
        described = DescribedFeatures(
            tuple(self._description(feature) for feature in compiled.features),
            () if self.event_type is PAYSIM else phrases,
        )
        object.__setattr__(self, "described", described)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order of the matrix."""
        return self.compiled.names

    @property
    def categorical(self) -> tuple[str, ...]:
        """Names of the features that LightGBM splits by sets of codes.

        Codes of a closed category have the order that its list gives them, so they are numbers.
        """
        return tuple(
            feature.definition.name
            for feature in self.compiled.features
            if (name := feature.coded_field) and self.event_type.kept[name].values is None
        )

    @property
    def monotone(self) -> tuple[int, ...]:
        """By feature, 1 where the score may only rise with it, -1 only fall, 0 either."""
        return tuple(
            _SIGNS[definition.monotone] if definition.monotone else 0
            for definition in self.feature_set.definitions
        )

    @property
    def windows(self) -> tuple[WindowDefinition, ...]:
        """Windows whose values `matrix` takes, in order."""
        return self.compiled.windows

    @property
    def has_frauds(self) -> bool:
        """Whether the windows read the labels of past events."""
        return reads_frauds(self.windows)

    @property
    def windowed(self) -> tuple[str, ...]:
        """Names of the features that depend on past events."""
        return tuple(
            feature.definition.name
            for feature in self.compiled.features
            if _has_window(feature.expression.root)
        )

    def matrix(self, columns: Columns, window_values: Sequence[FloatArray] = ()) -> FloatArray:
        """Compute every feature of n events.

        Args:
            columns: columns of n events, at least those of the fields that the features use.
            window_values: values of each window, float64 (n,), in the order of `windows`.

        Returns:
            C-contiguous float64 (n, number of features), each value finite or NaN (missing).
        """
        return self.compiled.matrix(columns, window_values)

    def matrix_of(
        self, events: Sequence[AnyEvent], window_values: Sequence[FloatArray] = ()
    ) -> FloatArray:
        """Compute every feature of n >= 1 events; otherwise as `matrix`."""
        return self.compiled.matrix(self.columns_of(events), window_values)

    def columns_of(self, events: Sequence[AnyEvent]) -> Columns:
        """Return the columns that the features need of n >= 1 events."""
        # A feature set may use no field at all; the columns still say how many events there are.
        return event_columns(events, self.compiled.fields or (next(iter(self.event_type.kept)),))

    def windows_within(self, events: Sequence[AnyEvent]) -> list[FloatArray]:
        """Return the windows of n >= 1 events that see the events before them, and no other past.

        Args:
            events: n events by arrival, each with a time if the features have windows; none is
                labelled.

        Returns:
            Values of each window, float64 (n,), in the order of `windows`.
        """
        if not self.windows:
            return []
        time_us = np.array([event.time_us for event in events], dtype=np.int64)
        labels = Labels(np.zeros(len(events), dtype=np.bool_), time_us)
        columns = event_columns(events, self.window_inputs.fields)
        return list(self.window_inputs.values(columns, time_us, labels))

    def misfit(self, event_type: EventType) -> str | None:
        """Return a sentence on why events of a type cannot be scored; None where they can.

        The features need each field that they use, of the same kind and with the same codes, and
        their windows the time of each event in the same field.
        """
        if event_type is self.event_type:
            return None
        name, kept = event_type.name, event_type.kept
        for used in self.compiled.fields:
            wanted, sent = self.event_type.kept[used], kept.get(used)
            if sent is None:
                return f"The model needs the field {used}, which the event type {name} lacks."
            if sent.kind != wanted.kind:
                return (
                    f"The model needs the field {used} as {wanted.kind}; the event type {name} has"
                    f" it as {sent.kind}."
                )
            known = wanted.values or ()
            if sent.values is not None and sent.values[: len(known)] != known:
                return (
                    f"The values of the field {used} have another order in the event type {name}"
                    " than in the model's training."
                )
        time = self.event_type.roles.get("time")
        if self.windows and event_type.roles.get("time") != time:
            return (
                f"The model needs {time} as the time of each event, which it is not in the event"
                f" type {name}."
            )
        return None

    def as_document(self) -> dict[str, Any]:
        """Return event type and definitions as JSON values; `model_features` is the inverse."""
        return {
            "event_type": event_type_document.to_document(self.event_type),
            "feature_set": feature_set_document.to_document(self.feature_set),
        }

    def _phrase(self, feature: CompiledFeature, value: float) -> str:
        stated = phrase(feature, value, self.compiled.schema)
        return stated[0].upper() + stated[1:]

    def _description(self, feature: CompiledFeature) -> FeatureDescription:
        definition = feature.definition
        return FeatureDescription(
            definition.name,
            definition.description or feature.expression.source,
            definition.words or self._words(feature),
        )

    def _words(self, feature: CompiledFeature) -> tuple[str, ...] | None:
        root = feature.expression.root
        if root.kind == "boolean":
            return _NO_OR_YES
        if name := feature.coded_field:
            closed = self.event_type.kept[name].values
            return closed or (*self.feature_set.categories.get(name, ()), _OTHER)
        match root:
            case Call("hour", _):
                return _HOURS
            case Call("weekday", _):
                return _WEEKDAYS
        return None


def _has_window(node: Node) -> bool:
    return isinstance(node, Window) or any(map(_has_window, children(node)))


def model_features(document: Mapping[str, Any]) -> ModelFeatures:
    """Return the features that `ModelFeatures.as_document` serialised.

    Args:
        document: result of `as_document`, possibly read from JSON.

    Raises:
        InvalidEventType: the event type is not valid.
        InvalidFeatureSet: the feature set is not valid, or does not fit the event type.
    """
    event_type = event_type_document.from_document(document.get("event_type"))
    return ModelFeatures(
        # The object itself: `is PAYSIM` selects the contract of PaySim's transactions.
        PAYSIM if event_type == PAYSIM else event_type,
        feature_set_document.from_document(document.get("feature_set")),
    )
