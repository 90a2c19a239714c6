"""The pages of uploads: their list, a file that is sent, and one upload."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query
from sqlalchemy import Engine
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import ApiDependencies, CurrentDependencies
from console.access import Reviewer, Scorer, Visitor
from console.event_types import event_type_of
from console.page_route import PageRoute
from console.rendering import render
from console.uploads.mapping_form import CHECKED_ROWS, SHOWN_BAD_ROWS, mapping_form
from persistence.event_types import current_event_type
from persistence.uploads.facts import Upload, earlier_uploads, list_uploads, read_upload
from persistence.uploads.files import open_files, rejected_rows
from persistence.uploads.storing import MAX_OPEN, MAX_ROWS, MAX_SIZE, refused, store_upload
from scoring.errors import InvalidRequest, PayloadTooLarge
from scoring.uploads.mapping import faults, targets

UPLOADS = "/console/uploads"
UPLOAD = f"{UPLOADS}/{{number}}"
PAGE_ROWS = 20
PAGE_REJECTED = 20
MAX_CHOICES = 400
"""Options of all lists of columns of a page; a form with more has one list for all its inputs."""
_FORM_BYTES = 65_536
"""What a form has beside its file."""

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


class UploadRoute(PageRoute):
    """A route that takes a file."""

    max_bytes = MAX_SIZE + _FORM_BYTES
    too_large = f"The file is larger than {MAX_SIZE // 1_000_000} MB; split it."


router = APIRouter(include_in_schema=False, route_class=UploadRoute)


@router.get(UPLOADS)
async def uploads_page(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """Show the uploads, newest first, and the form that sends a file."""
    return await _list(request, visitor, dependencies, before)


# The form is read after the person is known: nobody else can make the process keep a file.
@router.post(UPLOADS)
async def send_file(
    request: Request, visitor: Scorer, dependencies: CurrentDependencies
) -> Response:
    """Check and store a file; lead to its mapping."""
    file = (await request.form()).get("file")
    event_type = await event_type_of(dependencies, visitor.tenant_id)
    try:
        if not isinstance(file, UploadFile) or not file.filename:
            raise refused("Choose a file.")
        sent, name = file.file, _file_name(file.filename)

        def store(engine: Engine) -> int:
            return store_upload(
                engine,
                visitor.tenant_id,
                sent,
                name,
                tuple(targets(event_type)),
                actor=visitor.actor,
            )

        number = await dependencies.run_expensive(store)
    except (InvalidRequest, PayloadTooLarge) as error:
        return await _list(request, visitor, dependencies, problem=error)
    return RedirectResponse(f"{UPLOADS}/{number}", HTTPStatus.SEE_OTHER)


@router.get(UPLOAD)
async def upload_page(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    number: Number,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> Response:
    """Show an upload: its mapping before it starts, then how far it is and what was rejected."""
    upload = await dependencies.run(read_upload, visitor.tenant_id, number)
    if upload.status == "new":
        return await show_mapping(request, visitor, dependencies, upload, None, "")
    return await _show_upload(request, visitor, dependencies, upload, after)


@router.get(f"{UPLOAD}/progress")
async def progress(
    request: Request, visitor: Reviewer, dependencies: CurrentDependencies, number: Number
) -> Response:
    """Show how far an upload is; the whole page again when it has ended."""
    upload = await dependencies.run(read_upload, visitor.tenant_id, number)
    headers = {} if upload.is_under_way else {"HX-Refresh": "true"}
    return render(request, "uploads/progress.html.j2", visitor, headers=headers, upload=upload)


async def show_mapping(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    upload: Upload,
    typed: dict[str, str] | None,
    zone: str,
    status: int = HTTPStatus.OK,
) -> Response:
    """Return the page of the mapping of an upload that was not started."""
    tenant_id, number = visitor.tenant_id, upload.number
    await dependencies.run(open_files, tenant_id, number, reader=visitor.actor, file=None)
    stored = await dependencies.run(current_event_type, tenant_id)
    form = await dependencies.run(mapping_form, tenant_id, upload, stored, typed, zone)
    earlier = await dependencies.run(earlier_uploads, tenant_id, upload)
    return render(
        request,
        "uploads/mapping.html.j2",
        visitor,
        status=status,
        upload=upload,
        form=form,
        earlier=earlier,
        event_type=stored.event_type.name if stored else "paysim",
        is_long=len(form.targets) * len(upload.shape.columns) > MAX_CHOICES,
        zones=_zones(visitor),
        checked_rows=CHECKED_ROWS,
        shown_bad=SHOWN_BAD_ROWS,
        was_sent=typed is not None,
    )


def zone_of(visitor: Visitor, name: str) -> str:
    """Return a zone that the form offers; empty for any other, which refuses times without one."""
    return name if name in _zones(visitor) else ""


def _zones(visitor: Visitor) -> tuple[str, ...]:
    return tuple(dict.fromkeys(("", visitor.signed_in.time_zone, "UTC")))


async def _show_upload(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    upload: Upload,
    after: int,
) -> Response:
    outdated = []
    if upload.status == "failed":
        event_type = await event_type_of(dependencies, visitor.tenant_id)
        outdated = faults(event_type, upload.shape.columns, upload.mapping or {})
    rejected = []
    if upload.counts.rejected and upload.has_files:
        rejected = await dependencies.run(
            rejected_rows,
            visitor.tenant_id,
            upload.number,
            after=after,
            limit=PAGE_REJECTED + 1,
        )
    more = rejected[PAGE_REJECTED - 1].row if len(rejected) > PAGE_REJECTED else None
    return render(
        request,
        "uploads/upload.html.j2",
        visitor,
        upload=upload,
        may_go_on=upload.status == "stopped" or (upload.status == "failed" and not outdated),
        rejected=rejected[:PAGE_REJECTED],
        after=after,
        following=f"{UPLOADS}/{upload.number}?{urlencode({'after': more})}" if more else None,
    )


async def _list(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    before: int | None = None,
    problem: InvalidRequest | PayloadTooLarge | None = None,
) -> Response:
    found = await dependencies.run(
        list_uploads, visitor.tenant_id, limit=PAGE_ROWS + 1, before=before
    )
    more = found[PAGE_ROWS - 1].number if len(found) > PAGE_ROWS else None
    return render(
        request,
        "uploads/list.html.j2",
        visitor,
        status=problem.status if problem else HTTPStatus.OK,
        uploads=found[:PAGE_ROWS],
        following=f"{UPLOADS}?{urlencode({'before': more})}" if more else None,
        problem=str(problem) if problem else "",
        limits={"size": MAX_SIZE // 1_000_000, "rows": MAX_ROWS, "open": MAX_OPEN},
        before=before,
    )


def _file_name(sent: str) -> str:
    """Return the name of a file as it can be shown, without the folders before it."""
    name = sent.replace("\\", "/").rpartition("/")[2]
    shown = "".join(c for c in name if c.isprintable()).strip()
    return shown[:200] or "file.csv"
