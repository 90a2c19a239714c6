"""People sign in at an OpenID Connect provider: a real one, which runs beside the tests."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine
from werkzeug.serving import make_server

from persistence.actor import Actor
from persistence.people.users import disable_user
from tests.support.browser.chromium import browsing
from tests.support.console.site import Site, serving_console
from web.openid import IdentityRefused, OpenIdProvider, ProviderUnavailable, new_attempt

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports a module of Authlib that is about to move
    import oidc_provider_mock


@contextmanager
def providing(port: int) -> Iterator[str]:
    """Run a provider that knows whoever types an address, and vouches for some of them."""
    people = [
        oidc_provider_mock.User(
            sub=name, claims={"email": f"{name}@demo.example", "email_verified": is_verified}
        )
        for name, is_verified in (("ana", True), ("nobody", True), ("bo", False))
    ]
    app = oidc_provider_mock.app(user_claims=people, require_nonce=True)
    server = make_server("127.0.0.1", port, app)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    thread.join()


@pytest.fixture
def issuer(free_port: Callable[[], int]) -> Iterator[str]:
    with providing(free_port()) as url:
        yield url


@pytest.fixture
def provider(issuer: str) -> OpenIdProvider:
    return OpenIdProvider(issuer, "sentinel", "a secret", "Bank ID")


@pytest.fixture
def console(
    site: Site, service_engine: Engine, free_port: Callable[[], int], provider: OpenIdProvider
) -> Iterator[str]:
    """The address of a console where people may sign in at the provider."""
    with serving_console(service_engine, free_port(), site, provider) as url:
        assert site.url != url
        yield url


def sign_in(page: Page, console: str, name: str) -> None:
    page.goto(f"{console}/console/sign-in?organisation=demo&next=/console/settings")
    page.get_by_role("link", name="Sign in with Bank ID").click()
    page.locator("input[name=sub]").fill(name)
    page.get_by_role("button", name="Authorize").first.click()


def test_a_person_signs_in_at_the_provider(console: str, tmp_path: Path) -> None:
    with browsing(tmp_path) as page:
        sign_in(page, console, "ana")
        expect(page.get_by_role("heading", name="Settings")).to_be_visible()
        expect(page.get_by_text("Ana Analyst").first).to_be_visible()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nobody", "The organisation has no account in use with the e-mail nobody@demo.example."),
        ("bo", "The provider does not say that your e-mail is verified."),
    ],
)
def test_whom_the_provider_does_not_vouch_for_or_nobody_knows_stays_outside(
    console: str, tmp_path: Path, name: str, problem: str
) -> None:
    with browsing(tmp_path) as page:
        sign_in(page, console, name)
        expect(page.get_by_text(problem)).to_be_visible()


def test_a_disabled_account_stays_outside(console: str, site: Site, tmp_path: Path) -> None:
    disable_user(site.engine, site.tenant.id, "ana@demo.example", actor=Actor("chris"))
    with browsing(tmp_path) as page:
        sign_in(page, console, "ana")
        expect(page.get_by_text("has no account in use")).to_be_visible()


def test_an_answer_that_this_browser_did_not_ask_for_is_refused(console: str) -> None:
    with httpx.Client(base_url=console, trust_env=False) as browser:
        back = browser.get("/console/openid/back", params={"state": "x", "code": "y"})
        assert back.status_code == 401
        assert "begin it again" in back.text
        begun = browser.get("/console/openid", params={"organisation": "demo"})
        assert begun.status_code == 303
        assert begun.headers["location"].startswith("http://127.0.0.1")
        forged = browser.get("/console/openid/back", params={"state": "x", "code": "y"})
        assert forged.status_code == 401
        assert "another browser" in forged.text


def test_a_code_is_valid_once_and_with_its_verifier(provider: OpenIdProvider) -> None:
    attempt = new_attempt()
    back = "http://127.0.0.1/console/openid/back"
    url = provider.authorization_url(back, attempt)
    reply = httpx.post(url, data={"sub": "ana"}, trust_env=False)
    code = httpx.URL(reply.headers["location"]).params["code"]
    with pytest.raises(IdentityRefused):
        provider.verified_email(back, code, new_attempt())
    reply = httpx.post(url, data={"sub": "ana"}, trust_env=False)
    code = httpx.URL(reply.headers["location"]).params["code"]
    assert provider.verified_email(back, code, attempt) == "ana@demo.example"
    with pytest.raises(IdentityRefused):
        provider.verified_email(back, code, attempt)


def test_a_token_for_somebody_else_is_refused(issuer: str, provider: OpenIdProvider) -> None:
    other = OpenIdProvider(issuer, "another service", "a secret", "Bank ID")
    attempt, back = new_attempt(), "http://127.0.0.1/back"
    reply = httpx.post(other.authorization_url(back, attempt), data={"sub": "ana"}, trust_env=False)
    code = httpx.URL(reply.headers["location"]).params["code"]
    with pytest.raises(IdentityRefused):
        provider.verified_email(back, code, attempt)


def test_a_provider_that_is_away_leaves_the_passwords(
    site: Site, service_engine: Engine, free_port: Callable[[], int]
) -> None:
    away = OpenIdProvider(f"http://127.0.0.1:{free_port()}", "sentinel", "a secret", "Bank ID")
    with pytest.raises(ProviderUnavailable):
        away.authorization_url("http://127.0.0.1/back", new_attempt())
    with serving_console(service_engine, free_port(), site, away) as console:
        page = httpx.get(f"{console}/console/openid?organisation=demo", trust_env=False)
        assert page.status_code == 503
        assert "The sign-in provider does not answer" in page.text
        form = {"organisation": "demo", "email": site.people["analyst"].email}
        signed_in = httpx.post(
            f"{console}/console/sign-in",
            data=form | {"password": "correct horse battery"},
            trust_env=False,
        )
        assert signed_in.status_code == 303


def test_without_a_provider_there_is_no_such_page(site: Site) -> None:
    assert httpx.get(f"{site.url}/console/openid", trust_env=False).status_code == 404
    assert "Bank ID" not in httpx.get(f"{site.url}/console/sign-in", trust_env=False).text
