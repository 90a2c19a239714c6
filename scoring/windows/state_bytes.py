"""The state of an entity as bytes, and back.

A version byte, the length of a JSON document as uint32, the document, then arrays in little-endian
order: those of the events, then those of the tiles.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.windows.state import EntityState, PastEvent, Schema
from scoring.windows.tiles import TILE_ARRAYS, Tiles, empty_tiles

VERSION = 1
_HEADER = struct.Struct("<BI")
_MOST_BITS = 64
"""Most conditions of a schema, whose results are bits of an int64."""


class UnreadableState(Exception):
    """Bytes of another version or schema; the state is made from the stored events instead."""


def state_bytes(state: EntityState) -> bytes:
    """Return a state as bytes."""
    frauds = list(state.frauds.values())
    tiles = state.tiles
    document = {
        "schema": _schema_document(state.schema),
        "events": len(state.events),
        "frauds": len(frauds),
        "tiles": list(tiles.sums.shape),
        "first_limb": tiles.first_limb,
        "kept_since_us": state.kept_since_us,
        "ids": [event.id for event in (*state.events, *frauds)],
        "fields": [event.fields for event in (*state.events, *frauds)],
        "last_seen": [[*key, time] for key, time in state.last_seen.items()],
    }
    encoded = json.dumps(document, separators=(",", ":")).encode()
    arrays = _event_arrays([*state.events, *frauds], state.schema)
    arrays += [getattr(tiles, name) for name in TILE_ARRAYS]
    body = b"".join(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays)
    return _HEADER.pack(VERSION, len(encoded)) + encoded + body


def state_from(data: bytes, schema: Schema) -> EntityState:
    """Return the state that `state_bytes` made.

    Args:
        data: bytes of a state.
        schema: schema that the state must have.

    Raises:
        UnreadableState: the bytes are of another version or of another schema.
    """
    version, length = _HEADER.unpack_from(data)
    if version != VERSION:
        raise UnreadableState(f"version {version}, where {VERSION} is expected")
    document = json.loads(data[_HEADER.size : _HEADER.size + length])
    if document["schema"] != _schema_document(schema):
        raise UnreadableState("another schema")
    arrays = _Arrays(data, _HEADER.size + length)
    events = _events(arrays, document, schema)
    shape = document["tiles"]
    layout = empty_tiles(shape[0], len(schema.conditions), shape[1], shape[2])
    tiles = Tiles(
        **{name: arrays.next(getattr(layout, name)) for name in TILE_ARRAYS},
        first_limb=document["first_limb"],
    )
    return EntityState(
        schema=schema,
        events=tuple(events[: document["events"]]),
        tiles=tiles,
        last_seen={
            (field, condition, value): time
            for field, condition, value, time in document["last_seen"]
        },
        frauds={event.id: event for event in events[document["events"] :]},
        kept_since_us=document["kept_since_us"],
    )


def _schema_document(schema: Schema) -> list[Any]:
    lists = (schema.numbers, schema.fields, schema.conditions)
    return [*map(list, lists), schema.longest_delay_us]


def _event_arrays(events: list[PastEvent], schema: Schema) -> list[NDArray[Any]]:
    if len(schema.conditions) > _MOST_BITS:
        raise ValueError(f"a schema has at most {_MOST_BITS - 1} conditions")
    times = np.array([(e.time_us, e.known_us) for e in events], np.int64)
    numbers = np.array([e.numbers for e in events], np.float64)
    meets = [sum(is_met << bit for bit, is_met in enumerate(e.meets)) for e in events]
    return [times, numbers, np.array(meets, np.uint64)]


def _events(arrays: _Arrays, document: dict[str, Any], schema: Schema) -> list[PastEvent]:
    count = document["events"] + document["frauds"]
    times = arrays.next(np.empty((count, 2), np.int64)).tolist()
    numbers = arrays.next(np.empty((count, len(schema.numbers)))).tolist()
    meets = arrays.next(np.empty(count, np.uint64)).tolist()
    return [
        PastEvent(
            id=document["ids"][i],
            time_us=times[i][0],
            numbers=tuple(numbers[i]),
            fields=tuple(document["fields"][i]),
            meets=tuple(bool(meets[i] >> bit & 1) for bit in range(len(schema.conditions))),
            known_us=times[i][1],
        )
        for i in range(count)
    ]


class _Arrays:
    """Reads arrays one after the other."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._data = data
        self._offset = offset

    def next(self, like: NDArray[Any]) -> NDArray[Any]:
        """Return the next array, of the shape and type of `like`."""
        dtype = like.dtype.newbyteorder("<")
        found = np.frombuffer(self._data, dtype, like.size, self._offset)
        self._offset += like.nbytes
        return found.reshape(like.shape).astype(like.dtype)
