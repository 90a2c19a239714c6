"""The stored past of an entity, read without the code that serves it."""

from __future__ import annotations

from struct import unpack
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Engine

from persistence.history.reader import EntitySpan, read_history


class StoredEvent(NamedTuple):
    """A past event.

    Attributes:
        fields: value by field name; a timestamp as microseconds since 1970.
        fraud_known_us: time at which it became known as a fraud; None where it did not.
        event_id: id of the event.
    """

    fields: dict[str, Any]
    fraud_known_us: int | None
    event_id: UUID


def past_of(
    engine: Engine, tenant_id: int, entity: str, key: str, since_us: int = 0, until_us: int = 2**62
) -> list[StoredEvent]:
    """Return the past events of an entity."""
    span = EntitySpan(entity, key, since_us, until_us)
    (past,) = read_history(engine, tenant_id, [span], with_frauds=True).entities
    frauds = {
        past.frauds[at : at + 16]: int.from_bytes(past.frauds[at + 16 : at + 24])
        for at in range(0, len(past.frauds), 24)
    }
    found, rest = [], past.records
    while rest:
        event_id = rest[:16]
        fields, rest = _map(rest[16:])
        found.append(StoredEvent(fields, frauds.get(event_id), UUID(bytes=event_id)))
    assert len(found) == past.events
    return found


def _map(data: bytes) -> tuple[dict[str, Any], bytes]:
    assert data[0] & 0xF0 == 0x80, "a map of at most 15 members"
    fields, rest = {}, data[1:]
    for _ in range(data[0] & 0x0F):
        name, rest = _value(rest)
        fields[name], rest = _value(rest)
    return fields, rest


def _value(data: bytes) -> tuple[Any, bytes]:
    head = data[0]
    match head:
        case 0xC2 | 0xC3:
            return head == 0xC3, data[1:]
        case 0xCB:
            return unpack("!d", data[1:9])[0], data[9:]
        case 0xD3:
            return unpack("!q", data[1:9])[0], data[9:]
        case 0xD9:
            return data[2 : 2 + data[1]].decode(), data[2 + data[1] :]
        case _:
            assert head & 0xE0 == 0xA0, hex(head)
            end = 1 + (head & 0x1F)
            return data[1:end].decode(), data[end:]
