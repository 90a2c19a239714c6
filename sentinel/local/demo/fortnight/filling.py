"""Fill the demo's console with a fortnight: payments, late labels, and what people did about them.

Every payment is decided by the version in production through POST /score, at its own time
(`past.py`), and never changed afterwards. What people do, they do in the console today. No ring is
planted among the payments of a file of one's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy import Engine

from persistence.drift.bin_counts import Window
from persistence.hourly.holding import figures_held
from persistence.maintenance.maintenance import maintain
from persistence.people.users import list_users
from persistence.tenants import find_tenant
from registry.client.base import RegistryReader
from scoring.counted import counted
from scoring.event_type.fields import EventType
from sentinel.command_actor import command_actor
from sentinel.local.demo.fortnight import ring, workspace
from sentinel.local.demo.fortnight.console_person import ConsolePerson
from sentinel.local.demo.fortnight.past import Past
from sentinel.local.demo.fortnight.places import Place
from sentinel.local.demo.fortnight.scored import Names, Scored
from sentinel.local.demo.payments import DAYS, Payment
from sentinel.local.demo.people import PEOPLE
from sentinel.local.demo.promotion import COMMAND
from sentinel.local.demo.tenant import TENANT
from sentinel.local.terminal import console, step
from sentinel.operations.drift_monitor import monitor

_LABELS_AT_ONCE = 1000
_FIRST_LABEL_DAYS, _LABEL_SPAN_DAYS = 2, 8
"""A chargeback arrives two to nine days after its payment, by its place."""
_MATURED_DAYS = 4
_DRIFT_DAYS = 7


@dataclass(frozen=True, slots=True)
class FillContext:
    """What filling needs.

    Attributes:
        url: address of the service.
        client: client of the service, with the key of the tenant.
        engine: pool of two connections, of the owner of the tables.
        past: process that decides past payments.
        password: password of the demo's people.
        event_type: event type of the payments.
        now: end of the fortnight, UTC.
        registry: client of the demo's MLflow.
    """

    url: str
    client: httpx.Client
    engine: Engine
    past: Past
    password: str = field(repr=False)
    event_type: EventType
    now: datetime
    registry: RegistryReader


def fill(context: FillContext, payments: Sequence[Payment]) -> list[Place]:
    """Decide payments of a fortnight, report labels, let people work; return where to look.

    Args:
        context: what filling needs.
        payments: payments in the order of their times, at least one.

    Raises:
        DemoError: a payment is not decided, or the console does not take something.
        httpx.HTTPError: the service does not take the labels.
    """
    names = Names.of(context.event_type)
    with ExitStack() as stack:
        ana, sam, dana = (
            stack.enter_context(ConsolePerson(context.url, email, context.password))
            for email, *_ in PEOPLE
        )
        days = round((context.now - payments[0].at) / timedelta(days=1))
        span = "day" if days <= 1 else f"{days} days"
        what = f"Deciding {counted(len(payments), 'payment')} of the last {span}"
        with step(what) as detail:
            rule = workspace.make_rules(dana, names, [one.body for one in payments])
            scored = _decide(context, payments, detail)
        labels = _report_chargebacks(context.client, scored, context.now)
        settled, waiting = workspace.settle((ana, sam), scored, context.now)
        console.print(
            f"{counted(len(scored), 'payment')} scored; {waiting:,} wait for an analyst, "
            f"{settled:,} have a verdict, and {counted(labels, 'chargeback')} arrived later."
        )
        places = [
            Place("Overview", "/console/overview?range=30d", "the fortnight by day and by hour"),
            Place("Queue", "/console/queue", "payments that wait"),
        ]
        blocked = _blocked(scored, names)
        if blocked is not None:
            workspace.make_list(dana, names)
            address = workspace.block(sam, names, blocked)
            is_ring = any(one.payment.is_planted for one in scored)
            name, what = ("Ring", "of accounts; follow the graph") if is_ring else ("Blocked", "")
            places.append(Place(name, address, what or "received most of the frauds"))
        places += _next_of_ring(context, scored)
        places.append(_open_cases(context, ana, sam, scored, names, blocked))
    _measure_drift(context)
    places.append(Place("Rule", rule, "in shadow, and what it would have done"))
    matured = f"maturity_days={_MATURED_DAYS}&window_days={DAYS}"
    places.append(
        Place("Threshold", f"/console/threshold?{matured}", "what other thresholds would have cost")
    )
    return places


def _decide(
    context: FillContext, payments: Sequence[Payment], report: Callable[[str], None]
) -> list[Scored]:
    tenant = find_tenant(context.engine, TENANT)
    first = payments[0].at.replace(minute=0, second=0, microsecond=0)
    # The fortnight may begin in a month before the first that has partitions.
    maintain(context.engine, first, keep_events=True)
    scored = []
    with figures_held(context.engine, tenant.id, first, command_actor(COMMAND)):
        for number, payment in enumerate(payments):
            reply = context.past.score(payment.body, payment.at)
            decided = reply["transaction_id"], reply["score"], reply["decision"]
            scored.append(Scored(payment, *decided))
            if number % 100 == 0:
                report(f"{number:,} of {len(payments):,}")
    return scored


def _report_chargebacks(client: httpx.Client, scored: Sequence[Scored], now: datetime) -> int:
    """Report frauds whose chargeback has arrived by now; return how many."""
    labels = []
    for place, one in enumerate(one for one in scored if one.payment.is_fraud):
        days = _FIRST_LABEL_DAYS + place * 5 % _LABEL_SPAN_DAYS
        known_at = one.payment.at + timedelta(days=days, hours=place * 7 % 24)
        if known_at < now:
            about = {"transaction_id": one.transaction_id, "occurred_at": known_at.isoformat()}
            labels.append({**about, "label": "fraud", "source": "chargeback"})
    for start in range(0, len(labels), _LABELS_AT_ONCE):
        body = {"labels": labels[start : start + _LABELS_AT_ONCE]}
        client.post("/labels", json=body).raise_for_status()
    return len(labels)


def _measure_drift(context: FillContext) -> None:
    """Measure the drift of the last week, as `sentinel monitor` does every hour."""
    owner = find_tenant(context.engine, TENANT)
    until = datetime.now(UTC)
    window = Window(until - timedelta(days=_DRIFT_DAYS), until)
    for _ in monitor(context.engine, context.registry, [owner], window):
        pass


def _blocked(scored: Sequence[Scored], names: Names) -> str | None:
    """Return the entity that is blocked: the ring's, else the one that received most frauds."""
    if any(one.payment.is_planted for one in scored):
        return ring.MULES[0]
    return names.commonest([one.payment.body for one in scored if one.payment.is_fraud])


def _next_of_ring(context: FillContext, scored: Sequence[Scored]) -> list[Place]:
    """Score the ring's next payment, which the list declines; nothing without a ring."""
    if not any(one.payment.is_planted for one in scored):
        console.print(
            "These are the payments of your file: no ring is planted, and none is made up for the "
            "list to decline."
        )
        return []
    body = ring.next_payment(datetime.now(UTC))
    reply = context.client.post("/score", json=body).raise_for_status().json()
    page = f"/console/transactions/{reply['transaction_id']}"
    return [Place("Declined", page, "the ring's next payment, by the list of blocked accounts")]


def _open_cases(
    context: FillContext,
    ana: ConsolePerson,
    sam: ConsolePerson,
    scored: Sequence[Scored],
    names: Names,
    blocked: str | None,
) -> Place:
    """Open an overdue case and one that is due in days."""
    tenant = find_tenant(context.engine, TENANT)
    ids = {user.email: user.id for user in list_users(context.engine, tenant.id)}
    analyst, senior = (ids[email] for email, *_ in PEOPLE[:2])
    risky = sorted(scored, key=lambda one: -one.score)
    planted = [one for one in scored if one.payment.is_planted]
    kind = names.kind or ""
    if planted:
        title, first = "Accounts emptied into two others", planted
        entities = [(kind, key) for key in (*ring.MULES, ring.COLLECTOR)]
        note = "Nine accounts were emptied into two that pay out to one. Some paid both."
    else:
        title, first = "The riskiest payments of the last days", risky[:5]
        entities = [(kind, blocked)] if blocked else []
        note = "The highest scores so far. What they have in common is still open."
    case = workspace.open_case(
        ana,
        first,
        title=title,
        priority="high",
        assignee=senior,
        due=context.now - timedelta(days=2),
        note=note,
        entities=entities,
    )
    sam.submit(f"{case}/notes", note="Asked the bank that receives; no reply yet.")
    others = [one for one in risky if not one.payment.is_planted]
    recent = [one for one in others if one.payment.at > context.now - timedelta(days=3)]
    workspace.open_case(
        sam,
        (recent or others)[:3],
        title="High scores of the last three days",
        priority="normal",
        assignee=analyst,
        due=context.now + timedelta(days=3),
        note="Call the customers before anything is blocked.",
    )
    return Place("Cases", "/console/cases", "two open ones, one of them overdue")
