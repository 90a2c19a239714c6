"""What the demo's people do in its console: rules, a list, verdicts and cases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from sentinel.local.demo.errors import DemoError
from sentinel.local.demo.fortnight.console_person import ConsolePerson
from sentinel.local.demo.fortnight.scored import Names, Scored

BLOCKED = "known_fraud"
"""Name of the list of blocked entities."""
_MOST_AT_ONCE = 200
_MOST_IN_CASE = 100
_SETTLED_AFTER = timedelta(days=3)
_LEFT = 8
"""Of this many older reviews one is left waiting."""


def make_rules(admin: ConsolePerson, names: Names, bodies: Sequence[dict[str, Any]]) -> str:
    """Put a rule into force and another one in shadow; return the address of the latter.

    Args:
        admin: administrator who makes them.
        names: names of the event type; without an amount there is only the one in shadow.
        bodies: payments from whose amounts the limits are taken.
    """
    name, condition = "Decline what is very risky", "score > 0.5"
    large, largest = names.amount_at(bodies, 0.9), names.amount_at(bodies, 0.995)
    if large is not None and largest is not None:
        amount = f"field({names.amount!r})"
        first = "A person looks at the largest payments"
        live = _make_rule(admin, first, f"{amount} > {largest:g}", "review")
        _switch(admin, live, "live", "Agreed with the fraud team: few payments, much money.")
        name, condition = "Decline what is large and risky", f"{amount} > {large:g} and score > 0.1"
    shadow = _make_rule(admin, name, condition, "decline")
    reason = "Two weeks in shadow first: declining honest customers costs more than a review."
    _switch(admin, shadow, "shadow", reason)
    return shadow


def _make_rule(admin: ConsolePerson, name: str, condition: str, action: str) -> str:
    """Make a rule that is off; return its address."""
    rule = {"name": name, "condition": condition, "action": action}
    tried = admin.field_of("/console/rules/try", "tried", **rule)
    made = admin.submit("/console/rules/new", **rule, tried=tried, state="off")
    return made.partition("?")[0]


def _switch(admin: ConsolePerson, rule: str, state: str, reason: str) -> None:
    version = admin.value_on(rule, "version")
    admin.submit(f"{rule}/state", state=state, version=version, reason=reason)


def make_list(admin: ConsolePerson, names: Names) -> None:
    """Make the list of blocked entities, of the kind that receives."""
    admin.submit("/console/lists", name=BLOCKED, entity=names.kind or "", action="decline")


def block(analyst: ConsolePerson, names: Names, value: str) -> str:
    """Put an entity into the list of blocked ones; return the address of its page."""
    address = f"/console/entities/{quote(names.kind or '', safe='')}/{quote(value, safe='')}"
    reason = "Receives from accounts that are emptied, and pays all of it on."
    analyst.submit(address, change="add", list=BLOCKED, reason=reason, days="90")
    return address


def settle(
    analysts: Sequence[ConsolePerson], scored: Sequence[Scored], now: datetime
) -> tuple[int, int]:
    """Give verdicts on most of the older reviews; return how many, and how many wait.

    Args:
        analysts: people who share the work.
        scored: payments with their decisions.
        now: end of the fortnight.
    """
    reviews = [one for one in scored if one.outcome == "review"]
    older = [one for one in reviews if one.payment.at < now - _SETTLED_AFTER]
    settled = [one for place, one in enumerate(older) if place % _LEFT]
    for number, analyst in enumerate(analysts):
        mine = settled[number :: len(analysts)]
        frauds = [one for one in mine if one.payment.is_fraud]
        honest = [one for one in mine if not one.payment.is_fraud]
        _decide(analyst, frauds, "confirmed_fraud", "The customer denies the payment.")
        _decide(analyst, honest, "false_positive", "The customer made the payment, by phone.")
    return len(settled), len(reviews) - len(settled)


def _decide(analyst: ConsolePerson, chosen: Sequence[Scored], label: str, reason: str) -> None:
    for start in range(0, len(chosen), _MOST_AT_ONCE):
        items = [f"{one.transaction_id}." for one in chosen[start : start + _MOST_AT_ONCE]]
        analyst.submit("/console/verdicts", label=label, rationale=reason, item=items)


def open_case(
    person: ConsolePerson,
    scored: Sequence[Scored],
    *,
    title: str,
    priority: str,
    assignee: int,
    due: datetime,
    note: str,
    entities: Sequence[tuple[str, str]] = (),
) -> str:
    """Open a case with payments, entities and notes; return its address.

    Args:
        person: person who opens it.
        scored: payments that it is about.
        title: title.
        priority: high, normal or low.
        assignee: account of the person who works on it.
        due: time on the day by which it is due.
        note: first note.
        entities: kind and key of entities.
    """
    if not scored:
        raise DemoError("The fortnight has no payment for a case.")
    case = person.submit(
        "/console/cases/new",
        title=title,
        priority=priority,
        assignee=str(assignee),
        due_on=due.date().isoformat(),
        note=note,
        transaction=[one.transaction_id for one in scored[:_MOST_IN_CASE]],
    )
    for kind, key in entities:
        person.submit(f"{case}/entities", entity=kind, key=key)
    return case
