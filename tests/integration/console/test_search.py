"""The search finds what its filters say, and nothing of another tenant."""

from __future__ import annotations

import csv
import io

import pytest

from persistence.actor import Actor
from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.review.worklist import add_feedback
from persistence.tenancy import tenant_transaction
from persistence.uuid7 import new_ids
from tests.support.console.site import Person, Site
from tests.support.data.review import decide


def stored(site: Site) -> list[Decided]:
    """Store a small payment, and a large one that was confirmed as a fraud."""
    (small,) = site.decided(0.02, external_id="small-1", amount=10.0, name_orig="C1", type="DEBIT")
    (large,) = site.decided(
        0.97, external_id="large-1", amount=9000.0, name_orig="C2", type="TRANSFER"
    )
    actor = Actor("Ana Analyst", "user ana@demo.example")
    with tenant_transaction(site.engine, site.tenant.id, actor=actor) as connection:
        add_feedback(
            connection,
            site.tenant.id,
            large.transaction_id,
            label="confirmed_fraud",
            rationale="=cmd()",
            actor=actor,
        )
    return [small, large]


def found(person: Person, query: str, decided: list[Decided]) -> list[str | None]:
    """Return the external ids of those decisions that a search shows."""
    page = person.get(f"/console/search?{query}")
    assert page.status_code == 200
    return [
        one.transaction.external_id
        for one in decided
        if f"/console/transactions/{one.transaction_id}" in page.text
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["small-1", "large-1"]),
        ("range=24h", ["small-1", "large-1"]),
        ("to=2020-01-02T00:00&from=2020-01-01T00:00", []),
        ("from=2020-01-01T00:00&q=C1", ["small-1"]),
        ("band=high", ["large-1"]),
        ("band=low", ["small-1"]),
        ("outcome=approve", ["small-1"]),
        ("outcome=review", ["large-1"]),
        ("verdict=confirmed_fraud", ["large-1"]),
        ("verdict=false_positive", []),
        ("verdict=none", ["small-1"]),
        ("amount_min=5000", ["large-1"]),
        ("amount_max=5000", ["small-1"]),
        ("score_min=50", ["large-1"]),
        ("score_max=50", ["small-1"]),
        ("external_id=large-1", ["large-1"]),
        ("f.type=TRANSFER", ["large-1"]),
        ("f.nameOrig=C1", ["small-1"]),
        ("f.oldbalanceOrg.min=-1&f.type=DEBIT", ["small-1"]),
        ("f.oldbalanceOrg.min=100000000", []),
        ("q=C2", ["large-1"]),
        ("q=small-1", ["small-1"]),
        ("band=high&f.type=DEBIT", []),
    ],
)
def test_each_filter_of_a_link_is_honoured(site: Site, query: str, expected: list[str]) -> None:
    decided = stored(site)
    assert found(site.person(), query, decided) == expected
    assert found(site.person(site.stranger), query, decided) == []


def test_an_id_of_a_transaction_or_of_a_prediction_is_found_in_its_tenant_only(site: Site) -> None:
    _, large = decided = stored(site)
    for typed in (large.transaction_id, large.prediction_id):
        assert found(site.person(), f"q={typed}", decided) == ["large-1"]
        assert found(site.person(site.stranger), f"q={typed}", decided) == []


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("from=2020-01-01T00:00&band=high", "choose 31 days at most"),
        ("from=2026-02-01T00:00&to=2026-01-01T00:00", "before the beginning"),
        ("amount_min=much", "This is no number."),
        ("score_min=101", "0 to 100 %"),
        ("band=highest", "none of the choices"),
        ("from=yesterday", "This is no time."),
    ],
)
def test_a_filter_that_is_wrong_is_named(site: Site, query: str, problem: str) -> None:
    page = site.person().get(f"/console/search?{query}")
    assert page.status_code == 422
    assert problem in page.text


def test_figures_are_of_the_result(site: Site) -> None:
    stored(site)
    page = site.person().get("/console/search?f.type=TRANSFER").text
    assert "1 transaction<" in page
    assert "<dt>Sum of amounts</dt><dd>9,000</dd>" in page
    assert "<dt>In review</dt><dd>1</dd>" in page
    assert "<dt>Fraud</dt><dd>1</dd>" in page


def test_figures_count_every_payment_of_a_batch(site: Site) -> None:
    """A batch has ids of one millisecond, which are in random order."""
    batch = [
        decide(site.tenant, 0.9, amount=10.0)._replace(transaction_id=one, prediction_id=other)
        for one, other in new_ids(100)
    ]
    assert DecisionLog(site.engine).write(batch) == batch
    page = site.person().get("/console/search?outcome=review").text
    assert "100 transactions<" in page
    assert "<dt>Sum of amounts</dt><dd>1,000</dd>" in page
    assert "<dt>In review</dt><dd>100</dd>" in page


def test_pages_have_every_row_once(site: Site) -> None:
    decided = site.decided(*[0.5] * 60)
    person = site.person()
    first = person.get("/console/search").text
    path = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
    second = person.get(path.replace("&amp;", "&")).text
    for one in decided:
        link = f'"/console/transactions/{one.transaction_id}"'
        assert first.count(link) + second.count(link) == 1


def next_path(page: str) -> str | None:
    """Return the address of the next page; None on the last one."""
    before, found, _ = page.partition('" rel="next"')
    return before.rsplit('href="', 1)[1].replace("&amp;", "&") if found else None


@pytest.mark.parametrize("filters", ["amount_max=10", "f.type=DEBIT", "band=low&amount_max=10"])
def test_a_search_without_an_index_says_how_far_it_looked_and_looks_on(
    site: Site, monkeypatch: pytest.MonkeyPatch, filters: str
) -> None:
    for name in ("MAX_IN_ORDER", "MAX_LOOKED_UP"):
        monkeypatch.setattr(f"persistence.review.event_looking.{name}", 4)
    oldest = site.decided(0.01, amount=5.0, type="DEBIT")
    site.decided(*[0.02] * 9, amount=900.0, type="TRANSFER")
    person = site.person()
    page = person.get(f"/console/search?{filters}").text
    assert "No transaction passes these filters so far." in page
    assert "Search further back" in page
    assert "<dt>Sum of amounts</dt>" not in page, "a figure of a part would look like one of all"
    pages = [page]
    while path := next_path(pages[-1]):
        pages.append(person.get(path).text)
    assert len(pages) == 3
    assert f"/console/transactions/{oldest[0].transaction_id}" in pages[-1]
    assert "Search further back" not in pages[-1]


def test_figures_of_a_search_that_did_not_look_at_everything_are_a_lower_limit(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persistence.review.event_looking.MAX_IN_ORDER", 6)
    site.decided(*[0.02] * 5, amount=900.0)
    site.decided(*[0.02] * 4, amount=5.0)
    page = site.person().get("/console/search?amount_min=100").text
    assert "2 or more transactions" in page
    assert "The figures are of the newest 2." in page


@pytest.mark.parametrize("most", [2, 50_000])
@pytest.mark.parametrize("filters", ["band=high", "outcome=review&score_min=50", "verdict=none"])
def test_pages_by_decision_have_every_row_once_whichever_way_is_taken(
    site: Site, monkeypatch: pytest.MonkeyPatch, most: int, filters: str
) -> None:
    monkeypatch.setattr("persistence.review.event_looking.MAX_CANDIDATES", most)
    monkeypatch.setattr("console.search.routes.PAGE_ROWS", 3)
    decided = site.decided(*[0.9] * 8)
    person = site.person()
    pages = [person.get(f"/console/search?{filters}").text]
    while path := next_path(pages[-1]):
        pages.append(person.get(path).text)
    shown = "".join(pages)
    for one in decided:
        assert shown.count(f'"/console/transactions/{one.transaction_id}"') == 1


def test_an_entity_that_pays_and_is_paid_is_found_once_in_each_part(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it paid is found at once; what it was paid lies behind payments that do not pass."""
    monkeypatch.setattr("persistence.review.event_looking.MAX_LOOKED_UP", 4)
    monkeypatch.setattr("persistence.review.event_finding.MAX_COUNTED", 1)
    monkeypatch.setattr("console.search.routes.PAGE_ROWS", 1)
    paid = site.decided(*[0.02] * 2, amount=900.0, name_orig="C7", name_dest="C8")
    received = site.decided(*[0.02] * 3, amount=900.0, name_orig="C8", name_dest="C7")
    site.decided(*[0.02] * 9, amount=5.0, name_orig="C8", name_dest="C7")
    person = site.person()
    pages = [person.get("/console/search?q=C7&amount_min=100").text]
    while path := next_path(pages[-1]):
        pages.append(person.get(path).text)
    links = [f'"/console/transactions/{one.transaction_id}"' for one in paid + received]
    assert [sum(page.count(link) for page in pages) for link in links] == [1] * 5
    export = person.get("/console/search.csv?q=C7&amount_min=100").text
    assert len(export.splitlines()) == 6


def test_an_export_looks_at_everything(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("persistence.review.event_looking.MAX_IN_ORDER", 4)
    (oldest,) = site.decided(0.01, amount=5.0)
    site.decided(*[0.02] * 9, amount=900.0)
    reply = site.person().get("/console/search.csv?amount_max=10")
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert [row["transaction_id"] for row in rows] == [str(oldest.transaction_id)]


def test_an_export_that_would_take_too_long_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persistence.review.event_looking.MAX_IN_ORDER", 4)
    monkeypatch.setattr("persistence.review.event_finding.MAX_LOOKING_S", 0.0)
    site.decided(*[0.02] * 9, amount=900.0)
    refused = site.person().get("/console/search.csv?amount_max=10")
    assert refused.status_code == 422
    assert "choose a shorter time" in refused.text


def test_the_export_has_the_rows_of_the_filters_and_no_formulas(site: Site) -> None:
    _, large = stored(site)
    reply = site.person().get("/console/search.csv?band=high")
    assert reply.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert [row["transaction_id"] for row in rows] == [str(large.transaction_id)]
    assert rows[0]["rationale"] == "'=cmd()"
    other = site.person(site.stranger).get("/console/search.csv?band=high")
    assert len(other.text.splitlines()) == 1


def test_a_search_is_kept_for_its_person_until_it_is_removed(site: Site) -> None:
    ana, bo = site.person("analyst"), site.person("senior")
    saved = ana.submit("/console/search/saved", name="Risky", query="band=high&range=7d&x=1")
    assert (saved.status_code, saved.headers["location"]) == (
        303,
        "/console/search?range=7d&band=high",
    )
    page = ana.get("/console/search").text
    assert '<a href="/console/search?range=7d&amp;band=high">Risky</a>' in page
    assert "Risky" not in bo.get("/console/search").text
    remove = "/console/search/saved/" + page.split("/console/search/saved/")[1].split('"')[0]
    assert bo.submit(remove).status_code == 404
    assert ana.submit(remove).status_code == 303
    assert "Risky" not in ana.get("/console/search").text


def test_the_palette_finds_pages_by_name_and_by_id_in_the_tenant(site: Site) -> None:
    small, _ = stored(site)
    ana, olga = site.person(), site.person(site.stranger)
    assert 'href="/console/queue"' in ana.get("/console/palette?q=que").text
    assert "/console/settings/keys" not in ana.get("/console/palette?q=").text
    link = f"/console/transactions/{small.transaction_id}"
    for typed in ("small-1", str(small.transaction_id), str(small.prediction_id)):
        assert link in ana.get(f"/console/palette?q={typed}").text
        assert link not in olga.get(f"/console/palette?q={typed}").text
    assert "/console/entities/account/C1" in ana.get("/console/palette?q=C1").text
    assert "/console/entities/" not in olga.get("/console/palette?q=C1").text


def test_an_export_that_would_be_cut_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(site)
    person = site.person()
    assert person.get("/console/search.csv?range=7d").status_code == 200
    monkeypatch.setattr("console.search.routes.EXPORT_ROWS", 1)
    refused = person.get("/console/search.csv?range=7d")
    assert refused.status_code == 422
    assert "finds more than 1 transactions; choose a shorter time" in refused.text


def test_an_amount_among_the_ids_leads_to_the_payments_of_that_amount(site: Site) -> None:
    decided = stored(site)
    ana = site.person()
    page = ana.get("/console/search?q=9,000.00").text
    assert "Search for payments of 9,000.00 instead" in page
    assert found(ana, "amount_min=9000.00&amount_max=9000.00", decided) == ["large-1"]
    assert "instead" not in ana.get("/console/search?q=C404").text
    options = ana.get("/console/palette?q=9,000").text
    assert 'href="/console/search?amount_min=9000.00&amp;amount_max=9000.00"' in options
