"""Examples of the lists routes in the OpenAPI document."""

from __future__ import annotations

from typing import Any

NEW_LIST: dict[str, Any] = {"name": "blocked", "entity": "account", "action": "decline"}
ENTRIES_IN: dict[str, Any] = {
    "entries": [
        {"value": "C553264065", "reason": "three chargebacks"},
        {
            "value": "C38997010",
            "reason": "reported by another bank",
            "expires_at": "2030-01-31T12:00:00Z",
        },
    ]
}
ENTRIES_CSV = """value,reason,expires_at
C553264065,three chargebacks,
C38997010,reported by another bank,2030-01-31T12:00:00Z
"""
VALUES_CSV = """value
C553264065
"""
VALUES_IN: dict[str, Any] = {"values": ["C553264065"]}
LIST: dict[str, Any] = {
    "id": 1,
    "name": "blocked",
    "entity": "account",
    "action": "decline",
    "fields": None,
    "entries": 0,
    "actor": "ana",
    "created_at": "2026-01-31T12:00:00+00:00",
}
LISTS: dict[str, Any] = {"lists": [{**LIST, "entries": 2}]}
ENTRIES: dict[str, Any] = {
    "items": [
        {
            "id": 7,
            "value": "C553264065",
            "reason": "three chargebacks",
            "actor": "ana",
            "expires_at": None,
            "created_at": "2026-01-31T12:00:00+00:00",
        }
    ],
    "next_cursor": None,
}
