"""Cases: opened, filled, changed by two people at once, closed, exported; tenants stay apart."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from persistence.tenancy import tenant_transaction
from tests.support.console.site import Person, Site
from tests.support.data.review import say

CASES = "/console/cases"


def opened(person: Person, title: str = "Ring of accounts", **fields: Any) -> str:
    """Open a case; return its address."""
    reply = person.submit(f"{CASES}/new", title=title, **fields)
    assert reply.status_code == 303, reply.text
    return reply.headers["location"]


def shown(reply: httpx.Response) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", reply.text)).split())


def version(person: Person, case: str) -> str:
    found = re.search(r'name="seen" value="(\d+)"', person.get(case).text)
    assert found
    return found[1]


def in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def audited(site: Site) -> list[tuple[str, str, str]]:
    with tenant_transaction(site.engine, site.tenant.id) as connection:
        statement = "SELECT actor, action, object FROM audit_log WHERE object LIKE 'cases/%'"
        rows = connection.execute(text(f"{statement} ORDER BY id")).all()
    return [(actor, action, object_) for actor, action, object_ in rows]


def test_a_case_is_opened_with_events_of_every_kind_of_id(site: Site) -> None:
    person = site.person()
    first, second, third = site.decided(0.9, 0.3, 0.2)
    (named,) = site.decided(0.6, external_id="pay-1")
    assert (named, first) != (second, third)
    ids = [str(first.transaction_id), str(second.prediction_id), "pay-1"]
    case = opened(person, transaction=ids)
    page = shown(person.get(case))
    assert "Ring of accounts" in page
    assert "3 events" in page
    person.submit(f"{case}/events", transaction_id=f"pay-1 {third.transaction_id}")
    assert "4 events" in shown(person.get(case)), "an event that is linked twice counts once"


def test_other_pages_send_events_and_get_the_form_first(site: Site) -> None:
    person = site.person()
    first, second = (str(one.transaction_id) for one in site.decided(0.9, 0.3))
    form = person.submit(f"{CASES}/new", transaction=[first, second])
    assert "It begins with 2 events" in shown(form)
    assert form.text.count(f'name="transaction" value="{first}"') == 1
    address = person.get(f"{CASES}/new", params={"transaction": first})
    assert "It begins with 1 event" in shown(address)
    assert audited(site) == []


def test_what_was_typed_is_kept_when_an_id_is_wrong(site: Site) -> None:
    person = site.person()
    (event,) = site.decided(0.9)
    typed = {"title": "Ring", "priority": "high", "due_on": in_days(3), "note": "Seen twice."}
    for wrong in ("nothing", "x" * 200):
        ids = [str(event.transaction_id), wrong]
        refused = person.submit(f"{CASES}/new", **typed, transaction=ids)
        assert refused.status_code == 422
        assert "There is a problem: Event " in shown(refused)
        for kept in ('value="Ring"', f'value="{in_days(3)}"', "Seen twice.</textarea>"):
            assert kept in refused.text
        assert '<option value="high" selected>' in refused.text
    assert audited(site) == []


def test_a_case_that_has_the_event_already_is_named_before_another_is_opened(site: Site) -> None:
    person = site.person()
    (event,) = site.decided(0.9)
    opened(person, "First", transaction=str(event.transaction_id))
    form = person.get(f"{CASES}/new", params={"transaction": str(event.prediction_id)})
    assert "These open cases have such an event already Case 1: First" in shown(form)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": " "}, "Title"),
        ({"title": "x" * 201}, "Title"),
        ({"priority": "urgent"}, "Priority"),
        ({"assignee": "999"}, "Assignee"),
        ({"due_on": "soon"}, "Due date"),
        ({"note": "x" * 4001}, "Note"),
        ({"transaction": "nothing"}, "Event"),
        ({"entity": "planet", "key": "Mars"}, "Kind"),
    ],
)
def test_a_value_that_is_not_valid_is_named_and_nothing_is_stored(
    site: Site, fields: dict[str, str], field: str
) -> None:
    person = site.person()
    refused = person.submit(f"{CASES}/new", **{"title": "Kept", "note": "Typed"} | fields)
    assert refused.status_code == 422
    assert f"There is a problem: {field} " in shown(refused)
    assert audited(site) == []
    if "title" not in fields:
        assert 'value="Kept"' in refused.text


def test_overdue_cases_come_first_and_no_due_date_is_just_now(site: Site) -> None:
    person = site.person()
    opened(person, "Sometime", priority="high")
    opened(person, "Next week", due_on=in_days(6))
    opened(person, "Soon and urgent", due_on=in_days(3), priority="high")
    opened(person, "Soon", due_on=in_days(3))
    opened(person, "Late", due_on=in_days(-2), priority="low")
    page = person.get(CASES)
    assert re.findall(r">Case \d+: ([^<]+)</a>", page.text) == [
        "Late", "Soon and urgent", "Soon", "Next week", "Sometime",
    ]  # fmt: skip
    for words in ("overdue by 2 days", "due in 3 days", "Overdue (1)", "Open (5)", "Closed (0)"):
        assert words in shown(page)
    assert "just now" not in page.text
    assert "ago" not in shown(page)


@pytest.mark.parametrize(
    ("filters", "titles"),
    [
        ({"due": "overdue"}, {"Late"}),
        ({"due": "week"}, {"Soon"}),
        ({"due": "none"}, {"Sometime"}),
        ({"priority": "high"}, {"Soon"}),
        ({"assignee": "me"}, {"Soon"}),
        ({"assignee": "none"}, {"Late", "Sometime"}),
        ({"status": "closed"}, set()),
    ],
)
def test_filters_in_the_address_are_honoured(
    site: Site, filters: dict[str, str], titles: set[str]
) -> None:
    person = site.person()
    opened(person, "Late", due_on=in_days(-2))
    opened(person, "Soon", due_on=in_days(3), priority="high", assignee=str(person.user.id))
    opened(person, "Sometime")
    page = person.get(CASES, params=filters)
    assert set(re.findall(r">Case \d+: ([^<]+)</a>", page.text)) == titles


def test_every_case_is_on_one_page_of_the_list(site: Site) -> None:
    person = site.person()
    expected = set()
    for i in range(60):
        due = {"due_on": in_days(i % 7 - 3)} if i % 3 else {}
        opened(person, f"T{i}", priority=("high", "normal", "low")[i % 3], **due)
        expected.add(f"T{i}")
    seen: list[str] = []
    address: str | None = CASES
    while address:
        page = person.get(address).text
        seen += re.findall(r">Case \d+: ([^<]+)</a>", page)
        found = re.search(r'href="(/console/cases\?[^"]*cursor=[^"]+)"', page)
        address = unescape(found[1]) if found else None
    assert len(seen) == len(expected)
    assert set(seen) == expected


def test_a_change_of_what_somebody_else_changed_is_refused_and_nothing_is_lost(site: Site) -> None:
    ana, bo = site.person("analyst"), site.person("senior")
    case = opened(ana)
    seen = version(ana, case)
    facts = {"title": "Ring of accounts", "priority": "high", "seen": seen}
    assert bo.submit(f"{case}/details", **facts).status_code == 303
    refused = ana.submit(f"{case}/details", title="Mine", priority="low", seen=seen)
    assert refused.status_code == 409
    assert "Bo Senior changed the case: Priority from Normal to High" in shown(refused)
    assert 'value="Mine"' in refused.text, "what was typed is still there"
    assert "Ring of accounts" in shown(bo.get(case))
    again = version(ana, case)
    assert f'name="seen" value="{again}"' in refused.text
    assert ana.submit(f"{case}/details", title="Mine", seen=again).status_code == 303
    assert "Case 1: Mine" in shown(bo.get(case))


def test_nobody_closes_a_case_without_having_seen_its_events(site: Site) -> None:
    ana, bo = site.person("analyst"), site.person("senior")
    case = opened(ana)
    seen = version(ana, case)
    (event,) = site.decided(0.9)
    bo.submit(f"{case}/events", transaction_id=str(event.transaction_id))
    refused = ana.submit(f"{case}/close", outcome="not_fraud", note="All is well", seen=seen)
    assert refused.status_code == 409
    assert "Bo Senior linked an event" in shown(refused)
    assert "All is well</textarea>" in refused.text
    assert "case_note.created" not in {action for _, action, _ in audited(site)}


def test_a_closed_case_has_its_outcome_takes_notes_only_and_can_be_reopened(site: Site) -> None:
    person = site.person()
    case = opened(person)
    (event,) = site.decided(0.9)
    closing = {"outcome": "fraud_confirmed", "amount": "1250.50", "seen": version(person, case)}
    assert person.submit(f"{case}/close", **closing).status_code == 303
    page = shown(person.get(case))
    assert "Fraud confirmed , 1,250.50" in page
    added = person.submit(f"{case}/events", transaction_id=str(event.transaction_id))
    assert added.status_code == 409
    assert "The case was closed in the meantime" in shown(added)
    assert person.submit(f"{case}/notes", note="The bank called.").status_code == 303
    assert "Closed (1)" in shown(person.get(CASES))
    reopened = person.submit(f"{case}/reopen", seen=version(person, case))
    assert reopened.status_code == 303
    page = shown(person.get(case))
    assert "reopened the case, which was closed as: Fraud confirmed, 1,250.50" in page


def test_only_who_may_read_the_audit_log_is_led_to_it(site: Site) -> None:
    case = opened(site.person())
    assert "/console/audit" not in site.person().get(case).text
    assert "/console/audit?object=cases/1" in site.person("admin").get(case).text


def test_every_change_is_audited_with_the_person(site: Site) -> None:
    person = site.person()
    (event,) = site.decided(0.9)
    case = opened(person, transaction=str(event.transaction_id), note="First")
    person.submit(f"{case}/entities", entity="account", key="C42")
    person.submit(f"{case}/entities/remove", entity="account", key="C42")
    person.submit(f"{case}/events/remove", transaction_id=str(event.transaction_id))
    assert {(actor, object_) for actor, _, object_ in audited(site)} == {("Ana Analyst", "cases/1")}
    assert [action for _, action, _ in audited(site) if action != "case.changed"] == [
        "case.created", "case_event.created", "case_note.created", "case_entity.created",
        "case_entity.removed", "case_event.removed",
    ]  # fmt: skip
    page = shown(person.get(case))
    for did in ("opened the case", "linked an event", "linked account C42", "removed account C42"):
        assert f"Ana Analyst {did}" in page


def test_the_file_has_every_linked_event_and_its_export_is_logged(site: Site) -> None:
    person = site.person("senior")
    events = site.decided(*(0.1 + i / 100 for i in range(30)))
    say(site.engine, events[3], "confirmed_fraud", "The customer called.")
    ids = [str(one.transaction_id) for one in events]
    case = opened(person, "Ring <b>&", transaction=ids, note="Look at line 1.\nAnd 2.")
    file = person.get(f"{case}/file")
    assert file.headers["content-disposition"] == 'attachment; filename="case-1-demo.html"'
    for one in events:
        assert str(one.transaction_id) in file.text
        assert str(one.prediction_id) in file.text
    words = shown(file)
    for part in ("0.13", "0.05", "fraud-demo 1", "odds of fraud by", "The customer called.",
                 "Look at line 1.", "exported by Bo Senior (bo@demo.example)",
                 "Ring <b>&"):  # fmt: skip
        assert part in words
    assert "<script" not in file.text
    assert not re.search(r"(src|href)=", file.text)
    assert "<b>&" not in file.text
    with tenant_transaction(site.engine, site.tenant.id) as connection:
        logged = connection.execute(
            text("SELECT actor, object FROM access_log WHERE action = 'case.exported'")
        ).all()
    assert [tuple(row) for row in logged] == [("Bo Senior", "cases/1")]
    assert "Bo Senior downloaded the file" in shown(person.get(case))


def test_an_event_that_retention_deleted_stays_in_the_case_by_its_id(site: Site) -> None:
    person = site.person()
    (event,) = site.decided(0.9)
    case = opened(person, transaction=str(event.transaction_id))
    with tenant_transaction(site.engine, site.tenant.id) as connection:
        connection.execute(text("DELETE FROM predictions"))
        connection.execute(text("DELETE FROM transactions"))
    assert f"{event.transaction_id} Deleted after its retention" in shown(person.get(case))
    assert str(event.transaction_id) in person.get(f"{case}/file").text


def test_another_tenant_sees_no_case_and_links_no_event(site: Site) -> None:
    person, stranger = site.person(), site.person(site.stranger)
    (event,) = site.decided(0.9, external_id="pay-1")
    case = opened(person, transaction=str(event.transaction_id))
    for path in (case, f"{case}/file"):
        assert stranger.get(path).status_code == 404
    for path, fields in (
        ("details", {"title": "Taken", "seen": "1"}),
        ("close", {"outcome": "not_fraud", "seen": "1"}),
        ("reopen", {"seen": "1"}),
        ("notes", {"note": "Mine"}),
        ("events", {"transaction_id": str(event.transaction_id)}),
        ("events/remove", {"transaction_id": str(event.transaction_id)}),
        ("entities", {"entity": "account", "key": "C1"}),
    ):
        assert stranger.submit(f"{case}/{path}", **fields).status_code == 404, path
    assert shown(stranger.get(CASES)).count("Case 1") == 0
    own = opened(stranger, "Theirs")
    assert own == case, "every tenant counts its own cases"
    for given in (str(event.transaction_id), str(event.prediction_id), "pay-1"):
        assert stranger.submit(f"{own}/events", transaction_id=given).status_code == 422
        assert given in shown(stranger.get(f"{CASES}/new", params={"transaction": given}))
        refused = stranger.submit(f"{CASES}/new", title="x", transaction=given)
        assert refused.status_code == 422
    colleague = stranger.submit(
        f"{own}/details", title="x", assignee=str(person.user.id), seen=version(stranger, own)
    )
    assert colleague.status_code == 422


def test_a_page_of_a_full_case_is_small(site: Site) -> None:
    person = site.person()
    events = site.decided(*(0.1 for _ in range(60)))
    case = opened(person, transaction=[str(one.transaction_id) for one in events])
    page = person.get(case)
    assert len(page.content) < 40_000
    following = re.search(r'href="([^"]*cursor=[^"#]+)', page.text)
    assert following
    first = set(re.findall(r"/console/transactions/([0-9a-f-]{36})\"", page.text))
    second = set(
        re.findall(
            r"transaction_id\" value=\"([0-9a-f-]{36})", person.get(unescape(following[1])).text
        )
    )
    assert len(second) == 20
    assert len(first - second) >= 20
