"""The query of a search: which parameter an error names."""

from __future__ import annotations

import pytest

from api.review.schemas import SearchQuery
from api.review.search_query import to_search
from persistence.review.search import Search
from scoring.errors import InvalidRequest


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"amount_min": 1.0}, "amount_min"),
        ({"amount_max": 1.0}, "amount_max"),
        ({"amount_min": 1.0, "amount_max": 2.0}, "amount_min"),
        ({"amount_min": 1.0, "from": "1970-01-01", "to": "1970-02-01T00:00:00.001"}, "amount_min"),
        ({"amount_min": 2.0, "amount_max": 1.0, "account": "C1"}, "amount_max"),
        ({"from": "2024-01-02", "to": "2024-01-01"}, "to"),
    ],
)
def test_a_search_that_would_read_everything_or_nothing_names_a_parameter(
    query: dict[str, object], parameter: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        to_search(SearchQuery.model_validate(query))
    assert [error.field for error in refused.value.errors] == [parameter]


def test_times_become_unix_milliseconds() -> None:
    query = SearchQuery.model_validate({"from": "1970-01-01T00:00:01Z", "to": "1970-01-01T00:01"})
    assert to_search(query) == Search(from_ms=1000, to_ms=60_000)
