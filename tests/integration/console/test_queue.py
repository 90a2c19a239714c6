"""The queue and its verdicts over HTTP, as a browser without scripts sees them."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from persistence.actor import Actor
from persistence.api_keys import KeyIssuer
from persistence.decisions.rows import Decided
from persistence.review.assignments import assign, claim
from persistence.review.worklist import read_case
from tests.support.console.site import Person, Site
from tests.support.data.review import say
from tests.support.stack import KEY_SECRET

JSON = {"Accept": "application/json"}


def in_order(page: httpx.Response) -> list[UUID]:
    assert page.status_code == 200, page.text
    return [UUID(found) for found in re.findall(r'name="item"[^>]* value="([^".]+)\.', page.text)]


def ids(decided: list[Decided]) -> list[UUID]:
    return [one.transaction_id for one in decided]


def feedback_of(site: Site, decided: Decided) -> list[tuple[str, str, str]]:
    case = read_case(site.engine, site.tenant.id, decided.transaction_id)
    return [(one.label, one.rationale, one.actor) for one in case.feedback]


def verdict(person: Person, decided: Decided, label: str, **fields: Any) -> httpx.Response:
    return person.submit(
        f"/console/transactions/{decided.transaction_id}/verdict", label=label, **fields
    )


def test_the_queue_is_in_order_of_risk_or_of_age(site: Site) -> None:
    made = site.decided(0.2, 0.9, 0.4)
    person = site.person()
    first, second, third = ids(made)
    assert in_order(person.get("/console/queue")) == [second, third, first]
    assert in_order(person.get("/console/queue?order=oldest")) == ids(
        sorted(made, key=lambda one: one.prediction_id)
    )


def test_a_row_says_what_was_decided_why_and_by_what(site: Site) -> None:
    site.decided(0.9, amount=1234.5, name_orig="C17", name_dest="M4")
    page = site.person().get("/console/queue").text
    for said in ("90.0%", "High", "1,234.50", "In review", "by the model, from 5.00%"):
        assert said in page
    assert '<a href="/console/entities/account/C17"' in page
    shown = re.search(r'class="reason"><span>([^<]+)</span> <span class="quiet nowrap">(.)', page)
    assert shown
    assert shown[2] in "\N{MULTIPLICATION SIGN}\N{DIVISION SIGN}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [0, 1, 2, 3]),
        ("band=high", [0, 1]),
        ("band=medium", [2, 3]),
        ("amount_min=150", [1, 2, 3]),
        ("amount_min=150&amount_max=350", [1, 2]),
        ("amount_max=100&amount_min=", [0]),
        ("entity=C2", [1, 3]),
        ("entity=C2&band=high", [1]),
        ("entity=nobody", []),
        ("outcome=decline", []),
        ("assignee=me", [2]),
        ("assignee=nobody", [0, 1, 3]),
        ("rule=7", []),
    ],
)
def test_filters_in_links_are_honoured(site: Site, query: str, expected: list[int]) -> None:
    made = [
        *site.decided(0.9, amount=100.0, name_orig="C1"),
        *site.decided(0.8, amount=200.0, name_orig="C2"),
        *site.decided(0.3, amount=300.0, name_orig="C3"),
        *site.decided(0.2, amount=400.0, name_orig="C4", name_dest="C2"),
    ]
    site.decided(0.01)
    assign(site.engine, [made[2].transaction_id], site.people["analyst"])
    page = site.person().get(f"/console/queue?{query}")
    assert in_order(page) == [made[i].transaction_id for i in expected]
    number = len(expected)
    assert f'id="waiting">{number} wait' in page.text


def test_a_filter_that_cannot_be_is_named(site: Site) -> None:
    person = site.person()
    for query, field in (("band=huge", "band"), ("amount_min=2&amount_max=1", "amount_max")):
        refused = person.get(f"/console/queue?{query}")
        assert refused.status_code == 422
        assert f"<code>{field}</code>" in refused.text


def test_the_count_is_of_all_pages_and_every_decision_is_on_one(site: Site) -> None:
    made = site.decided(*(0.06 + i / 100 for i in range(60)))
    person, found, pages = site.person(), [], 0
    address: str | None = "/console/queue"
    while address:
        page = person.get(address)
        assert 'id="waiting">60 wait' in page.text
        assert len(page.content) < 40_000
        found += in_order(page)
        following = re.search(r'href="([^"]*)" rel="next"', page.text)
        address = following.group(1).replace("&amp;", "&") if following else None
        pages += 1
    assert found == ids(made)[::-1]
    assert pages == 3


@pytest.mark.parametrize("order", ["risk", "oldest"])
def test_the_page_before_is_the_page_before(site: Site, order: str) -> None:
    site.decided(*(0.06 + i / 100 for i in range(80)))
    person = site.person()
    pages = [person.get(f"/console/queue?order={order}")]
    while following := re.search(r'href="([^"]*)" rel="next"', pages[-1].text):
        pages.append(person.get(unescape(following[1])))
    assert len(pages) == 4
    page = pages[-1]
    for expected in pages[-2::-1]:
        previous = re.search(r'href="([^"]*)" rel="prev"', page.text)
        assert previous
        page = person.get(unescape(previous[1]))
        assert in_order(page) == in_order(expected)
    assert "cursor" not in str(page.url)
    assert 'rel="prev"' not in page.text


def test_a_verdict_settles_and_can_be_changed_later(site: Site) -> None:
    (decided,) = site.decided(0.7)
    ana, bo = site.person("analyst"), site.person("senior")
    stored = verdict(ana, decided, "confirmed_fraud", next="/console/queue?band=high")
    assert (stored.status_code, stored.headers["location"]) == (303, "/console/queue?band=high")
    assert in_order(ana.get("/console/queue")) == []
    case = read_case(site.engine, site.tenant.id, decided.transaction_id)
    changed = verdict(
        bo, decided, "false_positive", seen=case.feedback[0].id, rationale="He called."
    )
    assert changed.status_code == 303
    assert feedback_of(site, decided) == [
        ("false_positive", "He called.", "Bo Senior"),
        ("confirmed_fraud", "Decided as fraud without a further reason.", "Ana Analyst"),
    ]


def test_the_second_of_two_people_learns_what_the_first_decided(site: Site) -> None:
    (decided,) = site.decided(0.7)
    ana, bo = site.person("analyst"), site.person("senior")
    assert verdict(ana, decided, "false_positive", rationale="A salary.").status_code == 303
    refused = verdict(bo, decided, "confirmed_fraud", seen="")
    assert refused.status_code == 409
    for said in ("Ana Analyst decided", "Legitimate", "A salary.", "Somebody else decided first"):
        assert said in refused.text
    assert len(feedback_of(site, decided)) == 1
    seen = re.search(r'name="seen" value="(\d+)"', refused.text)
    assert seen
    assert verdict(bo, decided, "confirmed_fraud", seen=seen.group(1)).status_code == 303


def test_a_verdict_that_is_sent_twice_is_stored_once(site: Site) -> None:
    (decided,) = site.decided(0.7)
    person = site.person()
    for _ in range(2):
        assert verdict(person, decided, "confirmed_fraud", rationale="Twice.").status_code == 303
    assert len(feedback_of(site, decided)) == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"label": "maybe"}, "label"),
        ({"label": "escalated", "seen": "x"}, "seen"),
        ({"label": "escalated", "rationale": "a\x00b"}, "rationale"),
        ({"label": "escalated", "rationale": "a" * 2001}, "rationale"),
    ],
)
def test_a_verdict_that_is_not_valid_names_the_field(
    site: Site, fields: dict[str, str], field: str
) -> None:
    (decided,) = site.decided(0.7)
    refused = verdict(site.person(), decided, **fields)
    assert refused.status_code == 422
    assert f"<code>{field}</code>" in refused.text
    assert feedback_of(site, decided) == []


def test_another_tenant_can_neither_see_claim_nor_decide(site: Site) -> None:
    (decided,) = site.decided(0.7)
    olga, item = site.person(site.stranger), str(decided.transaction_id)
    assert in_order(olga.get("/console/queue")) == []
    assert verdict(olga, decided, "confirmed_fraud").status_code == 404
    bulk = olga.submit("/console/verdicts", label="confirmed_fraud", item=item)
    assert bulk.status_code == 404
    assert olga.submit("/console/queue/claims", item=item).status_code == 404
    assert olga.submit("/console/queue/assignments", item=item).status_code == 404
    assert (
        "1 payment"
        not in olga.submit("/console/verdicts/confirm", label="escalated", item=item).text
    )
    shown = olga.get(f"/console/queue/changes?since={UUID(int=0)}&shown={item}").json()
    assert shown["newer"] == []
    assert feedback_of(site, decided) == []


def test_a_bulk_verdict_asks_with_count_and_sum_and_leaves_out_what_others_decided(
    site: Site,
) -> None:
    made = [*site.decided(0.7, 0.8, amount=100.25), *site.decided(0.9, amount=1000.0)]
    items = [f"{one.transaction_id}." for one in made]
    ana = site.person()
    asked = ana.submit("/console/verdicts/confirm", label="confirmed_fraud", item=items)
    assert "Fraud: 3 payments?" in asked.text
    assert "Together 1,200.50." in asked.text
    say(site.engine, made[1], "false_positive")
    answer = ana.submit("/console/verdicts", label="confirmed_fraud", item=items, rationale="Ring.")
    assert answer.status_code == 409
    assert "The other 2 verdicts were stored." in answer.text
    assert feedback_of(site, made[0]) == [("confirmed_fraud", "Ring.", "Ana Analyst")]
    assert [label for label, *_ in feedback_of(site, made[1])] == ["false_positive"]


def test_who_looks_at_a_payment_holds_it_until_somebody_takes_it(site: Site) -> None:
    (decided,) = site.decided(0.7)
    ana, bo, item = site.person("analyst"), site.person("senior"), str(decided.transaction_id)
    mine = ana.submit("/console/queue/claims", item=item).json()
    assert mine == {"who": "You are on it", "other": False}
    theirs = bo.submit("/console/queue/claims", item=item).json()
    assert theirs == {"who": "Ana Analyst is on it", "other": True}
    assert "Ana Analyst is on it" in bo.get("/console/queue").text
    taken = bo.post(
        "/console/queue/assignments", data={"csrf": bo.csrf, "item": item}, headers=JSON
    )
    assert taken.json()["message"] == "Yours now; it was with Ana Analyst."
    live = ana.get(f"/console/queue/changes?since={UUID(int=0)}&shown={item}").json()
    assert live["rows"][item] == {"who": "Bo Senior", "other": True}
    verdict(bo, decided, "escalated")
    assert read_assignees(site) == [], "a verdict ends it"


def test_a_claim_expires_and_is_left_for_the_next(site: Site) -> None:
    first, second = site.decided(0.7, 0.8)
    ana, bo = site.people["analyst"], site.people["senior"]
    claim(site.engine, first.transaction_id, ana)
    run(site, "UPDATE review_assignments SET until = now() - interval '1 second'")
    assert claim(site.engine, first.transaction_id, bo).name == "Bo Senior"
    claim(site.engine, second.transaction_id, bo, leave=first.transaction_id)
    assert read_assignees(site) == [(second.transaction_id, bo.id)]
    assign(site.engine, [first.transaction_id], bo)
    claim(site.engine, second.transaction_id, bo, leave=first.transaction_id)
    assert len(read_assignees(site)) == 2, "what is assigned stays"


def test_feedback_through_the_api_ends_claims_and_assignments_too(site: Site) -> None:
    made = site.decided(0.7, 0.8, 0.9)
    ana = site.people["analyst"]
    claim(site.engine, made[0].transaction_id, ana)
    assign(site.engine, [one.transaction_id for one in made[1:]], ana)
    key = KeyIssuer(KEY_SECRET).issue(
        site.engine, site.tenant.id, ("review",), None, name="desk", actor=Actor("setup")
    )
    for decided in made[:2]:
        stored = httpx.post(
            f"{site.url}/transactions/{decided.transaction_id}/feedback",
            json={"label": "false_positive", "rationale": "He called."},
            headers={"Authorization": f"Bearer {key}"},
            trust_env=False,
        )
        assert stored.status_code == 201, stored.text
    assert read_assignees(site) == [(made[2].transaction_id, ana.id)]


def test_an_assignment_is_audited_with_the_person_and_a_claim_is_not(site: Site) -> None:
    (decided,) = site.decided(0.7)
    claim(site.engine, decided.transaction_id, site.people["senior"])
    assign(site.engine, [decided.transaction_id], site.people["analyst"])
    found = run(site, "SELECT actor, object FROM audit_log WHERE action LIKE 'assignment.%'")
    assert found == [("Ana Analyst", f"transactions/{decided.transaction_id}")]


def test_the_page_learns_what_is_new_and_what_others_decided(site: Site) -> None:
    (old,) = site.decided(0.7)
    person = site.person()
    page = person.get("/console/queue?band=high").text
    found = re.search(r'data-changes="([^"]+)" data-known="([^"]*)"', page)
    assert found
    changes, known = found.group(1).replace("&amp;", "&"), found.group(2).split()
    assert known == [str(old.prediction_id)], "a decision of the last seconds is known"
    (new,) = site.decided(0.8)
    site.decided(0.2)
    say(site.engine, old, "confirmed_fraud")
    answer = person.get(f"{changes}&shown={old.transaction_id}", headers={"X-Refresh": "1"}).json()
    assert answer["newer"] == [str(new.prediction_id)]
    state = answer["rows"][str(old.transaction_id)]["verdict"]
    assert (state["label"], state["by"]) == ("confirmed_fraud", "by analyst")


def run(site: Site, statement: str) -> list[tuple[Any, ...]]:
    with site.engine.begin() as connection:
        connection.execute(text(f"SET LOCAL sentinel.tenant_ids = '{site.tenant.id}'"))
        result = connection.execute(text(statement))
        return [tuple(row) for row in result] if result.returns_rows else []


def read_assignees(site: Site) -> list[tuple[Any, ...]]:
    return run(site, "SELECT transaction_id, user_id FROM review_assignments")


def test_a_filter_that_did_not_look_at_everything_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persistence.review.queue_filter.MAX_LOOKED_UP", 5)
    site.decided(*(0.6 + i / 100 for i in range(8)), amount=10.0)
    site.decided(0.95, amount=5_000.0)
    page = site.person().get("/console/queue?amount_min=1000").text
    assert "at least 1 wait" in page
