"""The page of an entity has the figures of the database, and changes the lists that hold it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.history.folding import fold_history
from persistence.rules.changes import newest_change
from persistence.rules.index import index_of
from persistence.tenancy import tenant_transaction
from scoring.event_type.validation import EventValidator
from scoring.lists.entry_rows import NewEntry
from tests.support.console.site import Person, Site
from tests.support.data.own_events import decisions_of, put_in_force
from tests.support.data.review import decide, say
from tests.support.data.rules import put_entries, put_list
from tests.support.event_types import NOW_US, an_event, an_event_type
from tests.support.factories import decision_at

C7 = "/console/entities/account/C7"
NOW = datetime.now(UTC)


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def read(person: Person, path: str = C7) -> str:
    reply = person.get(path)
    assert reply.status_code == 200
    return text_of(reply.text)


def rows(site: Site, statement: str, **values: Any) -> list[Any]:
    with tenant_transaction(site.engine, site.tenant.id) as connection:
        return list(connection.execute(text(statement), values))


def is_held(site: Site, value: str, tenant_id: int | None = None) -> bool:
    """Whether an entry of a value is among those that decide the next payment."""
    owner = tenant_id or site.tenant.id
    with tenant_transaction(site.engine, owner) as connection:
        index = index_of(connection, owner, newest_change(connection, owner), [value])
    return len(index) > 0


def test_figures_are_those_of_the_database(site: Site) -> None:
    pays = site.decided(0.9, 0.2, 0.01, name_orig="C7", name_dest="M1", amount=100.25)
    site.decided(0.3, name_orig="C5", name_dest="C7", amount=50.0)
    site.decided(0.3, name_orig="C5", name_dest="C6", amount=50.0)
    say(site.engine, pays[0], "confirmed_fraud")
    ((count, amount, reviewed),) = rows(
        site,
        "SELECT count(*), sum(amount), count(*) FILTER (WHERE decision = 'review')"
        " FROM transactions t JOIN predictions p ON p.transaction_id = t.id"
        " WHERE 'C7' IN (name_orig, name_dest)",
    )
    assert (count, amount, reviewed) == (4, 350.75, 3)
    shown = read(site.person())
    assert "24 hours 4 351 3 0 1" in shown
    assert "In all 4 351 3 0 1" in shown
    assert "→ pays to it M1" not in shown
    assert "M1 pays to it 1 fraud 3 payments · 301" in shown
    assert "C5 is paid by it 1 payment · 50" in shown


def test_a_reversed_or_disputed_verdict_counts_as_it_stands_now(site: Site) -> None:
    (decided,) = site.decided(0.9, name_orig="C7")
    say(site.engine, decided, "confirmed_fraud")
    say(site.engine, decided, "false_positive")
    assert "In all 1 181,251 1 0 0" in read(site.person())


def test_events_are_paged_and_the_address_has_the_page(site: Site) -> None:
    made: list[Decided] = [
        decision_at(decide(site.tenant, 0.01, name_orig="C7"), NOW - timedelta(minutes=i))
        for i in range(45)
    ]
    DecisionLog(site.engine).write(made)
    person, path, seen = site.person(), C7, []
    for _ in range(3):
        page = person.get(path).text
        events = page.split('id="events"')[1].split("</section>")[0]
        seen += re.findall(r'href="/console/transactions/([0-9a-f-]+)"', events)
        older = re.search(r'href="([^"]+)#events">Older', events)
        path = older[1] if older else ""
    assert seen == [str(one.transaction_id) for one in made]
    assert not path


def test_an_entity_that_nobody_has_seen_says_so_and_can_be_blocked(site: Site) -> None:
    put_list(site.engine, site.tenant.id)
    person = site.person()
    assert "No payment with this account was decided yet." in read(person)
    assert person.submit(C7, change="add", list="blocked", reason="warned of").status_code == 303
    assert is_held(site, "C7")


def test_to_block_an_entity_adds_an_audited_entry_of_the_person(site: Site) -> None:
    put_list(site.engine, site.tenant.id)
    (decided,) = site.decided(0.9, name_orig="C7")
    here = f"/console/transactions/{decided.transaction_id}#lists"
    person = site.person()
    done = person.submit(C7, change="add", list="blocked", reason="Mule", days="7", next=here)
    assert (done.status_code, done.headers["location"]) == (303, here)
    ((value, reason, actor, expires_at),) = rows(
        site, "SELECT value, reason, actor, expires_at FROM list_entries"
    )
    assert (value, reason, actor) == ("C7", "Mule", "Ana Analyst")
    assert timedelta(days=6, hours=23) < expires_at - datetime.now(UTC) < timedelta(days=7)
    audited = rows(
        site,
        "SELECT actor, via, object FROM audit_log WHERE object = 'lists/blocked'"
        " ORDER BY id DESC LIMIT 1",
    )
    assert audited == [("Ana Analyst", "user ana@demo.example", "lists/blocked")]
    assert is_held(site, "C7")
    shown = read(person)
    assert "Blocked blocked Mule Added by Ana Analyst" in shown
    assert "Blocked blocked Mule" in read(person, here.split("#", maxsplit=1)[0])


def test_an_entry_that_expired_is_shown_as_expired(site: Site) -> None:
    put_list(site.engine, site.tenant.id)
    entry = NewEntry("C7", "Mule", datetime.now(UTC) - timedelta(hours=1))
    put_entries(site.engine, site.tenant.id, "blocked", entry)
    shown = read(site.person())
    assert "Expired blocked Mule" in shown
    assert "· ended" in shown


def test_an_entry_is_removed(site: Site) -> None:
    put_list(site.engine, site.tenant.id, values=["C7"])
    person = site.person()
    assert person.submit(C7, change="remove", list="blocked").status_code == 303
    assert not is_held(site, "C7")
    assert "It is on no list." in read(person)
    assert person.submit(C7, change="remove", list="blocked").status_code == 404


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"reason": " "}, "Reason: must be 1 to 500 characters of text"),
        ({"list": "trusted"}, "must be a list of account"),
        ({"days": "8"}, "must be one of 1, 7, 30, 90, 365"),
        ({"change": "burn"}, "change"),
    ],
)
def test_what_is_wrong_is_said_at_the_field_and_nothing_is_stored(
    site: Site, changes: dict[str, str], problem: str
) -> None:
    put_list(site.engine, site.tenant.id)
    form = {"change": "add", "list": "blocked", "reason": "Mule", "days": "7"} | changes
    refused = site.person().submit(C7, **form)
    assert refused.status_code == 422
    assert problem in text_of(refused.text)
    assert rows(site, "SELECT FROM list_entries") == []


def test_without_a_list_the_page_says_so(site: Site) -> None:
    assert "Your organisation has no list that blocks this kind of entity (account)." in read(
        site.person()
    )
    assert "Make one" not in read(site.person())
    assert "Make one" in read(site.person("admin"))
    put_list(site.engine, site.tenant.id)
    shown = read(site.person())
    assert "no list that blocks" not in shown
    assert "no list that trusts" in shown


def test_another_tenant_sees_an_empty_profile_and_changes_no_list_but_its_own(site: Site) -> None:
    site.decided(0.9, name_orig="C7")
    put_list(site.engine, site.tenant.id, values=["C7"])
    stranger = site.person(site.stranger)
    shown = read(stranger)
    assert "No payment with this account was decided yet." in shown
    assert "It is on no list." in shown
    for change in ("add", "remove"):
        refused = stranger.submit(C7, change=change, list="blocked", reason="mine")
        assert refused.status_code == 422
    assert is_held(site, "C7")
    assert not is_held(site, "C7", site.other.id)


def test_a_kind_of_entity_that_the_event_type_lacks_is_not_found(site: Site) -> None:
    assert site.person().get("/console/entities/terminal/C7").status_code == 404


def test_the_access_log_has_who_looked_at_the_account(site: Site) -> None:
    read(site.person())
    assert rows(site, "SELECT actor, action FROM access_log WHERE object = 'accounts/C7'") == [
        ("Ana Analyst", "transactions.searched")
    ]


def test_kinds_of_entities_are_those_of_the_event_type(site: Site) -> None:
    device = {"kind": "entity", "entity": "device", "optional": True}
    event_type = an_event_type(DEVICE=device)
    stored = put_in_force(site.engine, site.tenant, event_type)
    validator = EventValidator(event_type, stored.id)
    bodies = [
        an_event(CUSTOMER_ID=17, TERMINAL_ID="a/b c", DEVICE="D1", TX_AMOUNT=5.0),
        an_event(CUSTOMER_ID=18, TERMINAL_ID="17", DEVICE="D1", TX_AMOUNT=6.0),
        an_event(CUSTOMER_ID=18, TERMINAL_ID="a/b c", TX_AMOUNT=7.0),
    ]
    events = [validator.validate(body, NOW_US) for body in bodies]
    made = decisions_of(site.tenant.id, events)
    assert DecisionLog(site.engine).write(made) == made
    person = site.person()
    assert "In all 1 5 1 0 0" in read(person, "/console/entities/customer/17")
    assert "In all 1 6 1 0 0" in read(person, "/console/entities/terminal/17")
    assert "In all 2 12 2 0 0" in read(person, "/console/entities/terminal/a%2Fb%20c")
    assert "In all 2 11 2 0 0" in read(person, "/console/entities/device/D1")
    fold_history(site.engine, site.tenant.id, [("DEVICE", "D1")])
    assert rows(site, "SELECT FROM entity_events WHERE entity = 'DEVICE'") == []
    assert "In all 2 11 2 0 0" in read(person, "/console/entities/device/D1")
    page = read(person, f"/console/transactions/{made[0].transaction_id}")
    for shown in ("CUSTOMER_ID 17", "TERMINAL_ID a/b c", "DEVICE D1"):
        assert shown in page
