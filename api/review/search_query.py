"""The query of a search in the terms of persistence, and its errors in those of the query."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from api.dependencies import ApiDependencies
from api.review.schemas import AuditQuery, SearchQuery
from persistence.review.audit import AuditFilter
from persistence.review.search import MAX_AMOUNT_DAYS, InvalidSearch, Search
from scoring.errors import FieldError, InvalidRequest
from web.invalid_fields import invalid_fields

_BACKWARDS = {
    "to": "must not be earlier than from",
    "amount_max": "must not be less than amount_min",
}
_TOO_WIDE = (
    f"needs a time range of {MAX_AMOUNT_DAYS} days at most (from, to), an account or an"
    " external_id beside it"
)


def to_search(query: SearchQuery) -> Search:
    """Return the search that a query describes.

    Raises:
        InvalidRequest: the filters contradict each other; names one of the query's parameters.
    """
    try:
        return Search(
            external_id=query.external_id,
            account=query.account,
            amount_min=query.amount_min,
            amount_max=query.amount_max,
            from_ms=_unix_ms(query.from_),
            to_ms=_unix_ms(query.to),
        )
    except InvalidSearch as error:
        parameter = "to" if error.field == "to_ms" else error.field
        message = _BACKWARDS[parameter] if error.is_backwards else _TOO_WIDE
        raise InvalidRequest(
            f"{parameter} {message}.", errors=(FieldError(parameter, message),)
        ) from error


def to_audit_filter(query: AuditQuery) -> AuditFilter:
    """Return the filter that a query of the audit log describes.

    Raises:
        InvalidRequest: the time range ends before it begins; names `to`.
    """
    if query.from_ is not None and query.to is not None and query.to < query.from_:
        raise invalid_fields([(("to",), _BACKWARDS["to"])])
    return AuditFilter(query.action, query.actor, query.object, query.from_, query.to)


def transaction_before(
    dependencies: ApiDependencies, cursor: str | None, *cursor_key: object
) -> UUID | None:
    """Return the id at which the page before ended; None for the first page.

    Args:
        dependencies: what the management routes need.
        cursor: cursor of the query; None where it has none.
        cursor_key: values of the list that the cursor belongs to.

    Raises:
        InvalidRequest: the cursor is not one of this list.
    """
    return None if cursor is None else UUID(dependencies.cursors.open(cursor, *cursor_key)[0])


def _unix_ms(moment: datetime | None) -> int | None:
    return None if moment is None else max(0, int(moment.timestamp() * 1000))
