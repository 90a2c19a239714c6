"""Every list of the management routes has every row once, page by page, whatever the limits."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle, pairwise
from typing import Any
from urllib.parse import urlencode, urljoin

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from persistence.decisions.writer import DecisionLog
from persistence.tenants import Tenant
from tests.support.data.review import decide, say, store
from tests.support.factories import decision_at, write_whole
from tests.support.fixture_types import MakeTenant
from tests.support.management_api import Request, connected

MORE = "more rows follow: repeat with cursor="
FEW = settings(
    max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


@pytest.fixture
def request_(service_engine: Engine) -> Iterator[Request]:
    with connected(service_engine) as request:
        yield request


def exported(reply: httpx.Response) -> tuple[list[str], str | None]:
    """Return the ids of an export, and the cursor that its last line names."""
    assert reply.status_code == 200, reply.text
    rows = list(csv.reader(io.StringIO(reply.text, newline="")))
    assert {len(row) for row in rows} == {21}
    ids = [row[0] for row in rows[1:]]
    _, separator, cursor = (ids[-1] if ids else "").partition(
        "more rows follow: repeat with cursor="
    )
    return (ids[:-1], cursor) if separator else (ids, None)


def next_url(reply: httpx.Response) -> str | None:
    """Return the address of the next page, as a client of RFC 8288 finds it."""
    link = reply.links.get("next")
    assert (link is None) == ("x-next-cursor" not in reply.headers)
    if link is None:
        return None
    assert reply.headers["x-next-cursor"] in link["url"]
    return urljoin(str(reply.url), link["url"]).removeprefix("http://sentinel")


@FEW
@given(
    batches=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    limits=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    how=st.sampled_from(["one batch", "one moment", "in between"]),
)
def test_an_export_page_by_page_has_every_row_once(
    request_: Request,
    service_engine: Engine,
    make_tenant: MakeTenant,
    batches: list[int],
    limits: list[int],
    how: str,
) -> None:
    tenant = make_tenant(f"bank-{datetime.now(UTC).timestamp():.6f}".replace(".", "-"))
    log = DecisionLog(service_engine)
    moment = datetime.now(UTC) - timedelta(hours=1)
    stored: list[str] = []
    for count in batches:
        batch = [decide(tenant) for _ in range(count)]
        if how == "one moment":
            batch = [decision_at(decision, moment) for decision in batch]
        # One database transaction, so that all rows of a batch have the same decided_at.
        write_whole(log, batch)
        stored += [str(decision.transaction_id) for decision in batch]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for limit in cycle(limits):
        reply = request_(
            tenant.id, "GET", f"/transactions.csv?{urlencode({'limit': limit, **cursor})}"
        )
        ids, more = exported(reply)
        assert more == reply.headers.get("x-next-cursor")
        seen += ids
        if more is None:
            break
        assert len(ids) == limit
        cursor = {"cursor": more}
        if how == "in between":
            store(service_engine, decide(tenant))
    assert seen == sorted(stored, reverse=True)


@pytest.mark.parametrize("path", ["/queue", "/transactions", "/transactions.csv", "/audit"])
def test_the_link_of_every_list_leads_to_every_row_once(
    request_: Request, service_engine: Engine, make_tenant: MakeTenant, path: str
) -> None:
    tenant = make_tenant()
    batch = [decide(tenant, 0.5) for _ in range(23)]
    write_whole(DecisionLog(service_engine), batch)
    if path == "/audit":
        for decision in batch:
            say(service_engine, decision, "escalated")
    url: str | None = f"{path}?{'action=feedback.created&' if path == '/audit' else ''}limit=5"
    seen: list[Any] = []
    while url is not None:
        reply = request_(tenant.id, "GET", url)
        assert reply.status_code == 200, reply.text
        if path.endswith(".csv"):
            seen += exported(reply)[0]
        else:
            assert reply.json()["next_cursor"] == reply.headers.get("x-next-cursor")
            seen += [item.get("transaction_id", item.get("id")) for item in reply.json()["items"]]
        url = next_url(reply)
    assert len(seen) == len(set(seen)) == 23


def test_spans_of_time_that_meet_have_every_row_once(
    request_: Request, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    start = datetime(2026, 1, 31, 23, 59, 59, 900_000, tzinfo=UTC)
    batch = [decision_at(decide(tenant), start + timedelta(milliseconds=7 * i)) for i in range(40)]
    store(service_engine, *batch)
    edges = [start + timedelta(microseconds=40_123 * i) for i in range(8)]
    seen: list[str] = []
    for begin, end in pairwise(edges):
        span = urlencode({"from": begin.isoformat(), "to": end.isoformat()})
        seen += exported(request_(tenant.id, "GET", f"/transactions.csv?{span}"))[0]
    assert sorted(seen) == [str(decision.transaction_id) for decision in batch]


def test_a_time_of_an_export_selects_the_rows_from_it_on(
    request_: Request, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    before = decision_at(decide(tenant), datetime(2026, 1, 31, 12, tzinfo=UTC))
    store(service_engine, before)
    first = io.StringIO(request_(tenant.id, "GET", "/transactions.csv").text)
    (stored,) = csv.DictReader(first)
    after = decision_at(
        decide(tenant), datetime.fromisoformat(stored["decided_at"]) + timedelta(seconds=1)
    )
    store(service_engine, after)
    for name, expected in (("from", after), ("to", before)):
        as_pasted = f"{name}={stored['decided_at']}"
        for span in (urlencode({name: stored["decided_at"]}), as_pasted):
            assert exported(request_(tenant.id, "GET", f"/transactions.csv?{span}"))[0] == [
                str(expected.transaction_id)
            ]


def test_a_cursor_is_refused_with_other_filters_or_of_another_tenant(
    request_: Request, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    mine, other = make_tenant("mine"), make_tenant("other")
    store(service_engine, *[decide(mine) for _ in range(3)], *[decide(other) for _ in range(3)])
    cursor = request_(mine.id, "GET", "/transactions.csv?limit=1").headers["x-next-cursor"]

    def page(tenant: Tenant, **query: Any) -> httpx.Response:
        return request_(tenant.id, "GET", f"/transactions.csv?{urlencode(query)}")

    assert page(mine, cursor=cursor, limit=7).status_code == 200
    for reply in (
        page(mine, cursor=cursor, account="C1"),
        page(mine, cursor=cursor[:-1]),
        page(mine, cursor=""),
        page(other, cursor=cursor),
    ):
        assert reply.status_code == 422
        assert [error["field"] for error in reply.json()["errors"]] == ["cursor"]
