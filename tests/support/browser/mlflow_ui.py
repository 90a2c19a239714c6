"""The pages of MLflow's UI, found by their visible text."""

from __future__ import annotations

from contextlib import suppress

from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

_CLICKS = 4
_DIALOG_MS = 15_000


def keep_assistant_closed(page: Page) -> None:
    """Keep the chat panel closed that MLflow opens at a first visit."""
    page.add_init_script(
        "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"
    )


def open_version(page: Page, tracking_uri: str, name: str, version: int) -> None:
    """Show the page of a registered model's version."""
    page.goto(f"{tracking_uri}/#/models/{name}/versions/{version}")
    expect(page.get_by_role("heading", name=f"Version {version}", exact=True)).to_be_visible()


def fill_alias(page: Page, alias: str) -> Locator:
    """On a version's page, open the alias editor and type `alias`; the dialog, not saved yet."""
    aliases = page.get_by_test_id("descriptions-item").filter(has_text="Aliases")
    dialog = page.get_by_role("dialog").filter(has_text="alias for model version")
    # It reads `Add` while the version has no alias, and is a pencil afterwards. While the page is
    # still loading on a busy machine, a click may be lost.
    for _ in range(_CLICKS):
        aliases.get_by_role("button").click()
        with suppress(PlaywrightTimeoutError):
            dialog.wait_for(timeout=_DIALOG_MS)
            break
    field = dialog.get_by_role("combobox")
    field.click()
    field.press_sequentially(alias)
    field.press("Enter")
    expect(dialog.get_by_text(f"@ {alias}", exact=True)).to_be_visible()
    return dialog


def move_alias(page: Page, tracking_uri: str, name: str, version: int, alias: str) -> None:
    """Give an alias to a version by clicking; MLflow has taken it when this returns."""
    open_version(page, tracking_uri, name, version)
    dialog = fill_alias(page, alias)
    dialog.get_by_role("button", name="Save aliases").click()
    expect(dialog).to_be_hidden()
