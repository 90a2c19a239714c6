"""Every page of the console, with one of each thing that has a page of its own."""

from __future__ import annotations

import re
from collections.abc import Callable

ALWAYS = {
    "overview": "/console/overview",
    "queue": "/console/queue",
    "search": "/console/search",
    "cases": "/console/cases",
    "case-new": "/console/cases/new",
    "lists": "/console/lists",
    "rules": "/console/rules",
    "rule-new": "/console/rules/new",
    "threshold": "/console/threshold",
    "models": "/console/models",
    "drift": "/console/drift",
    "uploads": "/console/uploads",
    "audit": "/console/audit",
    "settings": "/console/settings",
}
"""Address by name of the pages that are always there."""
_OF_ONE = {
    "transaction": ("queue", r'href="(/console/transactions/[0-9a-f-]{36})"'),
    "entity": ("transaction", r'href="(/console/entities/[^"?#]+)"'),
    "case": ("cases", r'href="(/console/cases/[0-9]+)"'),
    "list": ("lists", r'href="(/console/lists/[^"?#/]+)"'),
    "rule": ("rules", r'href="(/console/rules/[0-9]+)"'),
    "upload": ("uploads", r'href="(/console/uploads/[0-9]+)"'),
    "model": ("models", r'href="(/console/models/[^"?#/]+)"'),
}
"""By name of a page of one thing: the page with a link to it, and the form of the link."""


def pages(read: Callable[[str], str]) -> dict[str, str]:
    """Return the address of each page by name; those of one thing only where there is one.

    Args:
        read: function that returns the HTML of an address.
    """
    found = dict(ALWAYS)
    for name, (source, link) in _OF_ONE.items():
        if source in found and (match := re.search(link, read(found[source]))):
            found[name] = match[1]
    return found
