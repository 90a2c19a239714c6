"""Review queries use indexes and read few rows, whatever the size of the tables."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from persistence.actor import Actor
from persistence.decisions.insert_sql import REPLAY
from persistence.decisions.rows import Decided
from persistence.deployments.recording import record_promotions
from persistence.engine import open_database
from persistence.entities.profile import read_profile
from persistence.entities.surroundings import read_surroundings
from persistence.maintenance.partitions import Month, make_months
from persistence.review.queue import read_queue
from persistence.review.queue_changes import read_changes
from persistence.review.queue_filter import Order, QueueFilter
from persistence.review.search import Search, find_transactions
from persistence.review.worklist import (
    REVIEWS,
    Kind,
    Place,
    read_case,
    read_worklist,
)
from persistence.tenancy import SERVICE_ROLE, tenant_transaction
from persistence.tenants import create_tenant
from persistence.uuid7 import first_id_at
from scoring.prediction import ModelVersion
from tests.support.data.review import NOW, decide, ms, say, store
from tests.support.factories import a_model, decision_at
from tests.support.postgres.query_plans import plans, rows_read, scanned_whole, walk


@dataclass(frozen=True)
class Crowd:
    """Thousands of decisions of two tenants in three months, and statistics about them."""

    engine: Engine
    tenant_id: int
    stored: list[Decided]


@pytest.fixture(scope="module")
def crowd(make_database: Callable[..., str], migrated_template: str) -> Iterator[Crowd]:
    """A crowd that tests only look at."""
    url = make_database(template=migrated_template)
    owner, engine = open_database(url), open_database(url, role=SERVICE_ROLE)
    with owner.begin() as connection:
        make_months(connection, [Month.of(NOW).plus(-months) for months in (1, 2)])
    chance = random.Random(0)  # noqa: S311 - a test
    stored: list[Decided] = []
    for slug in ("mine", "other"):
        tenant = create_tenant(owner, slug, "fraud-demo")
        record_promotions(owner, [tenant.id], a_model(version=ModelVersion("fraud-demo", 1)))
        batch = [
            decision_at(
                decide(
                    tenant,
                    chance.random() ** 4,
                    external_id=f"order-{i}",
                    name_orig=f"C{chance.randrange(400)}",
                    name_dest=f"C{chance.randrange(400)}",
                ),
                NOW - timedelta(seconds=chance.randrange(60 * 86_400)),
            )
            for i in range(3000)
        ]
        for start in range(0, len(batch), 1000):
            store(owner, *batch[start : start + 1000])
        stored += batch
    for decision in stored[:20]:
        say(engine, decision, "confirmed_fraud")
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    yield Crowd(engine, stored[0].tenant_id, stored[:3000])
    engine.dispose()
    owner.dispose()


@pytest.mark.parametrize("undecided", [True, False])
@pytest.mark.parametrize("kinds", [REVIEWS[:1], [("approve", "low")], REVIEWS])
@pytest.mark.parametrize("after", [None, Place(0.5, UUID(int=2**127))])
def test_no_queue_page_counts_or_fetches_every_id(
    crowd: Crowd, undecided: bool, kinds: Sequence[Kind], after: Place | None
) -> None:
    nodes = plans(
        crowd.engine,
        lambda: read_worklist(
            crowd.engine, crowd.tenant_id, kinds, undecided=undecided, limit=50, after=after
        ),
    )
    assert not scanned_whole(nodes)
    # 51 of each kind, one more in each partition that waits to be merged, and the page's own 50.
    assert rows_read(nodes, "predictions") <= len(kinds) * (51 + 6) + 50
    assert rows_read(nodes, "transactions") <= 50


@pytest.mark.parametrize(
    "wanted",
    [
        QueueFilter(),
        QueueFilter("approve"),
        QueueFilter(amount_min=1.0),
        QueueFilter(entity="C7"),
        QueueFilter(rule_id=3),
        QueueFilter(assignee_id=1),
        QueueFilter(is_unassigned=True),
    ],
)
@pytest.mark.parametrize("order", ["risk", "oldest"])
def test_the_queue_looks_only_at_what_waits(
    crowd: Crowd, wanted: QueueFilter, order: Order
) -> None:
    nodes = plans(
        crowd.engine,
        lambda: read_queue(crowd.engine, crowd.tenant_id, wanted, band=None, order=order, limit=25),
    )
    assert not scanned_whole(nodes)
    waiting = sum(one.prediction.decision == wanted.outcome for one in crowd.stored)
    assert rows_read(nodes, "predictions") <= waiting + 3 * 26
    looks_up = wanted.amount_min is not None or wanted.entity is not None
    assert rows_read(nodes, "transactions") <= (waiting if looks_up else 0) + 26


def test_a_poll_of_the_queue_looks_only_at_what_waits(crowd: Crowd) -> None:
    shown = [one.transaction_id for one in crowd.stored[:25]]
    since = first_id_at(ms(NOW - timedelta(days=1)))
    nodes = plans(
        crowd.engine,
        lambda: read_changes(
            crowd.engine,
            crowd.tenant_id,
            QueueFilter(),
            band=None,
            since=since,
            limit=100,
            shown=shown,
        ),
    )
    assert not scanned_whole(nodes)
    newer = sum(one.prediction_id >= since for one in crowd.stored)
    assert rows_read(nodes, "predictions") <= newer


def test_the_transaction_page_reads_one_row_of_each_large_table(crowd: Crowd) -> None:
    asked = crowd.stored[7].transaction_id
    nodes = plans(crowd.engine, lambda: read_case(crowd.engine, crowd.tenant_id, asked))
    assert not scanned_whole(nodes)
    assert rows_read(nodes, "predictions") == rows_read(nodes, "transactions") == 1
    decided_in = {n["Relation Name"] for n in nodes if "predictions" in n.get("Relation Name", "")}
    assert len(decided_in) == 1, "a look-up by id reads its month alone"


def test_the_search_by_external_id_reads_two_rows_of_each_large_table(crowd: Crowd) -> None:
    search = Search(external_id="order-1234")
    nodes = plans(
        crowd.engine, lambda: find_transactions(crowd.engine, crowd.tenant_id, search, limit=50)
    )
    assert not scanned_whole(nodes)
    assert rows_read(nodes, "transactions") == 2
    assert rows_read(nodes, "predictions") == 2
    assert rows_read(nodes, "idempotency_keys") == 1


@pytest.mark.parametrize(
    "search", [Search(), Search(account="C7"), Search(from_ms=ms(NOW) - 86_400_000)]
)
def test_a_search_reads_about_as_many_rows_as_it_shows(crowd: Crowd, search: Search) -> None:
    nodes = plans(
        crowd.engine, lambda: find_transactions(crowd.engine, crowd.tenant_id, search, limit=20)
    )
    assert not scanned_whole(nodes)
    assert rows_read(nodes, "transactions") <= 2 * (21 + 6) + 20


def test_the_profile_of_an_entity_reads_its_own_events_alone(crowd: Crowd) -> None:
    key = crowd.stored[7].transaction.payer
    events = sum(key in (d.transaction.payer, d.transaction.payee) for d in crowd.stored)
    nodes = plans(
        crowd.engine,
        lambda: read_profile(
            crowd.engine, crowd.tenant_id, "account", str(key), reader=Actor("ana"), limit=20
        ),
    )
    assert not scanned_whole(nodes)
    # Its ids, the first one as payer and as payee, and each event once more with its decision.
    assert events <= rows_read(nodes, "transactions") <= 2 * events + 2 * 6
    assert rows_read(nodes, "predictions") == events


def test_what_stands_around_a_transaction_is_read_by_index(crowd: Crowd) -> None:
    decided = crowd.stored[7]
    nodes = plans(crowd.engine, lambda: read_surroundings(crowd.engine, crowd.tenant_id, decided))
    assert not scanned_whole(nodes)
    assert rows_read(nodes, "predictions") <= 100


def test_the_look_up_of_an_idempotency_key_reads_no_table_whole(crowd: Crowd) -> None:
    keys = [f"order-{i}" for i in range(0, 3000, 60)]
    with tenant_transaction(crowd.engine, crowd.tenant_id) as connection:
        rows = connection.exec_driver_sql(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {REPLAY}", ([crowd.tenant_id] * len(keys), keys)
        ).scalar_one()
    nodes = list(walk(rows[0]["Plan"]))
    assert not scanned_whole(nodes)
    assert rows_read(nodes, "predictions") == rows_read(nodes, "transactions") == len(keys)
