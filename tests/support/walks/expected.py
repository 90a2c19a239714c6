"""What the service has to know and reply after what a walk has sent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from scoring.event import AnyEvent
from scoring.event_type.event import Event
from scoring.event_type.fields import EventType
from scoring.event_type.validation import EventValidator
from scoring.model.fraud_model import FraudModel
from scoring.prediction import Prediction
from scoring.transaction import from_wire
from scoring.windows.definition import WindowDefinition
from tests.support.expressions.naive_windows import NaiveEvent, naive_value
from tests.support.walks.senders import Body

SOURCES = ("chargeback", "analyst", "customer", "rule", "import")
"""The most trusted first."""
OF_FEEDBACK = {
    "confirmed_fraud": "fraud",
    "false_positive": "legitimate",
    "escalated": "escalated",
}
CONDITIONS = {"TX_AMOUNT > 50": lambda values: values["TX_AMOUNT"] > 50}


@dataclass(frozen=True)
class ExpectedLabel:
    """A label of an event; `at` is when it became known."""

    label: str
    source: str
    at: datetime
    is_reversal: bool = False


@dataclass
class ExpectedEvent:
    """An event that the service has stored.

    Attributes:
        body: body that was sent, with its `external_id` if it has one.
        event: the same, validated.
        prediction: expected decision.
        reply: reply to the request that stored it.
        labels: labels in the order in which they were stored.
        feedback: labels of analysts' feedback, the latest first.
    """

    body: Body
    event: AnyEvent
    prediction: Prediction
    reply: Any
    labels: list[ExpectedLabel] = field(default_factory=list)
    feedback: list[str] = field(default_factory=list)

    @property
    def label(self) -> str | None:
        """The label that counts."""
        found = self._effective()
        return None if found is None else found.label

    @property
    def fraud_known_us(self) -> int | None:
        """Time at which it became known as a fraud, microseconds since 1970; None: it did not."""
        found = self._effective()
        is_fraud = found is not None and found.label == "fraud"
        return round(found.at.timestamp() * 1_000_000) if found and is_fraud else None

    def add(self, label: ExpectedLabel) -> None:
        """Store a label, unless it is stored."""
        if label not in self.labels:
            self.labels.append(label)

    def add_feedback(self, label: str) -> None:
        """Store feedback, which is a label of the source `analyst` that became known now."""
        self.feedback.insert(0, label)
        self.labels.append(ExpectedLabel(OF_FEEDBACK[label], "analyst", datetime.now(UTC)))

    def _effective(self) -> ExpectedLabel | None:
        escalated = None
        for source in SOURCES:
            of_source = [one for one in self.labels if one.source == source]
            if not of_source:
                continue
            # Of equal times the later stored one: `max` returns the first of equals.
            latest = max(reversed(of_source), key=lambda one: one.at)
            if latest.is_reversal:
                continue
            if latest.label != "escalated":
                return latest
            escalated = latest
        return escalated


class Expected:
    """The events of one walk, and what a model decides about a further one.

    Args:
        model: registered version in production.
    """

    def __init__(self, model: FraudModel) -> None:
        self.model = model
        self.events: list[ExpectedEvent] = []

    def prediction(self, event: AnyEvent, before: Sequence[AnyEvent] = ()) -> Prediction:
        """Return the decision of an event that arrives now.

        Args:
            event: event that is scored.
            before: earlier events of the same request.
        """
        windows = [
            np.array([self._window(window, event, before)])
            for window in self.model.features.windows
        ]
        (prediction,) = self.model.predict([event], window_values=windows)
        return prediction

    def find(self, external_id: str) -> ExpectedEvent:
        """Return a stored event by its own id."""
        return next(one for one in self.events if one.event.external_id == external_id)

    def _window(
        self, window: WindowDefinition, event: AnyEvent, before: Sequence[AnyEvent]
    ) -> float:
        past = [_seen(one.event, window, one.fraud_known_us) for one in self.events]
        past += [_seen(one, window) for one in before]
        return naive_value(past, _seen(event, window), window)


def _seen(event: AnyEvent, window: WindowDefinition, known_us: int | None = None) -> NaiveEvent:
    assert isinstance(event, Event)
    assert event.time_us is not None
    values: Any = event.values
    return NaiveEvent(
        event.time_us,
        tuple(values[name] for name in window.by),
        values[window.value] if window.value else None,
        CONDITIONS[window.where](values) if window.where else True,
        known_us,
    )


def event_of(body: Body, event_type: EventType | None) -> AnyEvent:
    """Return the event of a valid body; of PaySim's without an event type."""
    if event_type is None:
        return from_wire(body)
    return EventValidator(event_type, 1).validate(body, time.time_ns() // 1000)
