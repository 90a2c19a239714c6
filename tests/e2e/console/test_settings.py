"""Settings in a browser: a key that was just issued, and a reload."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.support.browser.chromium import browsing
from tests.support.console.site import Site


def test_a_reload_after_a_key_was_issued_shows_it_no_more_and_issues_no_other(
    site: Site, tmp_path: Path
) -> None:
    keys = f"{site.url}/console/settings/keys"
    with browsing(tmp_path) as page:
        site.sign_in(page, "admin", path="/console/settings/keys")
        page.get_by_label("Name").fill("till")
        page.get_by_label("score").check()
        page.get_by_role("button", name="Issue").click()
        expect(page).to_have_url(keys)
        assert page.locator("#key").input_value().startswith("sk_")
        page.reload()
        expect(page.locator("#key")).to_have_count(0)
        expect(page.get_by_role("rowheader", name="till")).to_have_count(1)
        names = {one.get("name") for one in page.context.cookies(keys)}
        assert "sentinel_shown_once" not in names
