"""Add entries to a list, one or many, and remove them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from anyio import to_thread
from fastapi import APIRouter, File, Form, UploadFile
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import ApiDependencies, CurrentDependencies
from api.lists.csv_body import new_entries_of_csv
from console.access import Reviewer, Visitor
from console.lists.entry_form import (
    MAX_BYTES,
    expiry_of,
    pasted_entries,
    row_problems,
    typed_entry,
)
from console.lists.routes import show_list
from console.page_route import PageRoute
from persistence.rules.entries import add_entries, remove_entries
from persistence.tenancy import tenant_transaction
from scoring.errors import InvalidRequest, PayloadTooLarge
from scoring.lists.entry_rows import EntryDefaults, NewEntry

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.post("/console/lists/{name}/entries")
async def add_one_entry(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    name: str,
    value: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    expires: Annotated[str, Form()] = "",
) -> Response:
    """Put an entity into the list; one that is in it already gets the new reason and expiry."""
    try:
        entry = typed_entry(value, reason, expiry_of(expires, datetime.now(UTC)))
        added, replaced = await _add(dependencies, visitor, name, [entry])
    except InvalidRequest as error:
        return await show_list(
            request,
            visitor,
            dependencies,
            name,
            problems={one.field: one.message for one in error.errors},
            typed={"value": value, "reason": reason, "expires": expires},
            status=error.status,
        )
    return _done(name, "added", added=added, replaced=replaced, value=entry.value)


@router.post("/console/lists/{name}/entries/many")
async def add_many_entries(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    name: str,
    text: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    expires: Annotated[str, Form()] = "",
    file: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Put pasted entities or those of a CSV file into the list: all of them, or none."""
    now = datetime.now(UTC)
    defaults = EntryDefaults(reason.strip() or None, expiry_of(expires, now))
    try:
        if file is not None and file.filename:
            if (file.size or 0) > MAX_BYTES:
                raise PayloadTooLarge(f"The file is larger than {MAX_BYTES:,} bytes.")
            body = await file.read()
            # Beside the event loop: 10,000 rows take tens of milliseconds.
            entries = await to_thread.run_sync(new_entries_of_csv, body, defaults, now)
        else:
            entries = await to_thread.run_sync(pasted_entries, text, defaults, now)
        added, replaced = await _add(dependencies, visitor, name, entries)
    except InvalidRequest as error:
        return await show_list(
            request,
            visitor,
            dependencies,
            name,
            rows=row_problems(error),
            typed={"text": text, "many_reason": reason, "many_expires": expires},
            status=error.status,
        )
    return _done(name, "added", added=added, replaced=replaced)


@router.post("/console/lists/{name}/entries/remove")
async def remove_entry(
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    name: str,
    value: Annotated[str, Form()] = "",
) -> Response:
    """Take an entity out of the list."""

    def remove(engine: Engine) -> int:
        with tenant_transaction(engine, visitor.tenant_id, actor=visitor.actor) as connection:
            return remove_entries(connection, visitor.tenant_id, name, [value])[0]

    removed = await dependencies.run(remove)
    await dependencies.refresh_settings(visitor.tenant_id)
    return _done(name, "removed" if removed else "gone", value=value)


async def _add(
    dependencies: ApiDependencies, visitor: Visitor, name: str, entries: Sequence[NewEntry]
) -> tuple[int, int]:
    def add(engine: Engine) -> tuple[int, int]:
        with tenant_transaction(engine, visitor.tenant_id, actor=visitor.actor) as connection:
            return add_entries(connection, visitor.tenant_id, name, entries, visitor.actor)

    stored = await dependencies.run(add)
    await dependencies.refresh_settings(visitor.tenant_id)
    return stored


def _done(name: str, what: str, **numbers: object) -> Response:
    query = urlencode({"done": what, **numbers})
    return RedirectResponse(f"/console/lists/{name}?{query}", HTTPStatus.SEE_OTHER)
