"""People sign in, and nobody else: passwords, links, sessions, lock-out, forged requests."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from console.access import COOKIE
from persistence.actor import Actor
from persistence.people.links import create_link, use_link
from persistence.people.users import disable_user
from tests.support.browser.chromium import browsing
from tests.support.console.site import Site
from tests.support.data.people import PASSWORD


def signing_in(site: Site, **changes: str) -> httpx.Response:
    form = {"organisation": "demo", "email": "ana@demo.example", "password": PASSWORD} | changes
    return httpx.post(f"{site.url}/console/sign-in", data=form, trust_env=False, timeout=30)


def change(site: Site, statement: str, **values: Any) -> None:
    with site.engine.begin() as connection:
        connection.execute(text(f"SET LOCAL sentinel.tenant_ids = '{site.tenant.id}'"))
        connection.execute(text(statement), values)


def test_a_person_signs_in_by_password_comes_back_to_the_page_and_signs_out(
    site: Site, tmp_path: Path
) -> None:
    with browsing(tmp_path) as page:
        page.goto(f"{site.url}/console/settings")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        page.get_by_label("Organisation").fill(" Demo ")
        page.get_by_label("E-mail").fill("ANA@demo.example")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Settings")).to_be_visible()
        assert page.evaluate("document.cookie") == "", "scripts cannot read the session"
        (cookie,) = (c for c in page.context.cookies() if c["name"] == COOKIE)
        kept = page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
        assert cookie["value"] not in kept
        page.get_by_role("button", name="Sign out", exact=True).click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        expect(page.get_by_label("Organisation")).to_have_value("demo")


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "wrong"},
        {"email": "nobody@demo.example"},
        {"organisation": "nobank"},
        {"email": ""},
    ],
)
def test_every_failure_says_the_same(site: Site, changes: dict[str, str]) -> None:
    refused = signing_in(site, **changes)
    assert refused.status_code == 401
    assert "The organisation, e-mail or password is not right" in refused.text
    assert COOKIE not in refused.cookies


def test_five_failures_lock_the_account_for_a_while(site: Site) -> None:
    for _ in range(5):
        wrong = signing_in(site, password="wrong")
    locked = signing_in(site)
    assert (locked.status_code, locked.text) == (wrong.status_code, wrong.text)
    change(
        site,
        "UPDATE users SET locked_until = now() WHERE locked_until IS NOT NULL",
    )
    assert signing_in(site).status_code == 303


def test_a_sign_in_makes_a_new_session_and_another_password_ends_the_others(site: Site) -> None:
    first, second = signing_in(site).cookies[COOKIE], signing_in(site).cookies[COOKIE]
    assert first != second
    token = create_link(site.engine, site.people["analyst"], "password", actor=Actor("chris"))
    chosen = {"password": "another horse battery", "again": "another horse battery"}
    link = f"{site.url}/console/links/{token}"
    assert httpx.post(link, data=chosen, trust_env=False).status_code == 303
    for token in (first, second):
        page = httpx.get(f"{site.url}/console/settings", cookies={COOKIE: token}, trust_env=False)
        assert page.headers["location"] == "/console/sign-in?next=/console/settings"
    assert httpx.post(link, data=chosen, trust_env=False).status_code == 404, "it works once"
    assert signing_in(site, password=chosen["password"]).status_code == 303


@pytest.mark.parametrize(
    ("password", "again", "problem"),
    [
        ("short", "short", "has 5 characters; use at least 12"),
        ("aaaaaaaaaaaaaa", "aaaaaaaaaaaaaa", "fewer than 5 different characters"),
        ("ana@demo.example1", "ana@demo.example1", "is mostly a word that is guessed at once"),
        ("correct horse 9", "correct horse 8", "The two passwords are not the same."),
    ],
)
def test_a_bad_password_is_refused_and_the_link_still_works(
    site: Site, password: str, again: str, problem: str
) -> None:
    token = create_link(site.engine, site.people["analyst"], "password", actor=Actor("chris"))
    link = f"{site.url}/console/links/{token}"
    refused = httpx.post(link, data={"password": password, "again": again}, trust_env=False)
    assert refused.status_code == 422
    assert problem in refused.text
    assert httpx.get(link, trust_env=False).status_code == 200


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE user_sessions SET last_seen_at = now() - interval '31 minutes'",
        "UPDATE user_sessions SET expires_at = now()",
        "UPDATE users SET disabled_at = now()",
    ],
)
def test_a_session_ends(site: Site, statement: str) -> None:
    person = site.person()
    assert person.get("/console/settings").status_code == 200
    change(site, statement)
    assert person.get("/console/settings").status_code == 303


def test_a_page_that_refreshes_itself_keeps_no_session_alive(site: Site) -> None:
    person = site.person()
    before = datetime.now(UTC) - timedelta(minutes=20)
    change(site, "UPDATE user_sessions SET last_seen_at = :before", before=before)

    def seen() -> list[datetime]:
        with site.engine.begin() as connection:
            connection.execute(text(f"SET LOCAL sentinel.tenant_ids = '{site.tenant.id}'"))
            return list(
                connection.execute(text("SELECT max(last_seen_at) FROM user_sessions")).scalars()
            )

    person.get("/console/settings", headers={"X-Refresh": "1"})
    assert seen() == [before]
    person.get("/console/settings")
    assert seen() > [before]


def test_a_disabled_person_is_signed_out_and_cannot_sign_in(site: Site) -> None:
    person = site.person()
    disable_user(site.engine, site.tenant.id, "ana@demo.example", actor=Actor("chris"))
    assert person.get("/console/settings").status_code == 303
    assert signing_in(site).status_code == 401


@pytest.mark.parametrize(
    ("headers", "csrf"),
    [
        ({"Origin": "https://evil.example"}, True),
        ({}, False),
        ({"X-CSRF-Token": "0" * 32}, False),
    ],
)
def test_a_forged_request_is_refused(site: Site, headers: dict[str, str], csrf: bool) -> None:
    person = site.person()
    form = {"language": "de"} | ({"csrf": person.csrf} if csrf else {})
    refused = person.post("/console/settings/language", data=form, headers=headers)
    assert refused.status_code == 403
    assert "sentinel_language" not in refused.cookies


def test_the_cookie_is_secure_but_on_the_machine_itself(site: Site) -> None:
    form = {"organisation": "demo", "email": "ana@demo.example", "password": PASSWORD}
    for host, is_secure in (("127.0.0.1", False), ("console.bank.example", True)):
        reply = httpx.post(
            f"{site.url}/console/sign-in", data=form, headers={"Host": host}, trust_env=False
        )
        cookie = reply.headers["set-cookie"]
        assert ("Secure" in cookie, "HttpOnly" in cookie, "SameSite=lax" in cookie) == (
            is_secure, True, True,
        )  # fmt: skip


def test_the_next_page_is_one_of_the_console(site: Site) -> None:
    for target in ("https://evil.example", "//evil.example", "/console\\@evil", "/consolexyz"):
        form = {"organisation": "demo", "email": "ana@demo.example", "password": PASSWORD}
        reply = httpx.post(
            f"{site.url}/console/sign-in", data=form | {"next": target}, trust_env=False
        )
        assert reply.headers["location"] == "/console"


def test_pages_run_nothing_inline_and_ask_no_other_host(site: Site) -> None:
    page = site.person("admin").get("/console/settings")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<style" not in page.text
    assert " style=" not in page.text
    assert "http://" not in page.text.replace("http://www.w3.org", "")
    assert "https://" not in page.text


def test_a_page_that_is_not_there_is_a_page(site: Site) -> None:
    missing = site.person().get("/console/nowhere")
    assert missing.status_code == 404
    assert missing.headers["content-type"].startswith("text/html")
    assert "There is no such page." in missing.text


def test_the_audit_log_names_the_person(site: Site) -> None:
    signing_in(site)
    with site.engine.begin() as connection:
        connection.execute(text(f"SET LOCAL sentinel.tenant_ids = '{site.tenant.id}'"))
        found = connection.execute(
            text("SELECT actor, via, action, after FROM audit_log WHERE action = 'session.created'")
        ).all()
    actor, via, _, after = found[-1]
    assert (actor, via) == ("Ana Analyst", "user ana@demo.example")
    assert "digest" not in after


def test_a_form_that_is_too_large_is_refused_before_it_is_held(site: Site) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(80):
            yield b"&email=" + b"a" * 65_536

    for content in (b"".join(parts()), parts()):
        refused = httpx.post(
            f"{site.url}/console/sign-in",
            content=content,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            trust_env=False,
        )
        assert refused.status_code == 413
        assert refused.headers["content-type"].startswith("text/html")
        assert "It is too large" in refused.text


def test_a_flood_of_sign_ins_is_asked_to_wait_and_ends(site: Site) -> None:
    with ThreadPoolExecutor(30) as clients:
        replies = list(clients.map(lambda _: signing_in(site, password="wrong"), range(30)))
    assert {reply.status_code for reply in replies} == {401, 429}
    assert all("Retry-After" in r.headers for r in replies if r.status_code == 429)
    assert httpx.get(f"{site.url}/console/sign-in", trust_env=False).status_code == 200


def test_a_sign_in_ends_the_session_before_and_a_new_password_every_link(site: Site) -> None:
    before = site.person()
    form = {"organisation": "demo", "email": "ana@demo.example", "password": PASSWORD}
    again = before.post("/console/sign-in", data=form)
    assert again.status_code == 303
    with httpx.Client(cookies={COOKIE: before.token}, trust_env=False) as old:
        assert old.get(f"{site.url}/console/settings").status_code == 303
    user = site.people["analyst"]
    in_hand = create_link(site.engine, user, "sign_in", actor=Actor("chris"))
    chosen = create_link(site.engine, user, "password", actor=Actor("chris"))
    use_link(site.engine, chosen, "another horse battery")
    assert httpx.get(f"{site.url}/console/links/{in_hand}", trust_env=False).status_code == 404


def test_a_lock_out_is_not_the_persons_own_act(site: Site) -> None:
    for _ in range(5):
        signing_in(site, password="wrong")
    with site.engine.begin() as connection:
        connection.execute(text(f"SET LOCAL sentinel.tenant_ids = '{site.tenant.id}'"))
        latest = text("SELECT actor FROM audit_log WHERE action = 'user.changed' ORDER BY id DESC")
        assert connection.execute(latest).scalars().first() == "sentinel"
