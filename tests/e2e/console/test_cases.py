"""A case in a browser: opened, filled, closed; its file opens without a network."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.support.browser.chromium import browsing
from tests.support.console.site import Site


def test_a_case_is_opened_filled_and_closed_and_its_file_opens_without_a_network(
    site: Site, tmp_path: Path
) -> None:
    (first,) = site.decided(0.9)
    (second,) = site.decided(0.4, external_id="pay-7")
    with browsing(tmp_path) as page:
        site.sign_in(page, path="/console/cases")
        page.get_by_role("link", name="New case").click()
        page.get_by_label("Title").fill("Two payments of one account")
        page.get_by_label("Priority").select_option("High")
        page.get_by_role("button", name="Open the case").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(
            "Case 1: Two payments of one account"
        )
        for given in ("pay-7", str(first.transaction_id)):
            page.get_by_label("Link events").fill(given)
            page.get_by_role("button", name="Link events").click()
        expect(page.get_by_text("2 events")).to_be_visible()
        page.get_by_label("Key").fill("C1305486145")
        page.get_by_role("button", name="Link an entity").click()
        expect(page.get_by_role("link", name="C1305486145").first).to_be_visible()
        page.get_by_label("Add a note").fill("The customer did not make them.")
        page.get_by_role("button", name="Add a note").click()
        page.get_by_label("Outcome").select_option("Fraud confirmed")
        page.get_by_label("Amount", exact=True).fill("1250.50")
        page.get_by_role("button", name="Close the case").click()
        expect(page.get_by_role("button", name="Reopen the case")).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the case file").click()
        file = tmp_path / "case.html"
        download.value.save_as(file)
        asked: list[str] = []
        page.context.set_offline(True)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        for one in (first, second):
            expect(page.get_by_text(str(one.transaction_id)).first).to_be_visible()
        assert asked == [file.as_uri()]
