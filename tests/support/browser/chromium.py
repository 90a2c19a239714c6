"""A headless Chromium to click in: the machine's own, none is downloaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, expect, sync_playwright

from tools.chromium import find

# One step on a page, while 16 clients and the service take both cores.
_STEP_SECONDS = 60


@contextmanager
def browsing(failures: Path, width: int = 1280, height: int = 800) -> Iterator[Page]:
    """An empty page of a fresh profile; what is on it when the block fails is kept as a picture.

    It logs in to MLflow with the environment's user and password, as MLflow's clients do.

    Args:
        failures: the folder for that picture; its path is a note of the error.
        width: of the window, CSS pixels.
        height: of the window, CSS pixels.

    Raises:
        NoChromium: there is no browser here; the message says what to do.
    """
    executable = find()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            # The pages under test lie on this machine; whatever else they ask for is not there.
            args=["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        page = browser.new_page(
            viewport={"width": width, "height": height},
            http_credentials={
                "username": os.environ.get("MLFLOW_TRACKING_USERNAME", ""),
                "password": os.environ.get("MLFLOW_TRACKING_PASSWORD", ""),
            },
        )
        page.set_default_timeout(1000 * _STEP_SECONDS)
        expect.set_options(timeout=1000 * _STEP_SECONDS)
        try:
            yield page
        except BaseException as error:
            picture = failures / "browser-at-failure.png"
            with suppress(PlaywrightError):
                page.screenshot(path=picture)
                error.add_note(f"What the browser showed: {picture} ({page.url})")
            raise
        finally:
            browser.close()
