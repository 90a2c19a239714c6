"""Requests a second of a tenant with rules and list entries, against one without, over HTTP."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from random import Random

from sqlalchemy import Engine

from benchmarks.history.report import figures
from benchmarks.load.clients import Endpoint, run_load
from benchmarks.load.cpu import Meter
from benchmarks.load.payloads import SENTINEL
from benchmarks.load.testbed import KEY_SECRET, Testbed
from benchmarks.models import prepare
from benchmarks.reporting.paired import paired_table
from persistence import api_keys, tenants
from persistence.actor import Actor
from persistence.engine import OPERATOR_TIMEOUT_S, open_database
from persistence.rules.entries import add_entries
from persistence.rules.lists import create_list
from persistence.rules.rules import RuleContent, create_rule
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant
from registry.client.proxies import reach_loopback_directly
from scoring.lists.entry_rows import NewEntry
from scoring.policy import Outcome
from sentinel.local.terminal import open_console, stop_on_signals

LOADS = {"1 client": 1, "64 clients": 64}
_ACTOR = Actor("bench")


def measure(count: int, entries: int, rounds: int, seconds: float, home: Path) -> None:
    """Put the same load on both tenants of one service in turn, and print the ratios.

    Args:
        count: number of live rules of the tenant that has some.
        entries: number of entries in its list.
        rounds: number of times that each load is measured.
        seconds: length of each measurement.
        home: directory of all files; kept between runs, except for the database.
    """
    console = open_console(soft_wrap=True)
    stop_on_signals()
    reach_loopback_directly()
    found: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    with ExitStack() as resources:
        testbed = Testbed(home.resolve(), resources)
        model = prepare("medium", testbed.home, testbed.tracking, testbed.mlflow.url, None)
        database, key = testbed.tenant("bench_rules", model.registered)
        engine = open_database(database, pool_size=1, statement_timeout_s=OPERATOR_TIMEOUT_S)
        resources.callback(engine.dispose)
        ruled = tenants.create_tenant(engine, "ruled", model.registered)
        _make_rules(engine, ruled, count)
        console.print(f"{count} rules; adding {entries:,} entries")
        _make_list(engine, ruled, entries)
        testbed.checkpoint()
        keys = {
            "without": key,
            "with": api_keys.issue_key(engine, ruled.id, ("score",), KEY_SECRET),
        }
        child, port = testbed.serve("rules", database)
        meter = Meter(child.identity[0], testbed.home)
        for number in range(1, rounds + 1):
            for name, clients in LOADS.items():
                for which in ("without", "with") if number % 2 else ("with", "without"):
                    headers = {"Authorization": f"Bearer {keys[which]}"}
                    endpoint = Endpoint("127.0.0.1", port, SENTINEL.score_path, headers)
                    bodies = SENTINEL.bodies(None)
                    load = run_load(endpoint, bodies, clients, seconds, meter.usage, seconds / 4)
                    found[name, which].append(figures(load, 1))
            console.print(f"round {number} of {rounds}")
    console.print(paired_table("without", "with", found))


def _make_rules(engine: Engine, tenant: Tenant, count: int) -> None:
    rng = Random(7)  # noqa: S311 - a fixed sample
    with tenant_transaction(engine, tenant.id, actor=_ACTOR) as connection:
        for number in range(count):
            condition = (
                f"amount > {rng.randint(1_000, 900_000)} and type == 'TRANSFER'"
                f" and score > {rng.random():.3f} and feature('amount_share') > {rng.random():.2f}"
            )
            action: Outcome = rng.choice(["review", "decline"])
            content = RuleContent(f"rule {number}", condition, action, "live", 100)
            create_rule(connection, tenant.id, content, _ACTOR)


def _make_list(engine: Engine, tenant: Tenant, entries: int) -> None:
    """Make a list that declines accounts, none of which pays."""
    with tenant_transaction(engine, tenant.id, actor=_ACTOR) as connection:
        create_list(
            connection,
            tenant.id,
            name="blocked",
            entity="account",
            action="decline",
            fields=None,
            actor=_ACTOR,
        )
        added = (NewEntry(f"B{number:010d}", "chargebacks") for number in range(entries))
        add_entries(connection, tenant.id, "blocked", added, _ACTOR)
