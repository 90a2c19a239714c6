"""Write docs/licences.md: the licence of every Python package of the lock files.

    python -m tools.licences

It reads the metadata of installed packages, so it runs in an environment of `dev.lock`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parent.parent
PAGE = PROJECT / "docs" / "licences.md"
LOCKS = ("serving", "dev")
UNKNOWN = "unknown"
KNOWN = {"huey": "MIT", "skops": "MIT"}
"""Licence of packages whose metadata has none; from the file LICENSE in the package."""
REFUSED = re.compile(
    r"(?<!L)\bA?GPL|(?<!LESSER )GENERAL PUBLIC|AFFERO|SSPL|SERVER SIDE|EUPL|BUSL|BUSINESS SOURCE"
    r"|COMMONS CLAUSE|CC-BY-NC|NON-?COMMERCIAL|PROPRIETARY|UNKNOWN",
    re.IGNORECASE,
)
"""Licences that would reach the product's own code, restrict its use, or are not known."""
WEAK = re.compile(r"LGPL|LESSER GENERAL|MPL|MOZILLA|EPL|CDDL", re.IGNORECASE)
"""Licences of copyleft for the package's own files; used unchanged, they ask nothing of ours."""
_PIN = re.compile(r"^([A-Za-z0-9_.-]+)==", re.MULTILINE)
_HEAD = """# Licences

The licence of each Python package of the lock files, as its metadata names it.
`python -m tools.licences` writes this page; `tests/unit/tools/test_licences.py` fails while it is
not current, and at a licence that would reach Sentinel's own code (GPL, AGPL), restrict its use, or
is not known. "Serving" marks what the image holds; the rest trains, tests or builds. What the
console's pages load is in `console/static/vendor`, each with its licence.

Copyleft for the package's own files (LGPL, MPL) is in {weak}.
Sentinel installs them unchanged, from the registry.

| package | licence | serving |
|---|---|---|
"""


class Licence(NamedTuple):
    """A package and its licence.

    Attributes:
        package: name of the package, as the lock files write it.
        name: expression or name of the licence.
        serves: whether the image has the package.
    """

    package: str
    name: str
    serves: bool


def licences() -> list[Licence]:
    """Return the licences of the packages of the lock files that are installed here, by name.

    A package that the lock has for another platform is not installed and is left out.
    """
    serving, everything = (set(_pinned(lock)) for lock in LOCKS)
    found = []
    for package in sorted(serving | everything):
        try:
            described = metadata.metadata(package)
        except metadata.PackageNotFoundError:
            continue
        found.append(Licence(package, _licence(package, described), package in serving))
    return found


def page(found: Iterable[Licence]) -> str:
    """Return the page."""
    rows = list(found)
    weak = ", ".join(f"`{one.package}`" for one in rows if WEAK.search(one.name))
    lines = [f"| {one.package} | {one.name} | {'yes' if one.serves else ''} |" for one in rows]
    return _HEAD.format(weak=weak) + "\n".join(lines) + "\n"


def _pinned(lock: str) -> list[str]:
    return _PIN.findall((PROJECT / "requirements" / f"{lock}.lock").read_text())


def _licence(package: str, described: metadata.PackageMetadata) -> str:
    """Return the licence of a package: its expression, else its classifiers, else a line."""
    fields = described.json
    expression = str(fields.get("license_expression", ""))
    classifiers = [
        str(one).rpartition(" :: ")[2]
        for one in fields.get("classifier", [])
        if str(one).startswith("License :: ") and not str(one).endswith("OSI Approved")
    ]
    line = str(fields.get("license", "")).strip().partition("\n")[0][:80]
    found = expression or "; ".join(sorted(classifiers)) or line or KNOWN.get(package, UNKNOWN)
    return found.replace("|", "/")


if __name__ == "__main__":
    PAGE.write_text(page(licences()))
    print(f"wrote {PAGE.relative_to(PROJECT)}")
