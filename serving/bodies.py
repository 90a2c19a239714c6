"""Read the bodies of the scoring routes by the tenant's event type.

A tenant without one sends PaySim's transactions, which Pydantic validates (`serving/schemas.py`).
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import ValidationError
from starlette.requests import Request

from scoring.errors import FieldError, InvalidRequest, invalid_request
from scoring.event import AnyEvent
from scoring.event_type.validation import EventValidator
from scoring.transaction import PAYSIM
from serving import schemas
from web.body import MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES, read_body, read_json
from web.headers import idempotency_key
from web.invalid_fields import invalid_fields
from web.problems import invalid_body

_BATCH = "transactions"
_PAYSIM = EventValidator(PAYSIM)


async def read_event(request: Request, validator: EventValidator | None) -> AnyEvent:
    """Return the event of a /score.

    Args:
        request: request whose body is read.
        validator: validator of the tenant's event type; None where it sends PaySim's.

    Raises:
        PayloadTooLarge, UnsupportedMedia, InvalidRequest: as of `web.body.read_body`.
    """
    key = idempotency_key(request)
    if validator is None:
        body = await read_body(request, schemas.TransactionIn)
        return body.to_domain(key)
    event = validator.validate(_object(await read_json(request, MAX_BODY_BYTES)), _now_us())
    return replace(event, external_id=schemas.one_key(event.external_id, key))


async def read_events(request: Request, validator: EventValidator | None) -> list[AnyEvent]:
    """Return the events of a /score/batch; arguments and errors as of `read_event`."""
    if validator is None:
        body = await read_body(request, schemas.BatchRequest, MAX_BATCH_BODY_BYTES)
        return [transaction.to_domain() for transaction in body.transactions]
    document = _object(await read_json(request, MAX_BATCH_BODY_BYTES))
    _refuse_unknown(document, _BATCH)
    rows = document.get(_BATCH)
    if not isinstance(rows, list) or not 1 <= len(rows) <= schemas.MAX_BATCH_ROWS:
        message = f"must be a list of 1 to {schemas.MAX_BATCH_ROWS} events"
        raise invalid_fields([((_BATCH,), message)])
    now_us = _now_us()
    events: list[AnyEvent] = []
    errors: list[FieldError] = []
    for number, row in enumerate(rows):
        try:
            events.append(validator.validate(_object(row), now_us))
        except InvalidRequest as error:
            errors += [_within(f"{_BATCH}.{number}", one) for one in error.errors]
    if errors:
        raise invalid_request(errors)
    return events


def event_of(document: dict[str, Any], validator: EventValidator | None) -> AnyEvent:
    """Return the event of a row of a file, by the rules of a request.

    Args:
        document: value by field name, as JSON has it.
        validator: validator of the tenant's event type; None where it sends PaySim's.

    Raises:
        InvalidRequest: it is not valid; names each field.
    """
    if validator is not None:
        return validator.validate(document, _now_us())
    _PAYSIM.validate(document, _now_us())  # in the words of every event type
    try:
        return schemas.TransactionIn.model_validate(document).to_domain()
    except ValidationError as error:
        raise invalid_body(error) from error


class ToExplain(NamedTuple):
    """What an /explain asks for: one of the two is None.

    Attributes:
        event: event that the production model explains.
        prediction_id: id of a stored prediction.
    """

    event: AnyEvent | None
    prediction_id: UUID | None


async def read_explain(request: Request, validator: EventValidator | None) -> ToExplain:
    """Return what an /explain asks for; arguments and errors as of `read_event`."""
    if validator is None:
        body = await read_body(request, schemas.ExplainRequest)
        transaction = body.transaction.to_domain() if body.transaction else None
        return ToExplain(transaction, body.prediction_id)
    document = _object(await read_json(request, MAX_BODY_BYTES))
    _refuse_unknown(document, "transaction", "prediction_id")
    event, prediction_id = document.get("transaction"), document.get("prediction_id")
    if (event is None) == (prediction_id is None):
        raise invalid_fields([((), "give exactly one of transaction and prediction_id")])
    if event is None:
        return ToExplain(None, _uuid(prediction_id))
    try:
        return ToExplain(validator.validate(_object(event), _now_us()), None)
    except InvalidRequest as error:
        raise invalid_request([_within("transaction", one) for one in error.errors]) from error


def _now_us() -> int:
    return time.time_ns() // 1000


def _object(document: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    if not isinstance(document, dict):
        raise invalid_fields([((), "must be a JSON object")])
    return document


def _refuse_unknown(document: dict[str, Any], *known: str) -> None:
    unknown = [name for name in document if name not in known]
    if unknown:
        message = f"is not a field here; put an event's fields into {known[0]}"
        raise invalid_fields([((name,), message) for name in unknown])


def _uuid(value: object) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        raise invalid_fields([(("prediction_id",), "must be a UUID")]) from None


def _within(path: str, error: FieldError) -> FieldError:
    inner = "" if error.field == "body" else f".{error.field}"
    return FieldError(f"{path}{inner}", error.message)
