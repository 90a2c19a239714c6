"""Where the demo tells people to look, kept between runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sentinel.home import write_private

_PLACES = "demo.places.json"


@dataclass(frozen=True, slots=True)
class Place:
    """A page of the console.

    Attributes:
        name: word for it.
        path: its address, without the service's.
        what: phrase on what is there.
    """

    name: str
    path: str
    what: str


ALWAYS = (
    Place("Overview", "/console/overview?range=30d", "what needs attention"),
    Place("Queue", "/console/queue", "payments that wait"),
)
"""Pages of a demo that has filled none."""


def begin(home: Path) -> None:
    """Note in the demo's home that a fortnight is being filled in, until `keep` says where."""
    write_private(home / _PLACES, "null\n")


def is_partial(home: Path) -> bool:
    """Return whether filling began in an earlier run and did not end."""
    try:
        return json.loads((home / _PLACES).read_text()) is None
    except (FileNotFoundError, ValueError):
        return False


def keep(home: Path, places: Sequence[Place]) -> None:
    """Write the places into the demo's home."""
    write_private(home / _PLACES, json.dumps([asdict(place) for place in places]) + "\n")


def kept(home: Path) -> Sequence[Place]:
    """Return the places of the demo's home; those that are always there, where it has none."""
    try:
        return [Place(**one) for one in json.loads((home / _PLACES).read_text())]
    except (FileNotFoundError, ValueError, TypeError):
        return ALWAYS
