"""The overview in a browser: from what waits to the queue, over ranges, and drift's later part."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.support.browser.chromium import browsing
from tests.support.console.site import Site


def test_a_person_goes_from_what_waits_to_the_queue_and_chooses_a_range(
    site: Site, tmp_path: Path
) -> None:
    site.decided(0.9, 0.8, 0.2)
    with browsing(tmp_path) as page:
        site.sign_in(page, path="/console/overview")
        page.get_by_role("link", name="30 days").click()
        expect(page).to_have_url(f"{site.url}/console/overview?range=30d")
        page.get_by_text("Show as a table").first.click()
        expect(page.get_by_role("columnheader", name="Reviews")).to_be_visible()
        page.get_by_role("link", name="High 2").click()
        expect(page).to_have_url(f"{site.url}/console/queue?band=high")
        page.go_back()
        expect(page).to_have_url(f"{site.url}/console/overview?range=30d")


def test_the_page_of_drift_loads_its_calibration(site: Site, tmp_path: Path) -> None:
    with browsing(tmp_path) as page:
        site.sign_in(page, path="/console/drift")
        expect(page.get_by_text("There are no labels yet")).to_be_visible()
