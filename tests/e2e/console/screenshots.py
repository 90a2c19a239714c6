"""`make screenshots`: every page of the console, light, dark and on a phone, in a running demo.

SENTINEL_HOME names the demo's folder, as it does for the demo. Nothing is changed there.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Literal, NamedTuple

import httpx
from PIL import Image
from playwright.sync_api import Page

from sentinel.local.demo.people import PEOPLE
from sentinel.local.demo.state import read_environment
from sentinel.local.demo.tenant import TENANT
from sentinel.settings import Settings
from tests.support.browser.chromium import browsing
from tests.support.console.pages import pages
from tests.support.paths import PROJECT
from tools.chromium import NoChromium

IMAGES = PROJECT / "docs" / "images" / "console"
COLOURS = 128  # of a picture's palette: half of the bytes, and no difference to be seen
MOST_PIXELS = 1800  # of a picture's height


class View(NamedTuple):
    """How a page is looked at.

    Attributes:
        name: end of the picture's name.
        width: of the window, CSS pixels.
        scheme: colours.
    """

    name: str
    width: int
    scheme: Literal["light", "dark"]


VIEWS = (View("light", 1280, "light"), View("dark", 1280, "dark"), View("phone", 360, "light"))


def main() -> int:
    """Take every picture; return 0, or 1 after one sentence on stderr."""
    settings = read_environment(Settings().home_path / "demo.env")
    if not settings:
        print("There is no demo here: start one with `make demo`.", file=sys.stderr)
        return 1
    url, password = settings["SENTINEL_URL"], settings["SENTINEL_DEMO_PASSWORD"]
    IMAGES.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory() as failures, browsing(Path(failures)) as page:
            _sign_in(page, url, password)
            for name, address in _addresses(url, password).items():
                for view in VIEWS:
                    _take(page, f"{url}{address}", f"{name}-{view.name}", view)
    except (NoChromium, httpx.HTTPError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _sign_in(page: Page, url: str, password: str) -> None:
    page.goto(f"{url}/console/sign-in?organisation={TENANT}")
    page.get_by_label("E-mail").fill(PEOPLE[-1][0])
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{url}/console/**")


def _addresses(url: str, password: str) -> dict[str, str]:
    form = {"organisation": TENANT, "email": PEOPLE[-1][0], "password": password}
    with httpx.Client(base_url=url, follow_redirects=True, trust_env=False) as client:
        client.post("/console/sign-in", data=form).raise_for_status()
        found = pages(lambda path: client.get(path).raise_for_status().text)
    # The demo's decisions are a fortnight old at most: by default nothing has matured.
    return found | {"threshold": "/console/threshold?maturity_days=4&window_days=14"}


def _take(page: Page, address: str, name: str, view: View) -> None:
    page.set_viewport_size({"width": view.width, "height": 800})
    page.emulate_media(color_scheme=view.scheme)
    page.goto(address, wait_until="networkidle")
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path, full_page=True)
    with Image.open(path) as picture:
        shown = picture.crop((0, 0, picture.width, min(picture.height, MOST_PIXELS)))
        shown.convert("RGB").quantize(COLOURS).save(path, optimize=True)
    print(path.relative_to(PROJECT))


if __name__ == "__main__":
    sys.exit(main())
