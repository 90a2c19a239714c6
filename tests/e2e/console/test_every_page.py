"""What holds for every page: accessible, small, fits a phone, quiet, and of one tenant alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Page

from tests.support.browser.chromium import browsing
from tests.support.console.pages import pages
from tests.support.console.site import Site
from tests.support.data.rules import put_list, put_rule
from tests.support.data.uploads import put_upload
from tools import typescript

pytestmark = pytest.mark.timeout(420)

MAX_PAGE_BYTES = 40_000
_RUN_AXE = """axe.run(document, {resultTypes: ["violations"]}).then((found) =>
    JSON.stringify(found.violations.map((v) => [v.id, v.impact, v.nodes.map((n) => n.html)])))"""


@pytest.fixture
def full(site: Site) -> Site:
    """The console of a tenant that has one of everything."""
    site.decided(*(0.9 - i / 100 for i in range(40)), external_id=None)
    put_list(site.engine, site.tenant.id, values=["C1"])
    put_rule(site.engine, site.tenant.id)
    person = site.person("admin")
    first = pages(lambda path: person.get(path).text)["transaction"].rpartition("/")[2]
    put_upload(site.engine, site.tenant.id)
    person.submit("/console/cases/new", title="Ring of two", priority="high", transaction=first)
    return site


@pytest.fixture
def addresses(full: Site) -> dict[str, str]:
    person = full.person("admin")
    found = pages(lambda path: person.get(path).text)
    assert {"transaction", "entity", "case", "list", "rule", "model", "upload"} <= set(found)
    return found


@pytest.fixture
def axe() -> str:
    return (typescript.find() / "node_modules/axe-core/axe.min.js").read_text()


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def page(full: Site, tmp_path: Path, messages: list[str]) -> Iterator[Page]:
    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            messages.append(message.text)

    with browsing(tmp_path) as page:
        page.on("console", note)
        page.on("pageerror", lambda error: messages.append(str(error)))
        full.sign_in(page, "admin", "/console/settings")
        yield page


def serious(page: Page, axe: str) -> list[Any]:
    page.evaluate(axe)
    found = json.loads(page.evaluate(_RUN_AXE))
    return [violation for violation in found if violation[1] in {"serious", "critical"}]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault_of_accessibility(
    full: Site, page: Page, addresses: dict[str, str], axe: str, scheme: Any, messages: list[str]
) -> None:
    page.emulate_media(color_scheme=scheme)
    faults = {}
    for name, address in addresses.items():
        page.goto(full.url + address)
        if found := serious(page, axe):
            faults[name] = found
    assert faults == {}
    assert messages == []


def test_every_page_fits_a_phone(full: Site, page: Page, addresses: dict[str, str]) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    widths = {}
    for name, address in addresses.items():
        page.goto(full.url + address)
        widths[name] = page.evaluate("document.scrollingElement.scrollWidth")
    assert {name: width for name, width in widths.items() if width > 360} == {}


def test_every_page_is_small_and_runs_nothing_inline(full: Site, addresses: dict[str, str]) -> None:
    person = full.person("admin")
    for name, address in addresses.items():
        page = person.get(address)
        assert page.status_code == 200, name
        assert len(page.content) < MAX_PAGE_BYTES, name
        assert "<style" not in page.text, name
        assert " style=" not in page.text, name
        assert " onclick=" not in page.text, name


def test_another_tenant_gets_nothing_of_any_page(full: Site, addresses: dict[str, str]) -> None:
    stranger = full.person(full.stranger)
    mine = full.tenant.slug
    for name, address in addresses.items():
        page = stranger.get(address)
        assert page.status_code in {200, 404}, name
        if name in {"transaction", "case", "list", "rule", "upload"}:
            assert page.status_code == 404, name
        assert f"@{mine}.example" not in page.text, name
        assert "Ring of two" not in page.text, name


@pytest.mark.parametrize("role", ["analyst", "senior"])
def test_every_page_is_a_page_for_every_role(
    full: Site, addresses: dict[str, str], role: Any
) -> None:
    person = full.person(role)
    for name, address in addresses.items():
        page = person.get(address)
        assert page.status_code in {200, 403}, name
        assert page.headers["content-type"].startswith("text/html"), name


def test_nobody_sees_a_page_without_a_sign_in(full: Site, addresses: dict[str, str]) -> None:
    person = full.person()
    person.cookies.clear()
    for name, address in addresses.items():
        page = person.get(address)
        assert page.status_code == 303, name
        assert page.headers["location"] == f"/console/sign-in?next={address}", name
