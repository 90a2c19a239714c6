"""Validate the body of one event by its event type."""

from __future__ import annotations

from scoring.errors import FieldError, invalid_request
from scoring.event_type.event import Event
from scoring.event_type.fields import EventType
from scoring.event_type.limits import MAX_FUTURE_US, RESERVED_FIELDS
from scoring.event_type.timestamps import Timestamp
from scoring.event_type.values import InvalidValue, Value, value_reader
from scoring.external_id import EXTERNAL_ID_RULE, is_external_id

MISSING = "is required"


class EventValidator:
    """Validates the bodies of one event type; made once, since it prepares a reader a field.

    Args:
        event_type: valid event type.
        type_id: id of the stored version of the event type, which its events get; None without.
    """

    def __init__(self, event_type: EventType, type_id: int | None = None) -> None:
        self.event_type = event_type
        self.type_id = type_id
        kept = list(event_type.kept.values())
        self._fields = tuple((f.name, value_reader(f), f.optional) for f in kept)
        self._timestamps = tuple(field.name for field in kept if field.kind == "timestamp")
        self._time = event_type.roles.get("time")
        self._known = RESERVED_FIELDS.union(field.name for field in event_type.fields)
        self._label = event_type.label

    def validate(self, body: object, now_us: int) -> Event:
        """Return the event of a body of parsed JSON.

        A field that is null counts as missing. Of an ignored field any value is dropped.

        Args:
            body: object of JSON: value by field name, and `external_id` where the caller gives one.
            now_us: microseconds since 1970 UTC of the clock, by which a timestamp is at most
                24 hours in the future.

        Raises:
            InvalidRequest: a field is not valid, unknown or missing, and the error names each; or
                the body is no object.
        """
        if not isinstance(body, dict):
            raise invalid_request([FieldError("body", "must be a JSON object")])
        values: dict[str, Value | None] = {}
        errors: list[FieldError] = []
        for name, read, optional in self._fields:
            value = body.get(name)
            if value is None:
                values[name] = None
                if not optional:
                    errors.append(FieldError(name, MISSING))
                continue
            try:
                values[name] = read(value)
            except InvalidValue as error:
                errors.append(FieldError(name, str(error)))
        time_us = None
        for name in self._timestamps:
            moment = values.get(name)
            if isinstance(moment, Timestamp):
                if moment.us > now_us + MAX_FUTURE_US:
                    errors.append(FieldError(name, "must be at most 24 hours in the future"))
                if name == self._time:
                    time_us = moment.us
        if not body.keys() <= self._known:
            errors.extend(self._unknown(name) for name in body if name not in self._known)
        external_id = body.get("external_id")
        if not (external_id is None or is_external_id(external_id)):
            errors.append(FieldError("external_id", f"must be {EXTERNAL_ID_RULE}"))
            external_id = None
        if errors:
            raise invalid_request(errors)
        return Event(self.event_type, values, time_us, external_id, self.type_id)

    def _unknown(self, name: str) -> FieldError:
        if name == self._label:
            return FieldError(name, "is the label, which is not sent with an event; leave it out")
        return FieldError(name, "is not a field of the event type")
