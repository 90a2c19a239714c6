"""The lists routes: entities to block, to trust, or for rules to read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from sqlalchemy import Connection, Engine

from api.dependencies import (
    ADMIN_WITHOUT_PARAMETERS,
    REVIEWER_WITHOUT_PARAMETERS,
    Admin,
    CurrentDependencies,
    Reviewer,
)
from api.idempotency import IDEMPOTENT, REPLAYED_HEADER, write
from api.lists import examples
from api.lists.csv_body import JsonOrCsvBody, entries_of_csv, values_of_csv
from api.lists.responses import entry_page, list_out
from api.lists.schemas import (
    AddedOut,
    EntriesIn,
    EntriesQuery,
    EntryIn,
    EntryPage,
    ListIn,
    ListOut,
    ListsOut,
    RemovedListOut,
    RemovedOut,
    ValuesIn,
)
from api.openapi_responses import ANYWHERE, NEXT_PAGE, WITH_BODY, problems, reply
from api.request_body import BodyReader, JsonBody
from persistence.review.cases import Page
from persistence.rules.checking import check_list
from persistence.rules.entries import StoredEntry, add_entries, read_entries, remove_entries
from persistence.rules.lists import create_list, remove_list, stored_lists
from persistence.tenancy import tenant_transaction
from scoring.errors import FieldError, IdempotencyMismatch, InUse, invalid_request
from scoring.event_type.limits import NAME_FORM
from scoring.lists.entry_rows import NewEntry

router = APIRouter(tags=["Rules"])

Name = Annotated[str, Path(alias="name", pattern=rf"^{NAME_FORM}$", description="name of a list")]


@router.get(
    "/lists",
    operation_id="read_lists",
    summary="Every list, by name",
    responses={
        **problems(*ANYWHERE),
        200: reply(description="the lists in force", one_that_declines=examples.LISTS),
    },
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def read_lists(caller: Reviewer, dependencies: CurrentDependencies) -> ListsOut:
    """Scope: review."""

    def read(engine: Engine) -> ListsOut:
        with tenant_transaction(engine, caller.tenant_id) as connection:
            stored = stored_lists(connection, caller.tenant_id)
        return ListsOut(lists=[list_out(one) for one in stored])

    return await dependencies.run(read)


@router.post(
    "/lists",
    operation_id="create_list",
    summary="Make a list",
    status_code=201,
    responses={
        **problems(409, *WITH_BODY, *ANYWHERE, IdempotencyMismatch),
        201: {
            **reply(description="in force", one_that_declines=examples.LIST),
            "headers": REPLAYED_HEADER,
        },
    },
    openapi_extra=IDEMPOTENT,
    response_model=ListOut,
    dependencies=ADMIN_WITHOUT_PARAMETERS,
)
async def post_list(
    read_list: Annotated[
        BodyReader[ListIn], Depends(JsonBody(ListIn, {"blocked_accounts": examples.NEW_LIST}))
    ],
    caller: Admin,
    dependencies: CurrentDependencies,
    request: Request,
) -> Response:
    """A list never changes but for its entries. Scope: admin."""
    body = await read_list()

    def create(connection: Connection) -> ListOut:
        check_list(connection, caller.tenant_id, body.entity, body.action, body.fields)
        made = create_list(
            connection,
            caller.tenant_id,
            name=body.name,
            entity=body.entity,
            action=body.action,
            fields=None if body.fields is None else tuple(body.fields),
            actor=caller.actor,
        )
        return list_out(made)

    made = await write(dependencies, request, caller, body, create, status=201)
    await dependencies.refresh_settings(caller.tenant_id)
    return made


@router.delete(
    "/lists/{name}",
    operation_id="remove_list",
    summary="Take a list and its entries out of force",
    responses={
        **problems(404, 409, *ANYWHERE, IdempotencyMismatch, InUse),
        200: {
            **reply(description="out of force", removed={"removed": True}),
            "headers": REPLAYED_HEADER,
        },
    },
    openapi_extra=IDEMPOTENT,
    response_model=RemovedListOut,
    dependencies=ADMIN_WITHOUT_PARAMETERS,
)
async def delete_list(
    name: Name, caller: Admin, dependencies: CurrentDependencies, request: Request
) -> Response:
    """Refused while a rule that is not off reads it. Scope: admin."""

    def remove(connection: Connection) -> RemovedListOut:
        remove_list(connection, caller.tenant_id, name)
        return RemovedListOut(removed=True)

    removed = await write(dependencies, request, caller, None, remove)
    await dependencies.refresh_settings(caller.tenant_id)
    return removed


@router.get(
    "/lists/{name}/entries",
    operation_id="read_entries",
    summary="The entries of a list, the newest first",
    responses={
        **problems(404, *ANYWHERE),
        200: {
            **reply(description="a page of them", one_entry=examples.ENTRIES),
            "headers": NEXT_PAGE,
        },
    },
)
async def read_list_entries(
    name: Name,
    query: Annotated[EntriesQuery, Query()],
    caller: Reviewer,
    dependencies: CurrentDependencies,
    request: Request,
    response: Response,
) -> EntryPage:
    """With `value` only the entry of that entity. Scope: review."""
    cursor_key = (caller.tenant_id, "entries", name, query.value)
    before = None
    if query.cursor is not None:
        (before,) = dependencies.cursors.open(query.cursor, *cursor_key)

    def read(engine: Engine) -> Page[StoredEntry, int]:
        with tenant_transaction(engine, caller.tenant_id) as connection:
            return read_entries(
                connection,
                caller.tenant_id,
                name,
                value=query.value,
                limit=query.limit,
                before=before,
            )

    page = await dependencies.run(read)
    position = None if page.next is None else [page.next]
    next_cursor = dependencies.cursors.seal_next(
        response.headers, request.query_params, position, *cursor_key
    )
    return entry_page(page, next_cursor)


@router.post(
    "/lists/{name}/entries",
    operation_id="add_entries",
    summary="Put entities into a list",
    status_code=201,
    responses={
        **problems(404, 409, *WITH_BODY, *ANYWHERE, IdempotencyMismatch),
        201: {
            **reply(description="in force", two_new_ones={"added": 2, "replaced": 0}),
            "headers": REPLAYED_HEADER,
        },
    },
    openapi_extra=IDEMPOTENT,
    response_model=AddedOut,
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def post_entries(
    name: Name,
    read_new: Annotated[
        BodyReader[EntriesIn],
        Depends(
            JsonOrCsvBody(
                EntriesIn,
                {"two_accounts": examples.ENTRIES_IN},
                entries_of_csv,
                examples.ENTRIES_CSV,
            )
        ),
    ],
    caller: Reviewer,
    dependencies: CurrentDependencies,
    request: Request,
) -> Response:
    """In force in every process within a second: one change, of all of them or none. Scope: review.

    An entity that is in the list already gets the new reason and expiry. As `text/csv` up to
    10,000, with a header of `value`, `reason` and, where wanted, `expires_at`.
    """
    body = await read_new()

    def add(connection: Connection) -> AddedOut:
        # Here, so that a request which is repeated after the expiry gets its first reply.
        _check_expiry(body.entries, datetime.now(UTC))
        entries = [NewEntry(one.value, one.reason, one.expires_at) for one in body.entries]
        added, replaced = add_entries(connection, caller.tenant_id, name, entries, caller.actor)
        return AddedOut(added=added, replaced=replaced)

    stored = await write(dependencies, request, caller, body, add, status=201)
    await dependencies.refresh_settings(caller.tenant_id)
    return stored


@router.post(
    "/lists/{name}/entries/remove",
    operation_id="remove_entries",
    summary="Take entities out of a list",
    responses={
        **problems(404, 409, *WITH_BODY, *ANYWHERE, IdempotencyMismatch),
        200: {
            **reply(description="out of force", one={"removed": 1, "unknown": 0}),
            "headers": REPLAYED_HEADER,
        },
    },
    openapi_extra=IDEMPOTENT,
    response_model=RemovedOut,
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def post_removed_entries(
    name: Name,
    read_values: Annotated[
        BodyReader[ValuesIn],
        Depends(
            JsonOrCsvBody(
                ValuesIn, {"one_account": examples.VALUES_IN}, values_of_csv, examples.VALUES_CSV
            )
        ),
    ],
    caller: Reviewer,
    dependencies: CurrentDependencies,
    request: Request,
) -> Response:
    """Stored decisions still name the entries. Scope: review.

    As `text/csv` up to 10,000, with a header of which only `value` counts.
    """
    body = await read_values()

    def remove(connection: Connection) -> RemovedOut:
        removed, unknown = remove_entries(connection, caller.tenant_id, name, body.values)
        return RemovedOut(removed=removed, unknown=unknown)

    ended = await write(dependencies, request, caller, body, remove)
    await dependencies.refresh_settings(caller.tenant_id)
    return ended


def _check_expiry(entries: Sequence[EntryIn], now: datetime) -> None:
    """Raise InvalidRequest where an entry would never count."""
    faults = [
        FieldError(f"entries.{place}.expires_at", "must be later than now")
        for place, entry in enumerate(entries)
        if entry.expires_at is not None and entry.expires_at <= now
    ]
    if faults:
        raise invalid_request(faults)
