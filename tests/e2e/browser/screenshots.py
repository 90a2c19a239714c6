"""`make screens`: the pictures of docs/lifecycle.md, taken in a running demo.

SENTINEL_HOME names the demo's folder, as it does for the demo. Nothing is changed there: the alias
editor is filled in and cancelled.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import httpx
from mlflow import MlflowClient
from mlflow.entities import RunInfo
from PIL import Image
from playwright.sync_api import Page

from registry.names import PRODUCTION, model_name
from sentinel.local.demo.demo import TENANT
from sentinel.local.demo.state import read_environment
from sentinel.settings import Settings
from tests.support.browser.chromium import browsing
from tests.support.browser.mlflow_ui import fill_alias, keep_assistant_closed, open_version
from tests.support.paths import PROJECT
from tools.chromium import NoChromium

IMAGES = PROJECT / "docs" / "images"
HEIGHT = 960  # CSS pixels
DRAWING_MS = 3_000
COLOURS = 128  # of a picture's palette: a third of the bytes, and no difference to be seen


class Screens:
    """Takes pictures of one demo."""

    def __init__(self, page: Page, service: str, tracking_uri: str) -> None:
        """Take them in `page`."""
        self._page = page
        self._service = service
        self._mlflow = tracking_uri
        self._client = MlflowClient(tracking_uri)
        self._name = model_name(TENANT)

    def take(self) -> None:
        """Take every picture; that of a recalibration where there has been one."""
        matching = self._client.search_model_versions(f"name = '{self._name}'")
        versions = sorted(matching, key=lambda version: int(version.version), reverse=True)
        runs = {version.version: self._client.get_run(version.run_id).info for version in versions}
        production = self._client.get_model_version_by_alias(self._name, PRODUCTION).version
        keep_assistant_closed(self._page)
        self._page.goto(self._mlflow)
        self._page.get_by_text("Model training", exact=True).first.click()
        trained = next(v.version for v in versions if runs[v.version].run_name.startswith("train "))
        self._reliability(runs[trained], "mlflow-run")
        self._model_card(int(trained))
        recalibrations = [run for run in runs.values() if run.run_name.startswith("recalibrate ")]
        for run in recalibrations[:1]:
            self._reliability(run, "mlflow-recalibration")
        self._registered_model()
        # Of a version that is not in production yet, where there is one.
        others = [version.version for version in versions if version.version != production]
        self._alias_editor(int([*others, production][0]))
        self._page.goto(f"{self._service}/docs")
        self._keep("sentinel-docs")

    def _reliability(self, run: RunInfo, name: str) -> None:
        self._page.goto(f"{self._mlflow}/#/experiments/{run.experiment_id}/runs/{run.run_id}")
        self._page.get_by_role("tab", name="Artifacts").click()
        self._page.get_by_text("plots", exact=True).click()
        self._page.get_by_text("reliability.png", exact=True).click()
        self._page.get_by_alt_text("plots/reliability.png").wait_for()
        self._keep(name)

    def _model_card(self, version: int) -> None:
        open_version(self._page, self._mlflow, self._name, version)
        folded = self._page.locator('[role="button"][aria-expanded="false"]')
        if (description := folded.filter(has_text="Description")).is_visible():
            description.click()
        self._keep("mlflow-model-card")

    def _registered_model(self) -> None:
        self._page.goto(f"{self._mlflow}/#/models/{self._name}")
        self._page.get_by_text(f"@ {PRODUCTION}", exact=True).wait_for()
        self._keep("mlflow-aliases")

    def _alias_editor(self, version: int) -> None:
        open_version(self._page, self._mlflow, self._name, version)
        dialog = fill_alias(self._page, PRODUCTION)
        self._keep("mlflow-alias-editor")
        dialog.get_by_role("button", name="Cancel").click()

    def _keep(self, name: str) -> None:
        """Take a picture; MLflow's pages ask on and on, so there is no silence to wait for."""
        self._page.wait_for_timeout(DRAWING_MS)
        path = IMAGES / f"{name}.png"
        self._page.screenshot(path=path, animations="disabled")
        Image.open(path).convert("RGB").quantize(COLOURS).save(path, optimize=True)
        print(f"  {path.name}: {path.stat().st_size / 1000:.0f} kB")


def main() -> int:
    """Take the pictures; 0, or 1 after one sentence."""
    home = Settings().home_path
    demo = read_environment(home / "demo.env")
    try:
        if not demo or not httpx.get(f"{demo['SENTINEL_URL']}/readyz", trust_env=False).is_success:
            raise httpx.TransportError(f"no demo serves from {home}")
        # The login of MLflow, for its client and for the browser.
        os.environ |= demo
        with browsing(Path(tempfile.gettempdir()), height=HEIGHT) as page:
            Screens(page, demo["SENTINEL_URL"], demo["MLFLOW_TRACKING_URI"]).take()
    except httpx.HTTPError as error:
        print(f"Start the demo first, `make demo`: {error}.", file=sys.stderr)
        return 1
    except NoChromium as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
