"""Filters of a search that cannot go together are refused by the parameter's name."""

from __future__ import annotations

import pytest

from api.review.schemas import SearchQuery
from api.review.search_query import to_search
from persistence.review.search import Search
from scoring.errors import FieldError, InvalidRequest

TOO_WIDE = (
    "needs a time range of 31 days at most (from, to), an account or an external_id beside it"
)


@pytest.mark.parametrize(
    ("query", "parameter", "message"),
    [
        ({"from": "2026-01-02", "to": "2026-01-01"}, "to", "must not be earlier than from"),
        (
            {"amount_min": 2, "amount_max": 1, "account": "C1"},
            "amount_max",
            "must not be less than amount_min",
        ),
        ({"amount_min": 1}, "amount_min", TOO_WIDE),
        ({"amount_max": 1}, "amount_max", TOO_WIDE),
    ],
)
def test_the_parameter_that_has_to_change_is_named(
    query: dict[str, object], parameter: str, message: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        to_search(SearchQuery.model_validate(query))
    assert refused.value.detail == f"{parameter} {message}."
    assert refused.value.errors == (FieldError(parameter, message),)


def test_times_become_unix_milliseconds() -> None:
    query = SearchQuery.model_validate({"from": "1970-01-01T00:00:01Z", "to": "1970-01-01T00:01"})
    assert to_search(query) == Search(from_ms=1000, to_ms=60_000)
