"""GET and PUT /event-type: the fields that the tenant sends."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import Connection
from starlette.responses import Response

from api.dependencies import (
    ANY_SCOPE_WITHOUT_PARAMETERS,
    Admin,
    AnyScope,
    CurrentDependencies,
)
from api.event_types import examples
from api.event_types.responses import event_type_reply
from api.event_types.schemas import EventTypeIn, EventTypeQuery, EventTypeReply
from api.idempotency import IDEMPOTENT, REPLAYED_HEADER, write
from api.openapi_responses import ANYWHERE, WITH_BODY, problems, reply
from api.request_body import BodyReader, JsonBody
from persistence.event_types import apply_event_type, current_event_type
from scoring.errors import IdempotencyMismatch, IncompatibleEventType
from scoring.event_type.document import from_document

router = APIRouter(tags=["Event type"])


@router.get(
    "/event-type",
    operation_id="read_event_type",
    summary="The fields that you send, with their JSON Schema",
    responses={
        **problems(*ANYWHERE),
        200: reply(description="the event type in force", card_payments=examples.EVENT_TYPE),
    },
    response_model_exclude_none=True,
    dependencies=ANY_SCOPE_WITHOUT_PARAMETERS,
)
async def read_event_type(caller: AnyScope, dependencies: CurrentDependencies) -> EventTypeReply:
    """The body of /score and of each row of /score/batch. Scope: any."""
    return event_type_reply(await dependencies.run(current_event_type, caller.tenant_id))


@router.put(
    "/event-type",
    operation_id="set_event_type",
    summary="Put a new version of the event type in force",
    responses={
        **problems(409, *WITH_BODY, *ANYWHERE, IdempotencyMismatch, IncompatibleEventType),
        200: {
            **reply(description="in force", card_payments=examples.EVENT_TYPE),
            "headers": REPLAYED_HEADER,
        },
    },
    openapi_extra=IDEMPOTENT,
    response_model=EventTypeReply,
)
async def set_event_type(
    read_change: Annotated[BodyReader[EventTypeIn], Depends(JsonBody(EventTypeIn))],
    query: Annotated[EventTypeQuery, Query()],
    caller: Admin,
    dependencies: CurrentDependencies,
    request: Request,
) -> Response:
    """In force in every process within a second; stored events keep the version they had.

    A change with which events that were valid are no longer is refused and named, unless `replace`
    is true. The same event type again changes nothing. Scope: admin.
    """
    body = await read_change()
    event_type = from_document(body.model_dump(exclude_none=True))

    def change(connection: Connection) -> EventTypeReply:
        stored, changed = apply_event_type(
            connection, caller.tenant_id, event_type, caller.actor, replace=query.replace
        )
        return event_type_reply(stored, changed)

    reply = await write(dependencies, request, caller, body, change)
    await dependencies.refresh_settings(caller.tenant_id)
    return reply
