"""What people do with an upload: start it, stop it, go on with it, discard it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import ApiDependencies, CurrentDependencies
from console.access import Scorer, Visitor
from console.event_types import event_type_of
from console.page_route import PageRoute
from console.uploads.mapping_form import typed_mapping
from console.uploads.routes import UPLOAD, UPLOADS, Number, show_mapping, zone_of
from persistence.uploads.facts import read_upload
from persistence.uploads.steps import (
    UploadMoved,
    discard_upload,
    resume_upload,
    start_upload,
    stop_upload,
)
from scoring.uploads.mapping import faults

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.post(f"{UPLOAD}/start")
async def start(
    request: Request, visitor: Scorer, dependencies: CurrentDependencies, number: Number
) -> Response:
    """Confirm the mapping; the rows are decided in the background."""
    typed, zone = await _mapping(request, visitor)
    upload = await dependencies.run(read_upload, visitor.tenant_id, number)
    event_type = await event_type_of(dependencies, visitor.tenant_id)
    if upload.status == "new" and faults(event_type, upload.shape.columns, typed):
        return await show_mapping(
            request,
            visitor,
            dependencies,
            upload,
            typed,
            zone,
            HTTPStatus.UNPROCESSABLE_ENTITY,
        )
    return await _step(visitor, dependencies, number, start_upload, typed, zone or None)


@router.post(f"{UPLOAD}/check")
async def check(
    request: Request, visitor: Scorer, dependencies: CurrentDependencies, number: Number
) -> Response:
    """Show what the first rows become by a mapping, which is not stored."""
    typed, zone = await _mapping(request, visitor)
    upload = await dependencies.run(read_upload, visitor.tenant_id, number)
    if upload.status != "new":
        return RedirectResponse(f"{UPLOADS}/{number}", HTTPStatus.SEE_OTHER)
    return await show_mapping(request, visitor, dependencies, upload, typed, zone)


@router.post(f"{UPLOAD}/stop")
async def stop(visitor: Scorer, dependencies: CurrentDependencies, number: Number) -> Response:
    """Decide no further row."""
    return await _step(visitor, dependencies, number, stop_upload)


@router.post(f"{UPLOAD}/continue")
async def go_on(visitor: Scorer, dependencies: CurrentDependencies, number: Number) -> Response:
    """Go on with an upload that failed or was stopped."""
    return await _step(visitor, dependencies, number, resume_upload)


@router.post(f"{UPLOAD}/discard")
async def discard(visitor: Scorer, dependencies: CurrentDependencies, number: Number) -> Response:
    """Remove the file of an upload that was not started."""
    await _step(visitor, dependencies, number, discard_upload)
    return RedirectResponse(UPLOADS, HTTPStatus.SEE_OTHER)


async def _mapping(request: Request, visitor: Visitor) -> tuple[dict[str, str], str]:
    """Return the mapping and the zone of a sent form."""
    sent = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    return typed_mapping(sent) or {}, zone_of(visitor, sent.get("zone", ""))


async def _step(
    visitor: Visitor,
    dependencies: ApiDependencies,
    number: int,
    change: Callable[..., None],
    *values: Any,  # noqa: ANN401 - what the change takes
) -> Response:
    """Make a change and lead to the upload, which shows its state also where it has another."""
    with suppress(UploadMoved):
        await dependencies.run(change, visitor.tenant_id, number, *values, actor=visitor.actor)
    return RedirectResponse(f"{UPLOADS}/{number}", HTTPStatus.SEE_OTHER)
