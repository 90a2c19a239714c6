"""The entries of a list as a CSV body, beside JSON: the content type decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from io import StringIO
from typing import Any, TypeVar

from anyio import to_thread
from fastapi import Request
from pydantic import BaseModel

from api.lists.schemas import EntriesIn, EntryIn, ValuesIn
from api.request_body import BodyReader, JsonBody
from scoring.errors import FieldError, InvalidRequest, invalid_request
from scoring.lists.entry_rows import (
    COLUMNS,
    BadEntry,
    EntryDefaults,
    NewEntry,
    parse_entry,
    parse_value,
)
from scoring.tables.csv_rows import (
    Layout,
    Row,
    RowLimits,
    TableFileError,
    csv_rows,
    lacks,
    places_by_name,
)
from web.body import MAX_BATCH_BODY_BYTES, read_bytes

CSV = "text/csv"
MAX_ROWS = 10_000
"""Rows of a CSV body; a larger table is a file for `sentinel lists`."""
_LIMITS = RowLimits(cells=100, size=64_000, blank_lines=MAX_ROWS + 1)
MAX_ERRORS = 20
"""Rows whose errors a reply names, the first ones."""

Schema = TypeVar("Schema", bound=BaseModel)
Parsed = TypeVar("Parsed")


class JsonOrCsvBody(JsonBody[Schema]):
    """The reader of a body that is CSV where its content type says so, and else JSON.

    Attributes:
        csv_example: CSV body, for the document.
    """

    def __init__(
        self,
        schema: type[Schema],
        examples: Mapping[str, Any],
        parse_csv: Callable[[bytes], Schema],
        csv_example: str,
    ) -> None:
        super().__init__(schema, examples, MAX_BATCH_BODY_BYTES)
        self.csv_example = csv_example
        self._parse_csv = parse_csv

    def __call__(self, request: Request) -> BodyReader[Schema]:
        """Return the reader of a request's body."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        return partial(self._read_csv, request) if media_type == CSV else super().__call__(request)

    async def _read_csv(self, request: Request) -> Schema:
        body = await read_bytes(request, self.max_bytes)
        # Beside the event loop: 10,000 rows take tens of milliseconds.
        return await to_thread.run_sync(self._parse_csv, body)


def entries_of_csv(body: bytes) -> EntriesIn:
    """Return the entries of a CSV body with the columns value and reason, and maybe expires_at.

    Whether a time has passed is not asked: a request that is repeated later has the first reply.

    Raises:
        InvalidRequest: it lacks a column, has no row, too many, or one that is not valid; names the
            line and the column of each of the first errors.
    """
    long_ago = datetime.min.replace(tzinfo=UTC)
    return EntriesIn.model_construct(
        entries=[
            EntryIn.model_construct(**entry._asdict())
            for entry in new_entries_of_csv(body, EntryDefaults(), long_ago)
        ]
    )


def new_entries_of_csv(body: bytes, defaults: EntryDefaults, now: datetime) -> list[NewEntry]:
    """Return the entries of CSV with the column value, and maybe reason and expires_at.

    Args:
        body: text of the table.
        defaults: what stands in for a missing reason, without which the column must be there, and
            for a missing `expires_at`.
        now: time that each `expires_at` must be later than.

    Raises:
        InvalidRequest: as of `entries_of_csv`.
    """
    needed = 2 if defaults.reason is None else 1
    return _parsed(body, COLUMNS, needed, lambda row: parse_entry(row.cells, defaults, now))


def values_of_csv(body: bytes) -> ValuesIn:
    """Return the entities of a CSV body with the column value.

    Raises:
        InvalidRequest: as of `entries_of_csv`.
    """
    return ValuesIn.model_construct(
        values=_parsed(body, COLUMNS[:1], 1, lambda row: parse_value(row.cells))
    )


def _parsed(
    body: bytes, columns: Sequence[str], needed: int, parse: Callable[[Row], Parsed]
) -> list[Parsed]:
    """Parse each row; the first `needed` of the columns must be there."""
    parsed: list[Parsed] = []
    errors: list[FieldError] = []
    bad_rows = 0
    try:
        for row in _rows(body, columns, needed):
            if row.number > MAX_ROWS:
                raise _not_valid(f"has more than {MAX_ROWS:,} rows; `sentinel lists` reads files")
            try:
                if row.fault:
                    raise BadEntry(("", row.fault))
                parsed.append(parse(row))
            except BadEntry as error:
                bad_rows += 1
                if bad_rows <= MAX_ERRORS:
                    errors += _field_errors(row, error)
    except TableFileError as error:
        raise InvalidRequest(str(error), errors=(FieldError("body", str(error)),)) from error
    if errors:
        raise invalid_request(errors)
    if not parsed:
        raise _not_valid("has no row below its header")
    return parsed


def _rows(body: bytes, columns: Sequence[str], needed: int) -> Iterator[Row]:
    def plan(names: Sequence[str], _first_row: Sequence[str]) -> Layout:
        missing = [name for name in columns[:needed] if name not in names]
        if missing:
            raise lacks("The body", missing, names)
        return Layout(places_by_name("The body", columns, names))

    text = body.decode("utf-8-sig", errors="surrogateescape")
    return csv_rows(StringIO(text, newline=""), "The body", columns, plan, limits=_LIMITS)


def _field_errors(row: Row, error: BadEntry) -> Iterator[FieldError]:
    for column, fault in error.faults:
        place = f"lines.{row.line}"
        yield FieldError(f"{place}.{column}" if column else place, fault)


def _not_valid(message: str) -> InvalidRequest:
    return invalid_request([FieldError("body", message)])
