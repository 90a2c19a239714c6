"""The command palette by keyboard alone."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.support.browser.chromium import browsing
from tests.support.console.site import Site


def test_the_palette_finds_a_page_and_a_transaction_by_keyboard(site: Site, tmp_path: Path) -> None:
    (decided,) = site.decided(0.9, external_id="order-77")
    with browsing(tmp_path) as page:
        site.sign_in(page, path="/console/search")
        page.get_by_label("Find an id").focus()
        page.keyboard.press("Control+k")
        expect(page.get_by_role("dialog", name="Go to")).to_be_visible()
        options = page.get_by_role("dialog").get_by_role("option")
        expect(options.filter(has_text="Overview")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog", name="Go to")).to_be_hidden()
        expect(page.get_by_label("Find an id")).to_be_focused()
        page.keyboard.press("Control+k")
        page.keyboard.type("se")
        expect(options).to_have_text([re.compile(name) for name in ("Search", "Cases", "Settings")])
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/settings")
        page.keyboard.press("Control+k")
        page.keyboard.type("order-77")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/console/transactions/{decided.transaction_id}")


def test_the_palette_finds_a_case_by_its_number_and_nobody_elses(site: Site) -> None:
    analyst = site.person()
    analyst.submit("/console/cases/new", title="Ring of two", priority="high")
    assert "1: Ring of two" in analyst.get("/console/palette?q=1").text
    assert "Ring of two" not in site.person(site.stranger).get("/console/palette?q=1").text
