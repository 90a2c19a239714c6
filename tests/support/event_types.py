"""Event types and events for tests."""

from __future__ import annotations

from typing import Any

from scoring.event_type.document import from_document
from scoring.event_type.fields import EventType

NOW_US = 1_775_000_000_000_000
"""Microseconds since 1970 UTC: 2026-03-31T23:33:20Z, the clock of the tests."""


def an_event_type(**fields: dict[str, Any] | None) -> EventType:
    """Return card payments as an event type.

    Args:
        fields: documents of fields that replace these or are added; None leaves one out.
    """
    usual: dict[str, Any] = {
        "TX_DATETIME": {"kind": "timestamp", "role": "time"},
        "CUSTOMER_ID": {"kind": "entity", "entity": "customer", "role": "payer"},
        "TERMINAL_ID": {"kind": "entity", "entity": "terminal", "role": "payee"},
        "TX_AMOUNT": {"kind": "number", "role": "amount", "min": 0, "max": 1_000_000},
        "CHANNEL": {"kind": "category", "values": ["pos", "web", "atm"], "optional": True},
    }
    given = {name: field for name, field in (usual | fields).items() if field is not None}
    return from_document({"name": "card_payment", "label": "TX_FRAUD", "fields": given})


def an_event(**values: Any) -> dict[str, Any]:
    """Return the body of a card payment.

    Args:
        values: values that replace these or are added.
    """
    usual = {
        "TX_DATETIME": "2026-03-31T12:00:00Z",
        "CUSTOMER_ID": 596,
        "TERMINAL_ID": "T3156",
        "TX_AMOUNT": 57.16,
        "CHANNEL": "web",
    }
    return usual | values
