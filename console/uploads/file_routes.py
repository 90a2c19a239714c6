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
from persistence.uploads.files import Result, open_files, read_lines, read_part
from scoring.uploads.lines import REJECT_COLUMNS, RESULT_COLUMNS, header_line

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get(f"{UPLOAD}/results.csv")
async def results(visitor: Reviewer, dependencies: CurrentDependencies, number: Number) -> Response:
    """Send the rows that were decided, with their decisions behind their own cells."""
    upload = await dependencies.run(
        open_files, visitor.tenant_id, number, reader=visitor.actor, file="results"
    )
    header = header_line(upload.shape, RESULT_COLUMNS)
    lines = _lines(dependencies, visitor.tenant_id, number, "results", header)
    return _csv(lines, f"upload-{number}-results.csv")


@router.get(f"{UPLOAD}/rejects.csv")
async def rejects(visitor: Reviewer, dependencies: CurrentDependencies, number: Number) -> Response:
    """Send the rows that were rejected, with their numbers and reasons behind their own cells."""
    upload = await dependencies.run(
        open_files, visitor.tenant_id, number, reader=visitor.actor, file="rejects"
    )
    header = header_line(upload.shape, REJECT_COLUMNS)
    lines = _lines(dependencies, visitor.tenant_id, number, "rejects", header)
    return _csv(lines, f"upload-{number}-rejects.csv")


@router.get(f"{UPLOAD}/file.csv")
async def original(
    visitor: Reviewer, dependencies: CurrentDependencies, number: Number
) -> Response:
    """Send the file as it was uploaded, byte by byte."""
    await dependencies.run(
        open_files, visitor.tenant_id, number, reader=visitor.actor, file="original"
    )
    parts = _parts(dependencies, visitor.tenant_id, number)
    return _csv(parts, f"upload-{number}-original.csv")


async def _lines(
    dependencies: ApiDependencies, tenant_id: int, number: int, which: Result, header: bytes
) -> AsyncIterator[bytes]:
    """Yield the lines of a file; no connection is held in between."""
    yield header
    after: int | None = 0
    while after is not None:
        lines, after = await dependencies.run(read_lines, tenant_id, number, which, after)
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
