"""In a browser: a rule is tried, saved and switched on; an account is blocked."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import ConsoleMessage, Page, expect

from tests.support.browser.chromium import browsing
from tests.support.console.decided_rules import decided_by_rules, promote, rules_in_force
from tests.support.console.site import Site
from tests.support.data.review import say
from tests.support.data.rules import put_list


def listen(page: Page) -> list[str]:
    """Collect what the browser complains about, but for the refusals that a test asks for."""
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "422" not in message.text:
            said.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


def test_a_rule_is_tried_saved_in_shadow_and_switched_on(site: Site, tmp_path: Path) -> None:
    promote(site)
    (fraud,) = site.decided(0.01, amount=5000.0)
    say(site.engine, fraud, "confirmed_fraud")
    with browsing(tmp_path) as page:
        site.sign_in(page, "admin", "/console/rules")
        said = listen(page)
        page.get_by_role("link", name="New rule").click()
        page.get_by_role("textbox", name="Name").fill("Large transfers")
        page.get_by_role("textbox", name="Condition").fill("typ == 'TRANSFER' and ")
        page.get_by_role("button", name="amount", exact=True).click()
        expect(page.get_by_role("textbox", name="Condition")).to_be_focused()
        expect(page.get_by_role("textbox", name="Condition")).to_have_value(
            "typ == 'TRANSFER' and amount"
        )
        page.keyboard.type(" > 1000")
        page.get_by_role("button", name="Try on past decisions").click()
        problem = page.get_by_role("alert")
        expect(problem).to_contain_text("typ == 'TRANSFER' and amount > 1000\n^^^\n")
        expect(page.get_by_role("textbox", name="Condition")).to_be_focused()
        page.keyboard.type("type")  # the offending part is selected
        page.get_by_role("button", name="Try on past decisions").click()
        figures = page.get_by_role("region", name="What it would have done").first
        expect(figures.get_by_role("row", name="Frauds caught")).to_contain_text("+1")
        expect(page.get_by_text("+1,000").first).to_be_visible()
        expect(page.get_by_role("textbox", name="Name")).to_have_value("Large transfers")
        page.get_by_role("button", name="Save in shadow").click()
        expect(page.get_by_role("status").first).to_contain_text("The rule is saved in shadow")
        assert rules_in_force(site).rule_set.rules[0].state == "shadow"
        assert decided_by_rules(site, 0.01, amount=5000.0).prediction.decision == "approve"
        page.get_by_label("Live").check()
        page.get_by_label("Reason").first.fill("It would have caught a fraud")
        page.get_by_role("button", name="Switch").click()
        expect(page.get_by_text("The rule is live: it decides the next payment.")).to_be_visible()
        expect(page.get_by_text("It would have caught a fraud")).to_be_visible()
        assert decided_by_rules(site, 0.01, amount=5000.0).prediction.decision == "review"
        assert said == []


def test_an_account_is_blocked_and_its_next_payment_declined(site: Site, tmp_path: Path) -> None:
    promote(site)
    put_list(site.engine, site.tenant.id)
    with browsing(tmp_path, width=360) as page:
        site.sign_in(page, "analyst", "/console/lists/blocked")
        said = listen(page)
        page.get_by_label("Entity", exact=True).fill("C77")
        page.get_by_label("Reason").first.fill("mule account")
        page.get_by_label("Expires").first.select_option("In 7 days")
        page.get_by_role("button", name="Block", exact=True).click()
        expect(page.get_by_text("1 entry added, in force at once.")).to_be_visible()
        assert decided_by_rules(site, 0.01, name_orig="C77").prediction.decision == "decline"
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, "the page does not scroll sideways"
        page.get_by_role("button", name="Remove C77 from the list").click()
        expect(page.get_by_text("C77 is no longer in the list.")).to_be_visible()
        assert decided_by_rules(site, 0.01, name_orig="C77").prediction.decision == "approve"
        assert said == []
