"""Copy the console's libraries from their npm packages into console/static/vendor.

    python -m tools.vendor

npm fetches what requirements/npm-console/package-lock.json pins by hash, without running scripts.
`vendored.json` beside the copies has each one's package, version, licence and SHA-256; a test
compares them. It needs Node.js and the network, and is run only when a version changes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKED = ROOT / "requirements" / "npm-console"
VENDOR = ROOT / "console" / "static" / "vendor"
COPIED = {"htmx.min.js": ("htmx.org", "dist/htmx.min.js", "LICENSE")}
"""Package, file and licence file by the name of the copy."""


def main() -> None:
    """Fetch the packages, copy their files and write `vendored.json`."""
    vendored = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(LOCKED / name, Path(folder, name))
        subprocess.run(["npm", "ci", "--ignore-scripts", "--silent"], cwd=folder, check=True)  # noqa: S607 - the machine's own npm
        for name, (package, file, licence) in COPIED.items():
            source = Path(folder, "node_modules", package)
            about = json.loads((source / "package.json").read_text())
            content = (source / file).read_bytes()
            (VENDOR / name).write_bytes(content)
            shutil.copyfile(source / licence, VENDOR / f"{name}.LICENSE")
            vendored[name] = {
                "package": package,
                "version": about["version"],
                "licence": about["license"],
                "sha256": hashlib.sha256(content).hexdigest(),
            }
    (VENDOR / "vendored.json").write_text(json.dumps(vendored, indent=2) + "\n")


if __name__ == "__main__":
    main()
