"""An analyst reads a transaction in a browser, follows its entities and blocks one."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Route, expect

from tests.support.browser.chromium import browsing
from tests.support.console.site import Site
from tests.support.data.rules import put_list


def test_an_account_is_blocked_from_the_page_of_a_transaction(site: Site, tmp_path: Path) -> None:
    put_list(site.engine, site.tenant.id)
    *_, decided = site.decided(0.01, 0.3, 0.9, name_orig="C7", name_dest="C8")
    with browsing(tmp_path) as page:
        site.sign_in(page, "analyst", f"/console/transactions/{decided.transaction_id}")
        lists = page.locator("#lists")
        lists.get_by_text("Block or trust").first.click()
        lists.get_by_label("Reason").first.fill("The account of a money mule")
        lists.get_by_label("Expiry").first.select_option("In 30 days")
        lists.get_by_role("button", name="Add to the list").first.click()
        expect(lists.get_by_text("Blocked", exact=True)).to_be_visible()
        expect(lists).to_contain_text("Added by Ana Analyst")
        expect(page).to_have_url(f"{site.url}/console/transactions/{decided.transaction_id}#lists")
        page.get_by_role("link", name="C7", exact=True).first.click()
        expect(page.get_by_role("heading", name="Account C7")).to_be_visible()
        page.get_by_role("link", name="C8", exact=True).first.click()
        expect(page.get_by_role("heading", name="Account C8")).to_be_visible()
        page.go_back()
        page.get_by_role("button", name="Remove from blocked").click()
        expect(page.get_by_text("It is on no list.")).to_be_visible()


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window_and_nothing_is_refused(
    site: Site, tmp_path: Path, width: int
) -> None:
    *_, decided = site.decided(0.01, 0.3, 0.9, name_orig="C" * 60, name_dest="C8")
    with browsing(tmp_path, width=width) as page:
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        site.sign_in(page, "analyst", f"/console/transactions/{decided.transaction_id}")
        for path in (page.url, f"{site.url}/console/entities/account/{'C' * 60}"):
            page.goto(path)
            page.wait_for_load_state("networkidle")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert complaints == []


def test_one_key_gives_the_verdict_but_not_while_somebody_types(site: Site, tmp_path: Path) -> None:
    (decided,) = site.decided(0.9)
    sent: list[dict[str, list[str]]] = []

    def answer(route: Route) -> None:
        sent.append(parse_qs(route.request.post_data or "", keep_blank_values=True))
        route.fulfill(status=204)

    with browsing(tmp_path) as page:
        path = f"/console/transactions/{decided.transaction_id}"
        site.sign_in(page, "analyst", path)
        page.route(f"**{path}/verdict", answer)
        page.get_by_label("Reason").first.press_sequentially("fle")
        assert sent == []
        page.locator("h1").click()
        page.keyboard.press("l")
        page.wait_for_timeout(300)
    (form,) = sent
    assert (form["label"], form["rationale"], form["seen"]) == (["false_positive"], ["fle"], [""])
    assert form["next"] == [path]
    assert form["csrf"] != [""]
