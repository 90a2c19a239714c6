"""What people do in a browser decides the next payment that the real service gets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from persistence.people.users import Role, User
from persistence.tenants import create_tenant
from tests.support.browser.chromium import browsing
from tests.support.console.site import NAMES
from tests.support.data.people import PASSWORD, put_person
from tests.support.data.rules import put_list
from tests.support.factories import a_model
from tests.support.rules_client import Caller
from tests.support.system import System

SLUG = "console-bank"
MODEL = f"fraud-{SLUG}"
CHALLENGER = a_model(seed=21, threshold=0.2)


@dataclass(frozen=True)
class Bank:
    """A tenant of the running service with a model of its own, and its people.

    Attributes:
        system: the service.
        api: caller with an API key.
        people: account by role.
    """

    system: System
    api: Caller
    people: dict[Role, User]

    def sign_in(self, page: Page, role: Role, path: str) -> None:
        """Sign a person in to a browser by password, and open a page."""
        user = self.people[role]
        url = self.system.service.url
        page.goto(f"{url}/console/sign-in?organisation={SLUG}&next={path}")
        page.get_by_label("E-mail").fill(user.email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{url}{path}**")


@pytest.fixture(scope="module")
def bank(shared_system: System) -> Bank:
    """A bank that the shared service decides for, with a challenger."""
    system = shared_system
    tenant = create_tenant(system.engine, SLUG, MODEL)
    system.publish(MODEL, a_model())
    system.publish(MODEL, CHALLENGER, alias="challenger")
    api = Caller(system, tenant, "score", "review", "admin")
    put_list(system.engine, tenant.id, "blocked")
    people = {role: put_person(system.engine, tenant, name, role) for role, name in NAMES.items()}
    ready = "SELECT 1 FROM challenger_versions WHERE tenant_id = :tenant_id"
    system.service.child.wait_until(lambda: bool(system.rows(ready, tenant_id=tenant.id)), 30)
    # A threshold that no score reaches: whatever is not approved was decided by the test's own act.
    assert api.ask("PUT", "/policy", {"threshold": 0.99}).status_code == 200
    return Bank(system, api, people)


def decided(bank: Bank, **body: Any) -> tuple[str, str]:
    """Return the outcome of a payment, and what decided it."""
    reply = bank.api.scores(**body)
    return reply["decision"], reply["decided_by"]["kind"]


def test_an_entity_that_is_blocked_on_its_page_has_its_next_payment_declined(
    bank: Bank, tmp_path: Path
) -> None:
    assert decided(bank, nameOrig="C77") == ("approve", "model")
    with browsing(tmp_path) as page:
        bank.sign_in(page, "analyst", "/console/entities/account/C77")
        page.get_by_label("Action").select_option("Block: blocked")
        page.get_by_label("Reason").fill("A mule account")
        page.get_by_role("button", name="Add to the list").click()
        expect(page.get_by_text("Blocked", exact=True).first).to_be_visible()
        assert decided(bank, nameOrig="C77") == ("decline", "list_entry")
        assert decided(bank, nameOrig="C78") == ("approve", "model")


def test_the_next_payments_outcome_follows_the_threshold_that_was_saved(
    bank: Bank, tmp_path: Path
) -> None:
    score = bank.api.scores(amount=500.0)["score"]
    with browsing(tmp_path) as page:
        bank.sign_in(page, "admin", "/console/threshold")
        for moved, outcome in ((100 * score / 2, "review"), (99.0, "approve")):
            page.get_by_label("Review from a score of").first.fill(f"{moved:.4f}")
            page.get_by_label("Reason", exact=True).fill("As agreed.")
            page.get_by_role("button", name="Save the thresholds").click()
            expect(page.get_by_text("The thresholds are in force.")).to_be_visible()
            reply = bank.api.scores(amount=500.0)
            assert reply["decision"] == outcome
            assert reply["threshold"] == pytest.approx(moved / 100, rel=1e-3)


def test_the_models_page_has_the_challenger_beside_the_version_in_production(
    bank: Bank, tmp_path: Path
) -> None:
    with browsing(tmp_path) as page:
        bank.sign_in(page, "analyst", "/console/models")
        versions = page.get_by_role("region", name="Versions")
        expect(versions.get_by_role("row", name="Version 1")).to_contain_text("Champion")
        expect(versions.get_by_role("row", name="Version 2")).to_contain_text("Challenger")


def test_a_rule_that_was_tried_and_switched_on_fires_at_the_next_payment(
    bank: Bank, tmp_path: Path
) -> None:
    assert decided(bank, amount=7_000_000.0) == ("approve", "model")
    with browsing(tmp_path) as page:
        bank.sign_in(page, "admin", "/console/rules/new")
        page.get_by_role("textbox", name="Name").fill("Millions")
        page.get_by_role("textbox", name="Condition").fill("amount > 5000000")
        page.get_by_role("button", name="Try on past decisions").click()
        expect(page.get_by_role("region", name="What it would have done").first).to_be_visible()
        page.get_by_role("button", name="Save in shadow").click()
        expect(page.get_by_role("status").first).to_contain_text("The rule is saved in shadow")
        assert decided(bank, amount=7_000_000.0) == ("approve", "model")
        page.get_by_label("Live").check()
        page.get_by_label("Reason").first.fill("It would have caught a fraud")
        page.get_by_role("button", name="Switch").click()
        expect(page.get_by_text("The rule is live: it decides the next payment.")).to_be_visible()
        assert decided(bank, amount=7_000_000.0) == ("review", "rule")
        assert decided(bank, amount=500.0) == ("approve", "model")
