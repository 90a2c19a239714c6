"""The pages of the navigation, in its order."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A page of the navigation.

    Attributes:
        name: key of its text under `navigation`, and the name that its template sets as `current`.
        path: address.
        scope: scope that a role needs to see it.
    """

    name: str
    path: str
    scope: str


NAVIGATION = (
    Entry("overview", "/console/overview", "review"),
    Entry("queue", "/console/queue", "review"),
    Entry("search", "/console/search", "review"),
    Entry("cases", "/console/cases", "review"),
    Entry("lists", "/console/lists", "review"),
    Entry("rules", "/console/rules", "review"),
    Entry("threshold", "/console/threshold", "review"),
    Entry("models", "/console/models", "review"),
    Entry("drift", "/console/drift", "review"),
    Entry("upload", "/console/uploads", "review"),
    Entry("audit", "/console/audit", "admin"),
    Entry("settings", "/console/settings", "review"),
)
