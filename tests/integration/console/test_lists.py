"""The pages of lists: entries with search and expiry, one or many added, lists made and removed."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from scoring.lists.entry_rows import NewEntry
from tests.support.console.decided_rules import decided_by_rules, promote, rules_in_force
from tests.support.console.site import Person, Site
from tests.support.data.rules import put_entries, put_list, put_rule

ONE = {"value": "C77", "reason": "mule account", "expires": "7"}


def audited(site: Site, action: str) -> list[Any]:
    with site.engine.begin() as connection:
        connection.execute(text(f"SET LOCAL sentinel.tenant_ids = '{site.tenant.id}'"))
        statement = text(
            "SELECT actor, before, after FROM audit_log WHERE action = :action ORDER BY id"
        )
        return list(connection.execute(statement, {"action": action}))


def values(person: Person, path: str = "/console/lists/blocked") -> list[str]:
    """Return the entities that a page of a list shows."""
    found = re.findall(r'<th scope="row"><a class="mono[^>]*>([^<]+)</a>', person.get(path).text)
    return [html.unescape(one) for one in found]


def test_an_administrator_makes_a_list_and_an_analyst_does_not(site: Site) -> None:
    form = {"name": "blocked", "entity": "account", "action": "decline"}
    assert site.person("analyst").submit("/console/lists", **form).status_code == 403
    admin = site.person("admin")
    assert "There are no lists yet." in admin.get("/console/lists").text
    made = admin.submit("/console/lists", **form)
    assert made.headers["location"] == "/console/lists/blocked?done=made"
    page = admin.get("/console/lists").text
    assert (">blocked</a>" in page, "Block" in page, "Chris Admin" in page) == (True, True, True)
    ((actor, _, after),) = audited(site, "list.created")
    assert (actor, after["name"], after["action"]) == ("Chris Admin", "blocked", "decline")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Blocked cards"}, "must be 2 to 40 lower-case letters"),
        ({"name": "taken"}, "is the name of another list"),
        ({"entity": "ship"}, "must be an entity of your event type"),
        ({"action": "", "fields": "nameOrig"}, "are those of a list with an action"),
        ({"fields": "amount"}, "must be a field of the entity account"),
    ],
)
def test_an_error_of_a_new_list_is_shown_at_its_field(
    site: Site, changes: dict[str, str], message: str
) -> None:
    put_list(site.engine, site.tenant.id, "taken")
    form = {"name": "blocked", "entity": "account", "action": "decline"} | changes
    refused = site.person("admin").submit("/console/lists", **form)
    assert (refused.status_code, message in html.unescape(refused.text)) == (422, True)
    assert [one.name for one in rules_in_force(site).rule_set.lists] == ["taken"]


def test_a_blocked_account_declines_the_next_payment_and_a_removed_one_does_not(
    site: Site,
) -> None:
    promote(site)
    put_list(site.engine, site.tenant.id)
    ana = site.person("analyst")
    assert decided_by_rules(site, 0.01, name_orig="C77").prediction.decision == "approve"
    added = ana.submit("/console/lists/blocked/entries", **ONE)
    assert added.status_code == 303
    page = ana.get(added.headers["location"])
    assert "1 entry added, in force at once." in page.text
    assert "mule account" in page.text
    assert re.search(r"in [67] days", page.text)
    assert "just now" not in page.text
    blocked = decided_by_rules(site, 0.01, name_orig="C77").prediction
    assert blocked.decision == "decline"
    assert blocked.ruling is not None
    removed = ana.submit("/console/lists/blocked/entries/remove", value="C77")
    assert "C77 is no longer in the list." in ana.get(removed.headers["location"]).text
    assert decided_by_rules(site, 0.01, name_orig="C77").prediction.decision == "approve"
    ((actor, _, after),) = audited(site, "list_entries.created")
    assert (actor, after["value"], after["reason"]) == ("Ana Analyst", "C77", "mule account")
    ((actor, before, _),) = audited(site, "list_entries.removed")
    assert (actor, before["value"]) == ("Ana Analyst", "C77")


def test_an_entity_that_is_in_the_list_gets_the_new_reason(site: Site) -> None:
    put_list(site.engine, site.tenant.id, values=["C77"])
    ana = site.person()
    again = ana.submit("/console/lists/blocked/entries", **ONE)
    page = ana.get(again.headers["location"]).text
    assert "1 was in the list and has the new reason and expiry." in page
    assert ("mule account" in page, "chargebacks" in page) == (True, False)


@pytest.mark.parametrize(
    ("changes", "field"), [({"value": "a\x07"}, "value"), ({"reason": " "}, "reason")]
)
def test_an_error_of_an_entry_is_shown_at_its_field(
    site: Site, changes: dict[str, str], field: str
) -> None:
    put_list(site.engine, site.tenant.id)
    refused = site.person().submit("/console/lists/blocked/entries", **ONE | changes)
    assert refused.status_code == 422
    assert f'id="{field}-problem"' in refused.text
    assert (ONE | changes)["reason" if field == "value" else "value"] in refused.text
    assert values(site.person()) == []


def test_an_expired_entry_is_shown_as_expired_and_blocks_nothing(site: Site) -> None:
    promote(site)
    put_list(site.engine, site.tenant.id)
    now = datetime.now(UTC)
    put_entries(
        site.engine,
        site.tenant.id,
        "blocked",
        NewEntry("C1", "over", now - timedelta(hours=2)),
        NewEntry("C2", "soon", now + timedelta(days=3, hours=1)),
        NewEntry("C3", "stays"),
    )
    page = site.person().get("/console/lists/blocked").text
    rows = {
        row[0]: row[1]
        for row in re.findall(r"<tr>.*?<a class=\"mono[^>]*>(\w+)</a>(.*?)</tr>", page, re.DOTALL)
    }
    assert ("Expired" in rows["C1"], "2 hours ago" in rows["C1"]) == (True, True)
    assert ("Expired" in rows["C2"], "in 3 days" in rows["C2"]) == (False, True)
    assert "Never" in rows["C3"]
    assert "just now" not in page
    decisions = [
        decided_by_rules(site, 0.01, name_orig=name).prediction.decision
        for name in ("C1", "C2", "C3")
    ]
    assert decisions == ["approve", "decline", "decline"]


def test_entries_are_found_by_their_entity_and_shown_page_by_page(site: Site) -> None:
    put_list(site.engine, site.tenant.id, values=[f"C{number}" for number in range(60)])
    ana = site.person()
    shown: list[str] = []
    path = "/console/lists/blocked"
    while path:
        page = ana.get(path)
        assert len(page.content) < 40_000
        shown += values(ana, path)
        following = re.search(r'rel="next" href="([^"]+)"', page.text)
        path = html.unescape(following[1]) if following else ""
    assert (len(shown), len(set(shown))) == (60, 60)
    assert values(ana, "/console/lists/blocked?q=C42") == ["C42"]
    assert "is not in this list." in ana.get("/console/lists/blocked?q=C400").text


@pytest.mark.parametrize(
    ("pasted", "found"),
    [
        ("C1\r\n\r\n C2 \r\n", {"C1": "ring", "C2": "ring"}),
        ("value\nC1\n", {"C1": "ring"}),
        ("value;reason\nC1;own reason\nC2;\n", {"C1": "own reason", "C2": "ring"}),
        ("a,b\n", {"a,b": "ring"}),
    ],
)
def test_many_are_pasted(site: Site, pasted: str, found: dict[str, str]) -> None:
    put_list(site.engine, site.tenant.id)
    ana = site.person()
    form = {"text": pasted, "reason": "ring", "expires": "30"}
    added = ana.submit("/console/lists/blocked/entries/many", **form)
    assert added.status_code == 303, added.text
    page = ana.get("/console/lists/blocked").text
    assert sorted(values(ana)) == sorted(found)
    assert all(reason in page for reason in found.values())
    assert re.search("in (29|30) days|in 4 weeks|in 1 month", page)
    assert audited(site, "list_entries.created")[0][0] == "Ana Analyst"


def upload(person: Person, content: bytes, **fields: str) -> Any:
    return person.post(
        "/console/lists/blocked/entries/many",
        data={"csrf": person.csrf, "text": "", "reason": "", "expires": "", **fields},
        files={"file": ("block.csv", content, "text/csv")},
    )


def test_a_csv_file_is_added_and_takes_the_place_of_what_is_pasted(site: Site) -> None:
    put_list(site.engine, site.tenant.id)
    ana = site.person()
    rows = b"value,reason,expires_at\nC1,ring,2099-01-31T12:00:00Z\nC2,ring,\n"
    assert upload(ana, rows, text="C9", reason="-").status_code == 303
    assert sorted(values(ana)) == ["C1", "C2"]


def test_errors_of_many_are_shown_by_row_and_nothing_is_added(site: Site) -> None:
    put_list(site.engine, site.tenant.id)
    ana = site.person()
    rows = b"value,reason,expires_at\nC1,ring,\n,ring,\nC3,,2001-01-01T00:00:00Z\nC4,ring,,,\n"
    refused = upload(ana, rows)
    shown = html.unescape(re.sub(r"\s+", " ", refused.text))
    assert refused.status_code == 422
    for problem in (
        "Line 3, <code>value</code>: is missing",
        "Line 4, <code>reason</code>: is missing",
        "Line 4, <code>expires_at</code>: must be later than now",
        "Line 5: has 5 columns, the header has 3",
    ):
        assert problem in shown
    pasted = ana.submit("/console/lists/blocked/entries/many", text="C1\nC\x072\n", reason="ring")
    assert (pasted.status_code, "Line 2, <code>value</code>" in pasted.text) == (422, True)
    assert "C1\nC" in pasted.text, "what was pasted is still there"
    for text_, reason, message in (
        ("C1", "", "<code>reason</code>: is missing"),
        (" \n", "ring", "The text: has no entity"),
    ):
        bare = ana.submit("/console/lists/blocked/entries/many", text=text_, reason=reason)
        assert (bare.status_code, message in bare.text) == (422, True)
    no_table = upload(ana, b"card\nC1\n")
    assert (no_table.status_code, "lacks the columns value, reason" in no_table.text) == (422, True)
    assert values(ana) == []


def test_a_list_that_a_rule_reads_stays_and_another_is_removed(site: Site) -> None:
    put_list(site.engine, site.tenant.id, values=["C1"])
    rule = put_rule(site.engine, site.tenant.id, condition="in_list('blocked', nameOrig)")
    admin = site.person("admin")
    refused = admin.submit("/console/lists/blocked/remove")
    assert (refused.status_code, f"Rule {rule.rule.id} (large) reads" in refused.text) == (
        409,
        True,
    )
    admin.submit("/console/rules/1/state", version="1", state="off", reason="not needed")
    assert site.person("senior").submit("/console/lists/blocked/remove").status_code == 403
    removed = admin.submit("/console/lists/blocked/remove")
    assert removed.status_code == 303
    assert "The list blocked is removed." in admin.get(removed.headers["location"]).text
    assert admin.get("/console/lists/blocked").status_code == 404


def test_another_tenant_gets_404_for_a_list(site: Site) -> None:
    put_list(site.engine, site.tenant.id, values=["C1"])
    stranger = site.person(site.stranger)
    assert "blocked" not in stranger.get("/console/lists").text.replace(
        "blocked_cards", ""
    ).replace("are blocked", "")
    assert stranger.get("/console/lists/blocked").status_code == 404
    for path, form in (
        ("entries", ONE),
        ("entries/many", {"text": "C2", "reason": "x"}),
        ("entries/remove", {"value": "C1"}),
        ("remove", {}),
    ):
        assert stranger.submit(f"/console/lists/blocked/{path}", **form).status_code == 404
    assert values(site.person()) == ["C1"]


def test_pages_of_lists_have_every_text_in_german(site: Site) -> None:
    put_list(site.engine, site.tenant.id, values=["C1"])
    put_list(site.engine, site.tenant.id, "read", action=None)
    admin = site.person("admin")
    admin.cookies.set("sentinel_language", "de")
    for path in ("lists", "lists/blocked", "lists/read", "lists/blocked?done=added&added=2"):
        page = admin.get(f"/console/{path}")
        assert (page.status_code, '<html lang="de">' in page.text) == (200, True)
