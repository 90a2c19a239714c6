"""A file is uploaded in a browser and scored by the running service, as its payments would be."""

from __future__ import annotations

import csv
from pathlib import Path

from playwright.sync_api import expect

from persistence.tenants import find_tenant
from tests.support.browser.chromium import browsing
from tests.support.data.people import PASSWORD, put_person
from tests.support.data.uploads import HEADER
from tests.support.factories import a_body
from tests.support.system import System


def line(number: int, amount: str) -> str:
    """Return the line of a transfer that empties its account."""
    return f"212;TRANSFER;{amount};C{number};{number}000.5;C9{number};0;row {number};pay-{number}"


def test_a_file_with_two_bad_rows_is_mapped_scored_and_fetched(
    system: System, tmp_path: Path
) -> None:
    tenant = find_tenant(system.engine, "demo")
    senior = put_person(system.engine, tenant, "Bo Senior", "senior")
    amounts = ["1000.5", "2000,5", "3000.5", "x", *(f"{i}000.5" for i in range(5, 121))]
    header = HEADER.replace(",", ";").replace("amount", "Betrag")
    rows = [line(i, amount) for i, amount in enumerate(amounts, 1)]
    file = tmp_path / "payments.csv"
    file.write_text("\r\n".join([f"\ufeff{header};external_id", *rows, ""]), newline="")
    url = system.service.url
    messages: list[str] = []
    with browsing(tmp_path) as page:
        page.on("console", lambda m: m.type in {"error", "warning"} and messages.append(m.text))
        page.goto(f"{url}/console/sign-in?organisation=demo&next=/console/uploads")
        page.get_by_label("E-mail").fill(senior.email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_label("File").set_input_files(file)
        page.get_by_role("button", name="Send the file").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("1: payments.csv")
        expect(page.get_by_text("They are checked as soon as")).to_be_visible()
        page.get_by_label("amount", exact=True).select_option("Betrag")
        page.get_by_role("button", name="Check again").click()
        expect(page.get_by_text("Of the first 100 rows 2 would be rejected.")).to_be_visible()
        page.get_by_role("button", name="Score 120 rows").click()
        expect(page.locator(".chip.upload-done")).to_be_visible(timeout=60_000)
        expect(page.get_by_text("has a decimal comma")).to_be_visible()
        fetched = {}
        for name in ("Results", "Rejected rows with reasons"):
            with page.expect_download() as download:
                page.get_by_role("link", name=name, exact=True).click()
            path = tmp_path / download.value.suggested_filename
            download.value.save_as(path)
            with path.open(encoding="utf-8-sig", newline="") as content:
                fetched[name] = list(csv.DictReader(content, delimiter=";", strict=True))
    assert messages == []
    results, rejects = fetched.values()
    assert [(one["row"], one["line"], one["Betrag"]) for one in rejects] == [
        ("2", "3", "2000,5"),
        ("4", "5", "x"),
    ]
    good = [amount for i, amount in enumerate(amounts) if i not in (1, 3)]
    assert [one["Betrag"] for one in results] == good
    assert system.count("transactions") == len(good)
    # The same payment by the API is the one that is stored, with the same decision.
    again = system.score(
        a_body(
            amount=1000.5, nameOrig="C1", oldbalanceOrg=1000.5, nameDest="C91",
            oldbalanceDest=0.0, external_id="pay-1",
        )
    )  # fmt: skip
    first = results[0]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["transaction_id"] == first["transaction_id"]
    assert again.json()["score"] == float(first["score"])
    assert (again.json()["decision"], again.json()["risk_band"]) == (
        first["outcome"],
        first["risk_band"],
    )
    other = system.score(
        a_body(
            amount=1000.5, nameOrig="C1", oldbalanceOrg=1000.5, nameDest="C91", oldbalanceDest=0.0
        )
    ).json()
    assert other["score"] == float(first["score"]), "a new payment with the same values"
