"""The page of a transaction as tests read it."""

from __future__ import annotations

import re
from uuid import UUID

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from tests.support.console.site import Site


def page_of(site: Site, decided: Decided | UUID, who: str = "analyst") -> str:
    transaction_id = decided if isinstance(decided, UUID) else decided.transaction_id
    reply = site.person(who).get(f"/console/transactions/{transaction_id}")  # type: ignore[arg-type]
    assert reply.status_code == 200
    return reply.text


def part(page: str, start: str, end: str = "</section>") -> str:
    """The part of a page from a heading on."""
    return page.split(start, 1)[1].split(end, 1)[0]


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def store(site: Site, *decisions: Decided) -> None:
    assert DecisionLog(site.engine).write(decisions) == list(decisions)
