"""The files of an upload: the one that was sent, what was decided, and what was rejected."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from api.dependencies import ApiDependencies, CurrentDependencies
from console.access import Reviewer
from console.page_route import PageRoute
from console.uploads.routes import UPLOAD, Number
from persistence.uploads.facts import Upload
from persistence.uploads.files import Result, open_files, read_lines, read_part
from scoring.errors import NotFound
from scoring.uploads.lines import REJECT_COLUMNS, RESULT_COLUMNS, header_line, removed_line

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get(f"{UPLOAD}/results.csv")
async def results(visitor: Reviewer, dependencies: CurrentDependencies, number: Number) -> Response:
    """Send the rows that were decided, with their decisions behind their own cells."""
    upload = await dependencies.run(
        open_files, visitor.tenant_id, number, reader=visitor.actor, file="results"
    )
    lines = _lines(dependencies, visitor.tenant_id, upload, "results")
    return _csv(lines, f"upload-{number}-results.csv")


@router.get(f"{UPLOAD}/rejects.csv")
async def rejects(visitor: Reviewer, dependencies: CurrentDependencies, number: Number) -> Response:
    """Send the rows that were rejected, with their numbers and reasons behind their own cells."""
    upload = await dependencies.run(
        open_files, visitor.tenant_id, number, reader=visitor.actor, file="rejects"
    )
    lines = _lines(dependencies, visitor.tenant_id, upload, "rejects")
    return _csv(lines, f"upload-{number}-rejects.csv")


@router.get(f"{UPLOAD}/file.csv")
async def original(
    visitor: Reviewer, dependencies: CurrentDependencies, number: Number
) -> Response:
    """Send the file as it was uploaded, byte by byte.

    A file that is removed meanwhile breaks off: it has no place for a line of ours.
    """
    await dependencies.run(
        open_files, visitor.tenant_id, number, reader=visitor.actor, file="original"
    )
    parts = _parts(dependencies, visitor.tenant_id, number)
    return _csv(parts, f"upload-{number}-original.csv")


async def _lines(
    dependencies: ApiDependencies, tenant_id: int, upload: Upload, which: Result
) -> AsyncIterator[bytes]:
    """Yield the lines of a file; no connection is held in between."""
    added = RESULT_COLUMNS if which == "results" else REJECT_COLUMNS
    yield header_line(upload.shape, added)
    after: int | None = 0
    while after is not None:
        try:
            lines, after = await dependencies.run(
                read_lines, tenant_id, upload.number, which, after
            )
        except NotFound:
            yield removed_line(upload.shape, added)
            return
        yield lines


async def _parts(
    dependencies: ApiDependencies, tenant_id: int, number: int
) -> AsyncIterator[bytes]:
    for place in count():
        part = await dependencies.run(read_part, tenant_id, number, place)
        if not part:
            return
        yield part


def _csv(lines: AsyncIterator[bytes], name: str) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(lines, media_type="text/csv", headers=headers)
