"""The windows that are read of past events together: a model's, and those that rules add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from scoring.event_type.fields import EventType
from scoring.expressions import Categories
from scoring.feature_set.entity_windows import EntityWindows
from scoring.windows.definition import WindowDefinition


class PastWindows(Protocol):
    """Windows of past events: a `ModelFeatures`, or `HistoryWindows`."""

    @property
    def windows(self) -> tuple[WindowDefinition, ...]:
        """Windows in the order of their values."""

    @property
    def by_entity(self) -> tuple[EntityWindows, ...]:
        """The windows by each entity, a pair's by its first one."""

    @property
    def has_frauds(self) -> bool:
        """Whether the labels of past events are read."""


@dataclass(frozen=True, slots=True, eq=False)
class HistoryWindows:
    """Windows of the past events of one event type.

    Attributes:
        windows: windows in the order of their values, without repetition.
        event_type: event type of the events.
        categories: learned values of open categories.
        by_entity: the windows by each entity, a pair's by its first one.
    """

    windows: tuple[WindowDefinition, ...]
    event_type: EventType = field(repr=False)
    categories: Categories = field(repr=False)
    by_entity: tuple[EntityWindows, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_entity = windows_by_entity(self.windows, self.event_type, self.categories)
        object.__setattr__(self, "by_entity", by_entity)

    @property
    def has_frauds(self) -> bool:
        """Whether the labels of past events are read."""
        return reads_frauds(self.windows)


def windows_by_entity(
    windows: Sequence[WindowDefinition], event_type: EventType, categories: Categories
) -> tuple[EntityWindows, ...]:
    """Return windows by each entity, a pair's by its first one; none without a time of events.

    Args:
        windows: windows, without repetition.
        event_type: event type of the events.
        categories: learned values of open categories.
    """
    if "time" not in event_type.roles:
        return ()
    places: dict[str, list[int]] = {}
    for place, window in enumerate(windows):
        places.setdefault(window.by[0], []).append(place)
    return tuple(
        EntityWindows(entity, own, [windows[place] for place in own], event_type, categories)
        for entity, own in places.items()
    )


def reads_frauds(windows: Sequence[WindowDefinition]) -> bool:
    """Return whether windows read the labels of past events."""
    return any(window.function == "fraud_rate" for window in windows)
