"""The console's texts by language: one file each under `strings/`, with the same keys."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "strings"
DEFAULT = "en"
LANGUAGES = ("en", "de")


@cache
def texts(language: str) -> Mapping[str, str]:
    """Return the texts of a language by dotted key, such as `queue.title`."""
    document = yaml.safe_load((FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))
    return dict(_flat(document, ""))


def translate(language: str, key: str, /, **values: object) -> str:
    """Return a text in a language, with its values filled in.

    With a `count`, the text under `KEY.one` is for 1 and the one under `KEY.other` for the rest.

    Raises:
        KeyError: no text has the key.
    """
    known = texts(language)
    if "count" in values and key not in known:
        key = f"{key}.{'one' if values['count'] == 1 else 'other'}"
    return known[key].format(**values) if values else known[key]


def preferred(accept_language: str | None) -> str:
    """Return the language of LANGUAGES that a browser's Accept-Language puts first.

    RFC 9110, section 12.5.4; languages of equal weight keep their order.
    """
    weighted = []
    for part in (accept_language or "").split(","):
        name, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        weighted.append((weight, name.split("-")[0].lower()))
    for _, name in sorted(weighted, key=lambda one: -one[0]):
        if name in LANGUAGES:
            return name
    return DEFAULT


def _flat(document: Mapping[str, Any], before: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in document.items():
        key = f"{before}{name}"
        found += _flat(value, f"{key}.") if isinstance(value, dict) else [(key, str(value))]
    return found
