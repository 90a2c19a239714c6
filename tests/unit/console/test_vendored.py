"""The libraries of the console are those that the lock file pins."""

from __future__ import annotations

import gzip
import hashlib
import json

from tools.vendor import COPIED, LOCKED, VENDOR

MAX_ASSETS_BYTES = 150 * 1024


def test_each_copy_has_the_hash_version_and_licence_that_are_noted() -> None:
    vendored = json.loads((VENDOR / "vendored.json").read_text())
    pinned = json.loads((LOCKED / "package-lock.json").read_text())["packages"]
    assert vendored.keys() == COPIED.keys()
    for name, about in vendored.items():
        content = (VENDOR / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == about["sha256"]
        package = pinned[f"node_modules/{about['package']}"]
        assert (package["version"], package["license"]) == (about["version"], about["licence"])
        assert (VENDOR / f"{name}.LICENSE").read_text().strip()


def test_what_a_browser_keeps_is_small() -> None:
    files = [path for path in VENDOR.parent.rglob("*") if path.suffix in {".js", ".css", ".svg"}]
    assert sum(path.stat().st_size for path in files) < MAX_ASSETS_BYTES
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < MAX_ASSETS_BYTES / 2
