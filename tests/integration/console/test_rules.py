"""The pages of rules: figures, tries, saves, switches and snoozes."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from persistence.people.users import Role
from tests.support.console.decided_rules import decided_by_rules, promote, rules_in_force
from tests.support.console.site import Person, Site
from tests.support.data.review import say
from tests.support.data.rules import put_rule, put_version

LARGE = {"name": "Large", "condition": "amount > 1000", "action": "review", "priority": "100"}


def tried(page: httpx.Response) -> str:
    found = re.search(r'name="tried" value="(\w*)"', page.text)
    assert found is not None
    return found[1]


def make(person: Person, path: str = "/console/rules", **changes: str) -> httpx.Response:
    """Try a rule, and save what was tried."""
    form = {**LARGE, **changes}
    shown = person.submit(f"{path}/try", **form)
    target = f"{path}/new" if path == "/console/rules" else f"{path}/edit"
    return person.submit(target, **form, tried=tried(shown))


def audited(site: Site, action: str) -> list[Any]:
    with site.engine.begin() as connection:
        connection.execute(text(f"SET LOCAL sentinel.tenant_ids = '{site.tenant.id}'"))
        statement = text("SELECT actor, via, before, after FROM audit_log WHERE action = :action")
        return list(connection.execute(statement, {"action": action}))


def rules_of(site: Site) -> list[tuple[str, str, str]]:
    rules = rules_in_force(site).rule_set.rules
    return [(rule.name, rule.condition, rule.state) for rule in rules]


def test_a_tenant_without_rules_sees_how_to_begin(site: Site) -> None:
    page = site.person().get("/console/rules")
    assert page.status_code == 200
    assert "There are no rules yet." in page.text


def test_a_rule_is_tried_in_money_before_it_is_saved(site: Site) -> None:
    promote(site)
    small, large = site.decided(0.01, 0.01, amount=5000.0)
    site.decided(*[0.01] * 8, amount=10.0)
    say(site.engine, small, "confirmed_fraud")
    say(site.engine, large, "false_positive")
    shown = site.person("analyst").submit("/console/rules/try", **LARGE | {"name": ""})
    assert shown.status_code == 200
    rows = dict(
        re.findall(r'<th scope="row">([^<]+)</th>.*?class="number">([^<]+)</td></tr>', shown.text)
    )
    assert rows["Reviews"] == "+2"
    assert rows["Frauds caught"] == "+1"
    assert rows["False alarms"] == "+1"
    assert rows["Saved against approving all"] == "+995", "a fraud of 1,000 less an alarm of 5"
    assert "10 decisions" in shown.text
    assert not rules_of(site)


def test_saving_shows_the_figures_first_and_then_stores_the_rule_with_the_person(
    site: Site,
) -> None:
    promote(site)
    site.decided(0.01, amount=5000.0)
    admin = site.person("admin")
    first = admin.submit("/console/rules/new", **LARGE, state="shadow")
    assert "Nothing is saved yet." in first.text
    assert not rules_of(site)
    saved = admin.submit("/console/rules/new", **LARGE, state="shadow", tried=tried(first))
    assert saved.status_code == 303
    assert saved.headers["location"] == "/console/rules/1?done=created"
    assert rules_of(site) == [("Large", "amount > 1000", "shadow")]
    ((actor, via, _, after),) = audited(site, "rule.created")
    assert (actor, via, after["actor"]) == (
        "Chris Admin", "user chris@demo.example", "Chris Admin",
    )  # fmt: skip
    page = admin.get(saved.headers["location"])
    assert "The rule is saved in shadow: it is evaluated" in page.text


def test_another_condition_than_the_one_that_was_tried_is_tried_first(site: Site) -> None:
    admin = site.person("admin")
    shown = admin.submit("/console/rules/try", **LARGE)
    changed = LARGE | {"condition": "amount > 1"}
    again = admin.submit("/console/rules/new", **changed, state="live", tried=tried(shown))
    assert "Nothing is saved yet." in again.text
    assert not rules_of(site)


@pytest.mark.parametrize(
    ("condition", "caret", "message"),
    [
        ("amount > 1 and typ == 'TRANSFER'", " " * 15 + "^^^", "Did you mean `type`?"),
        ("amount >", " " * 7 + "^", None),
        ("amount + 1", "^" * 10, "true or false"),
        ("in_list('nobody', nameOrig)", None, "nobody"),
    ],
)
def test_an_error_of_the_condition_is_shown_under_the_field_with_a_caret(
    site: Site, condition: str, caret: str | None, message: str | None
) -> None:
    promote(site)
    form = LARGE | {"condition": condition}
    for path in ("try", "new"):
        refused = site.person("admin").submit(f"/console/rules/{path}", **form)
        assert refused.status_code == 422
        shown = re.search(r'<pre class="problem pointed"[^>]*>(.*?)</pre>', refused.text, re.DOTALL)
        assert shown is not None
        lines = html.unescape(shown[1]).split("\n")
        assert lines[0] == condition
        assert caret is None or lines[1] == caret
        assert message is None or message in lines[2]
        assert 'aria-invalid="true"' in refused.text
    assert not rules_of(site)


def test_errors_of_other_fields_are_shown_at_them(site: Site) -> None:
    admin = site.person("admin")
    put_rule(site.engine, site.tenant.id, name="Large")
    taken = make(admin, state="live")
    assert taken.status_code == 422
    assert "Name is the name of rule 1; choose another" in taken.text
    priority = make(admin, name="Other", priority="-4")
    assert priority.status_code == 422
    assert 'id="priority-problem"' in priority.text


def test_a_rule_that_is_live_is_tried_in_its_place(site: Site) -> None:
    promote(site)
    put_rule(site.engine, site.tenant.id, condition="amount > 1000", name="Large")
    decided_by_rules(site, 0.01, amount=2000.0)
    decided_by_rules(site, 0.01, amount=9000.0)
    narrower = LARGE | {"condition": "amount > 5000", "version": "1"}
    shown = site.person("admin").submit("/console/rules/1/try", **narrower)
    assert re.search(r"Reviews</th>.*?>2</td>.*?>1</td>.*?>-1</td>", shown.text)
    assert "tried in its place" in shown.text


def test_only_an_administrator_saves_and_switches_and_everybody_tries(site: Site) -> None:
    put_rule(site.engine, site.tenant.id)
    roles: tuple[Role, ...] = ("analyst", "senior")
    for role in roles:
        person = site.person(role)
        assert "An administrator saves rules." in person.get("/console/rules/new").text
        assert "Save in shadow" not in person.get("/console/rules/1/edit").text
        assert person.submit("/console/rules/try", **LARGE).status_code == 200
        for path in ("new", "1/edit", "1/state"):
            assert person.submit(f"/console/rules/{path}", **LARGE).status_code == 403
    assert rules_of(site) == [("large", "amount > 1000", "live")]


def test_a_switch_needs_a_reason_and_both_are_in_the_audit_log_and_the_history(
    site: Site,
) -> None:
    put_rule(site.engine, site.tenant.id, state="shadow", condition="amount > 1000")
    admin = site.person("admin")
    switch = {"state": "live", "version": "1"}
    refused = admin.submit("/console/rules/1/state", **switch)
    assert (refused.status_code, "Reason is missing" in refused.text) == (422, True)
    switched = admin.submit("/console/rules/1/state", **switch, reason="It caught the ring")
    assert switched.status_code == 303
    assert rules_of(site) == [("large", "amount > 1000", "live")]
    ((actor, _, before, after),) = audited(site, "rule.changed")
    assert (actor, after["reason"]) == ("Chris Admin", "It caught the ring")
    assert (before["state"], after["state"]) == ("shadow", "live")
    page = admin.get("/console/rules/1").text
    assert "It caught the ring" in page
    assert "Chris Admin" in page


def test_a_change_of_a_version_that_is_no_longer_in_force_is_refused(site: Site) -> None:
    before = put_rule(site.engine, site.tenant.id, condition="amount > 1000")
    admin = site.person("admin")
    form = {"name": "large", "version": "1"}
    shown = admin.submit("/console/rules/1/try", **LARGE | form)
    put_version(site.engine, site.tenant.id, before, condition="amount > 7.0")
    refused = admin.submit(
        "/console/rules/1/edit", **LARGE | form, state="live", tried=tried(shown)
    )
    assert refused.status_code == 422
    assert "ana saved version 2 of this rule" in refused.text
    assert "amount &gt; 7.0" in refused.text
    late = admin.submit("/console/rules/1/state", version="1", state="off", reason="noise")
    assert (late.status_code, "ana changed this rule" in late.text) == (422, True)
    assert rules_of(site) == [("large", "amount > 7.0", "live")]
    known = re.search(r'name="version" value="(\d+)"', refused.text)
    assert known is not None
    again = LARGE | form | {"version": known[1]}
    assert admin.submit(
        "/console/rules/1/edit", **again, state="live", tried=tried(shown)
    ).is_redirect


def test_a_snooze_is_made_and_ended_by_an_analyst(site: Site) -> None:
    put_rule(site.engine, site.tenant.id, action="decline", condition="amount > 1.0")
    ana = site.person("analyst")
    form = {"entity": "account", "value": "C1", "days": "7", "reason": "sells a house"}
    wrong = ana.submit("/console/rules/1/snoozes", **form | {"value": "a\x07"})
    assert (wrong.status_code, 'id="snooze-value-problem"' in wrong.text) == (422, True)
    assert ana.submit("/console/rules/1/snoozes", **form).status_code == 303
    assert (
        decided_by_rules(site, 0.01, amount=50.0, name_orig="C1").prediction.decision == "approve"
    )
    page = ana.get("/console/rules/1").text
    assert "in 7 days" in page or "in 6 days" in page
    assert "sells a house" in page
    assert "just now" not in page
    assert ana.submit("/console/rules/1/snoozes/1/end").status_code == 303
    assert (
        decided_by_rules(site, 0.01, amount=50.0, name_orig="C1").prediction.decision == "decline"
    )
    ((actor, *_),) = audited(site, "snooze.created")
    assert actor == "Ana Analyst"


def test_figures_count_live_and_shadow_hits_and_a_repeated_payment_once(site: Site) -> None:
    promote(site)
    put_rule(
        site.engine, site.tenant.id, name="Declines", action="decline", condition="amount > 100.0"
    )
    put_rule(site.engine, site.tenant.id, name="Tries", state="shadow", condition="amount > 100.0")
    for number in (0, 1, 2, 2):
        hit = decided_by_rules(site, 0.01, amount=500.0, external_id=f"pay-{number}")
    say(site.engine, hit, "confirmed_fraud")
    page = site.person().get("/console/rules?wait=true").text
    cells = re.findall(r'<td class="number">\s*([^<\s][^<]*)', page)
    assert cells == ["100", "3", "3", "1 of 1", "+1,000", "100", "3", "0", "1 of 1", "+1,000"]
    rule = site.person().get("/console/rules/2?wait=true").text
    assert "0 live and 3 in shadow" in rule


def test_a_rule_that_fits_no_longer_says_so(site: Site) -> None:
    put_rule(site.engine, site.tenant.id, condition="feature('gone') > 1.0")
    assert "It fails for every payment:" in site.person().get("/console/rules").text


def test_another_tenant_gets_404_for_a_rule(site: Site) -> None:
    put_rule(site.engine, site.tenant.id, name="Secret")
    stranger = site.person(site.stranger)
    assert "Secret" not in stranger.get("/console/rules").text
    for path in ("", "/edit"):
        assert stranger.get(f"/console/rules/1{path}").status_code == 404
    form = LARGE | {"version": "1", "state": "off", "reason": "mine"}
    for path in ("try", "edit", "state", "snoozes/1/end"):
        assert stranger.submit(f"/console/rules/1/{path}", **form).status_code == 404
    snooze = {"entity": "account", "value": "C1", "days": "7", "reason": "x"}
    assert stranger.submit("/console/rules/1/snoozes", **snooze).status_code == 404
    assert rules_of(site) == [("Secret", "amount > 1000", "live")]


@pytest.mark.parametrize("language", ["en", "de"])
def test_pages_of_rules_have_every_text_in_each_language(site: Site, language: str) -> None:
    promote(site)
    put_rule(site.engine, site.tenant.id, state="shadow")
    decided_by_rules(site, 0.01, amount=5000.0)
    admin = site.person("admin")
    admin.cookies.set("sentinel_language", language)
    for path in (
        "rules",
        "rules?wait=true",
        "rules/1",
        "rules/1?wait=true",
        "rules/new",
        "rules/1/edit",
        "rules/1?done=switched",
    ):
        page = admin.get(f"/console/{path}")
        assert (page.status_code, f'<html lang="{language}">' in page.text) == (200, True)
        assert len(page.content) < 40_000
    assert admin.submit("/console/rules/1/try", **LARGE).status_code == 200


def test_a_saved_rule_says_whether_it_decides(site: Site) -> None:
    promote(site)
    site.decided(0.01, amount=5000.0)
    dora = site.person("admin")
    for state, said in (("shadow", "it decides nothing"), ("live", "it decides the next payment")):
        form = {**LARGE, "name": f"Large {state}"}
        shown = dora.submit("/console/rules/try", **form)
        made = dora.submit("/console/rules/new", **form, tried=tried(shown), state=state)
        page = dora.get(made.headers["location"]).text
        status = re.search(r'role="status">([^<]+)</p>', page)
        assert status
        assert said in status[1]


def test_a_rule_that_would_change_nothing_is_not_called_chance(site: Site) -> None:
    promote(site)
    site.decided(0.9, amount=5000.0)  # which the model reviews anyway
    shown = site.person("analyst").submit("/console/rules/try", **LARGE)
    assert "It would have changed nothing" in shown.text
    assert "may well be chance" not in shown.text
