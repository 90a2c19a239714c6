"""Administrators manage people and API keys; nobody else does."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime
from http.cookies import SimpleCookie

import pytest
from sqlalchemy import Engine

from console.access import COOKIE
from persistence.api_keys import verify_key
from persistence.monitoring.job_runs import record_job
from persistence.people.users import find_user
from persistence.tenants import Tenant, set_four_eyes, set_four_eyes_policy, set_limits
from scoring.tenant import TenantLimits
from tests.support.console.site import Site
from tests.support.data.people import put_person
from tests.support.data.review import decide, store
from tests.support.factories import decision_at
from tests.support.stack import KEY_SECRET

PEOPLE, KEYS = "/console/settings/people", "/console/settings/keys"


@pytest.mark.parametrize("role", ["analyst", "senior"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", PEOPLE),
        ("GET", KEYS),
        ("GET", "/console/audit"),
        ("POST", PEOPLE),
        ("POST", f"{PEOPLE}/role"),
        ("POST", f"{PEOPLE}/disable"),
        ("POST", f"{PEOPLE}/enable"),
        ("POST", f"{PEOPLE}/link"),
        ("POST", KEYS),
        ("POST", f"{KEYS}/abc/revoke"),
    ],
)
def test_only_administrators_see_and_change_people_and_keys(
    site: Site, role: str, method: str, path: str
) -> None:
    person = site.person(role)  # type: ignore[arg-type]
    fields = {"csrf": person.csrf, "email": "bo@demo.example", "role": "admin", "name": "x"}
    reply = person.request(method, path, data=fields if method == "POST" else None)
    assert reply.status_code == 403


def test_a_person_is_added_with_a_link_that_is_shown_once(site: Site) -> None:
    chris = site.person("admin")
    added = chris.submit(PEOPLE, email="Dora@demo.example", name="Dora", role="senior")
    assert (added.status_code, added.headers["location"]) == (303, PEOPLE)
    shown = chris.get(PEOPLE).text
    link = re.search(r'value="(http://[^"]+/console/links/[^"]+)"', shown)
    assert "Give Dora this link" in shown
    assert link
    assert chris.get(html.unescape(link[1])).status_code == 200
    assert "/console/links/" not in chris.get(PEOPLE).text
    assert find_user(site.engine, site.tenant.id, "dora@demo.example").role == "senior"
    again = chris.submit(PEOPLE, email="dora@demo.example", name="Dora B", role="senior")
    assert again.status_code == 422
    assert "belongs to another account" in again.text
    assert 'value="Dora B"' in again.text


def test_a_role_is_changed_and_an_account_disabled_and_enabled(site: Site) -> None:
    chris = site.person("admin")
    ana = {"email": "ana@demo.example"}
    assert chris.submit(f"{PEOPLE}/role", **ana, role="senior").status_code == 303
    assert find_user(site.engine, site.tenant.id, ana["email"]).role == "senior"
    assert chris.submit(f"{PEOPLE}/disable", **ana).status_code == 303
    assert find_user(site.engine, site.tenant.id, ana["email"]).disabled_at is not None
    assert chris.submit(f"{PEOPLE}/enable", **ana).status_code == 303
    assert find_user(site.engine, site.tenant.id, ana["email"]).disabled_at is None


def test_nobody_changes_their_own_role_or_account(site: Site) -> None:
    chris = site.person("admin")
    mine = {"email": "CHRIS@demo.example"}
    assert chris.submit(f"{PEOPLE}/role", **mine, role="analyst").status_code == 403
    assert chris.submit(f"{PEOPLE}/disable", **mine).status_code == 403
    assert find_user(site.engine, site.tenant.id, "chris@demo.example").role == "admin"


@pytest.mark.parametrize("setting", [set_four_eyes, set_four_eyes_policy])
def test_where_two_have_to_agree_no_administrator_becomes_another_one(
    site: Site, setting: Callable[[Engine, str, bool], Tenant]
) -> None:
    put_person(site.engine, site.tenant, "Dora Admin", "admin")
    chris = site.person("admin")
    dora, ana = {"email": "dora@demo.example"}, {"email": "ana@demo.example"}
    assert chris.submit(f"{PEOPLE}/link", **dora).status_code == 303
    setting(site.engine, "demo", True)
    for path, fields in (
        (f"{PEOPLE}/link", {"email": "DORA@demo.example"}),
        (f"{PEOPLE}/role", ana | {"role": "admin"}),
        (PEOPLE, {"email": "eve@demo.example", "name": "Eve", "role": "admin"}),
    ):
        refused = chris.submit(path, **fields)
        assert refused.status_code == 403
        assert "sentinel users reset" in refused.text
    assert "eve@demo.example" not in chris.get(PEOPLE).text
    assert chris.submit(f"{PEOPLE}/link", **ana).status_code == 303
    assert chris.submit(f"{PEOPLE}/link", email="chris@demo.example").status_code == 303
    assert chris.submit(f"{PEOPLE}/role", **ana, role="senior").status_code == 303


def test_an_administrator_of_another_tenant_finds_nobody(site: Site) -> None:
    olga = site.person(site.stranger)
    assert "ana@demo.example" not in olga.get(PEOPLE).text
    for action in ("role", "disable", "enable", "link"):
        reply = olga.submit(f"{PEOPLE}/{action}", email="ana@demo.example", role="admin")
        assert reply.status_code == 404


def test_a_key_is_shown_once_works_and_is_revoked(site: Site) -> None:
    chris = site.person("admin")
    issued = chris.submit(KEYS, name="till", scopes=["score", "review"], days="30")
    assert (issued.status_code, issued.headers["location"]) == (303, KEYS)
    assert "sk_" not in str(issued.headers), "the cookie is encrypted"
    found = re.search(r"sk_([A-Za-z0-9]{10})_[A-Za-z0-9]{40}", chris.get(KEYS).text)
    assert found
    key, prefix = found[0], found[1]
    principal = verify_key(site.engine, key, KEY_SECRET)
    assert principal is not None
    assert (principal.tenant_id, principal.scopes) == (
        site.tenant.id,
        frozenset({"score", "review"}),
    )
    page = chris.get(KEYS).text
    assert "till" in page
    assert key not in page
    olga = site.person(site.stranger)
    assert "till" not in olga.get(KEYS).text
    assert olga.submit(f"{KEYS}/{prefix}/revoke").status_code == 404
    assert chris.submit(f"{KEYS}/{prefix}/revoke").status_code == 303
    assert verify_key(site.engine, key, KEY_SECRET) is None
    audit = chris.get("/console/audit?action=key.changed").text
    assert "revoked the API key" in audit


def test_a_reload_after_a_key_or_a_link_makes_no_other(site: Site) -> None:
    chris = site.person("admin")
    chris.submit(KEYS, name="till", scopes=["score"], days="30")
    assert len(set(re.findall(r"sk_\w{10}_\w{40}", chris.get(KEYS).text))) == 1
    assert not re.findall(r"sk_\w{10}_\w{40}", chris.get(KEYS).text)
    chris.submit(f"{PEOPLE}/link", email="ana@demo.example")
    link = re.search(r'value="(http://[^"]+)"', chris.get(PEOPLE).text)
    assert link
    assert 'value="http://' not in chris.get(PEOPLE).text
    assert chris.get(html.unescape(link[1])).status_code == 200, "the link still works"


def test_nobody_else_sees_the_key_and_a_changed_cookie_shows_nothing(site: Site) -> None:
    chris, again = site.person("admin"), site.person("admin")
    issued = chris.submit(KEYS, name="till", scopes=["score"], days="30")
    cookie = SimpleCookie(issued.headers["set-cookie"])["sentinel_shown_once"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (KEYS, True, "strict")
    other = "A" if cookie.value[-30] != "A" else "B"
    changed = f"{cookie.value[:-30]}{other}{cookie.value[-29:]}"
    for person, value in ((again, cookie.value), (chris, changed), (chris, "x"), (chris, "a.b.c")):
        page = person.get(
            KEYS, headers={"cookie": f"{COOKIE}={person.token}; sentinel_shown_once={value}"}
        )
        assert page.status_code == 200
        assert 'id="key"' not in page.text


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "", "scopes": ["score"], "days": "30"},
        {"name": "till", "days": "30"},
        {"name": "till", "scopes": ["root"], "days": "30"},
        {"name": "till", "scopes": ["score"], "days": "1000000"},
    ],
)
def test_a_key_that_is_not_valid_is_refused_on_the_page(
    site: Site, fields: dict[str, object]
) -> None:
    refused = site.person("admin").submit(KEYS, **fields)
    assert refused.status_code == 422
    assert 'role="alert"' in refused.text


def test_the_event_type_is_shown(site: Site) -> None:
    page = site.person().get("/console/settings").text
    assert "<code>nameOrig</code>" in page


def test_the_settings_say_what_is_kept_how_long_and_what_is_the_oldest(site: Site) -> None:
    person = site.person()
    page = person.get("/console/settings").text
    assert "It has not run yet, so nothing was dropped." in page
    assert not re.search(r"--retain-months</span></code></td><td>\d", page)
    long_ago = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    store(site.engine, decision_at(decide(site.tenant, 0.9), long_ago))
    site.decided(0.8)
    record_job(site.engine, "maintenance")
    page = person.get("/console/settings").text
    assert "It last ran " in page
    assert re.search(r"--retain-months</span></code></td><td>2 Jan( 2026)? 03:04</td>", page)
    assert "A session 30 minutes without a request, 12 hours at most; a link 24 hours" in page


def test_a_key_is_revoked_after_a_question_that_says_what_follows(site: Site) -> None:
    chris = site.person("admin")
    chris.submit(KEYS, name="till", scopes=["score"], days="30")
    page = chris.get(KEYS).text
    asked = re.search(r'<details class="sure"><summary>Revoke.*?</details>', page, re.DOTALL)
    assert asked
    assert "A revoked key never works again." in asked[0]
    assert "/revoke" in asked[0], "the button is inside, so one click opens the question alone"
    assert page.count("/revoke") == page.count('<details class="sure">')
    assert "sends payments and learns their decisions" in page
    assert "There are none yet." in page, "webhooks"


def test_disabling_asks_first_and_says_what_was_done(site: Site) -> None:
    chris = site.person("admin")
    page = chris.get(PEOPLE).text
    assert page.count("/people/disable") == page.count('<details class="sure">') > 0
    done = chris.submit(f"{PEOPLE}/disable", email="ana@demo.example")
    assert "The account is disabled" in chris.get(done.headers["location"]).text
    done = chris.submit(f"{PEOPLE}/enable", email="ana@demo.example")
    assert "The account is in use again." in chris.get(done.headers["location"]).text


def test_a_refusal_speaks_to_a_person_and_not_of_keys(site: Site) -> None:
    refused = site.person("analyst").get("/console/audit")
    assert refused.status_code == 403
    assert "<h1>Your account may not do this</h1>" in refused.text
    assert "API key" not in refused.text


def test_the_page_of_keys_shows_the_limits_of_payments_a_second(site: Site) -> None:
    chris = site.person("admin")
    assert "payments a second" not in chris.get(KEYS).text
    set_limits(site.engine, site.tenant.slug, TenantLimits(tenant=5000, key=50))
    shown = chris.get(KEYS).text
    assert "All keys together may send 5,000 payments a second" in shown
    assert "Each key may send 50 payments a second" in shown
