"""Events of a tenant's own event type in the worklist, a search, an export and one by one."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from persistence.decisions.rows import Decided, read_decision
from persistence.decisions.writer import DecisionLog
from tests.support.data.own_events import CardTenant, put_in_force
from tests.support.event_types import an_event_type
from tests.support.factories import a_decision, decision_at
from tests.support.fixture_types import MakeTenant, Rows
from tests.support.management_api import Request, connected

CARDS = an_event_type(
    NOTE={"kind": "text", "optional": True}, ITEMS={"kind": "integer", "optional": True}
)
ODD = {"NOTE": '=cmd "€", \n', "ITEMS": -3, "TX_AMOUNT": 0.1 + 0.2, "CUSTOMER_ID": "A/B?&"}


@pytest.fixture
def cards(engine: Engine) -> CardTenant:
    return CardTenant(engine, CARDS)


@pytest.fixture
def stored(service_engine: Engine, cards: CardTenant) -> dict[str, Decided]:
    """Stored decisions by name: of 10, of 20, and with odd values."""
    decided = {
        "ten": cards.decided(TX_AMOUNT=10.0, CUSTOMER_ID="C1", external_id="order-1"),
        "twenty": cards.decided(TX_AMOUNT=20.0, CUSTOMER_ID="C2", TERMINAL_ID="C1"),
        "odd": cards.decided(**ODD),
    }
    # Within one millisecond the order of ids is random, so each gets a second of its own.
    seconds_ago = range(len(decided), 0, -1)
    decided = {
        name: decision_at(made, datetime.now(UTC) - timedelta(seconds=ago))
        for (name, made), ago in zip(decided.items(), seconds_ago, strict=True)
    }
    batch = list(decided.values())
    assert DecisionLog(service_engine).write(batch) == batch
    return decided


@pytest.fixture
def request_(service_engine: Engine) -> Iterator[Request]:
    with connected(service_engine) as request:
        yield request


def test_a_decision_is_read_back_as_it_was_stored(
    service_engine: Engine, cards: CardTenant, stored: dict[str, Decided]
) -> None:
    for decided in stored.values():
        read = read_decision(service_engine, cards.id, decided.prediction_id)
        assert read.transaction == decided.transaction
        assert read.prediction.described.names == decided.prediction.described.names
        assert repr(read.prediction.features) == repr(decided.prediction.features)
        assert read.prediction.contributions == decided.prediction.contributions


def test_paysims_columns_are_empty_but_for_amount_payer_and_payee(
    cards: CardTenant, stored: dict[str, Decided], rows: Rows
) -> None:
    (row,) = rows("SELECT * FROM transactions WHERE id = :id", id=stored["ten"].transaction_id)
    assert (row["amount"], row["name_orig"], row["name_dest"]) == (10.0, "C1", "T3156")
    paysim = ("step", "type", "oldbalance_org", "oldbalance_dest")
    assert [row[name] for name in paysim] == [None] * 4
    assert row["event_type_id"] == cards.stored.id


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("external_id=order-1", ["ten"]),
        ("account=C1", ["twenty", "ten"]),
        ("account=C2", ["twenty"]),
        ("account=A/B%3F%26", ["odd"]),
        ("account=C1&amount_min=15", ["twenty"]),
        ("account=C1&amount_max=15", ["ten"]),
        ("account=T3156&amount_max=1", ["odd"]),
    ],
)
def test_a_search_finds_them_by_amount_payer_and_payee(
    request_: Request,
    cards: CardTenant,
    stored: dict[str, Decided],
    query: str,
    expected: list[str],
) -> None:
    found = request_(cards.id, "GET", f"/transactions?{query}").json()
    ids = {str(decided.transaction_id): name for name, decided in stored.items()}
    assert [ids[entry["transaction_id"]] for entry in found["items"]] == expected


def test_a_single_one_shows_its_fields_and_features(
    request_: Request, cards: CardTenant, stored: dict[str, Decided]
) -> None:
    found = request_(cards.id, "GET", f"/transactions/{stored['odd'].transaction_id}").json()
    document = stored["odd"].transaction.document()
    assert found["transaction"] == document | {"external_id": None}
    assert found["prediction"]["features"][0]["name"] == "amount"


def test_the_worklist_has_them(
    request_: Request, cards: CardTenant, stored: dict[str, Decided]
) -> None:
    found = request_(cards.id, "GET", "/queue").json()
    risky = {
        str(one.transaction_id) for one in stored.values() if one.prediction.decision == "review"
    }
    assert risky
    assert {entry["transaction_id"] for entry in found["items"]} == risky


def test_an_export_has_a_column_for_each_field(
    request_: Request, cards: CardTenant, stored: dict[str, Decided]
) -> None:
    reply = request_(cards.id, "GET", "/transactions.csv")
    lines = list(csv.DictReader(io.StringIO(reply.text, newline="")))
    by_id = {line["transaction_id"]: line for line in lines}
    odd = by_id[str(stored["odd"].transaction_id)]
    assert odd["NOTE"] == f"'{ODD['NOTE']}"
    assert (float(odd["TX_AMOUNT"]), odd["ITEMS"]) == (0.1 + 0.2, "-3")
    assert odd["TX_DATETIME"] == "2026-03-31T12:00:00Z"
    assert by_id[str(stored["ten"].transaction_id)]["NOTE"] == ""


def test_events_of_an_earlier_version_and_of_paysim_stay_readable(
    request_: Request, service_engine: Engine, cards: CardTenant, stored: dict[str, Decided]
) -> None:
    put_in_force(
        service_engine,
        cards.tenant,
        an_event_type(MEMO={"kind": "text", "optional": True}),
        replace=True,
    )
    path = f"/transactions/{stored['odd'].transaction_id}"
    assert request_(cards.id, "GET", path).json()["transaction"]["NOTE"] == ODD["NOTE"]
    reply = request_(cards.id, "GET", "/transactions.csv")
    lines = list(csv.DictReader(io.StringIO(reply.text, newline="")))
    assert len(lines) == 3
    assert {line["MEMO"] for line in lines} == {""}
    assert "NOTE" not in lines[0]


def test_a_tenant_that_sent_paysims_before_has_both(
    request_: Request, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    before = a_decision(tenant.id, amount=7.0)
    DecisionLog(service_engine).write([before])
    put_in_force(service_engine, tenant, CARDS)
    found = request_(tenant.id, "GET", f"/transactions/{before.transaction_id}").json()
    assert found["transaction"]["amount"] == 7.0
    (line,) = csv.DictReader(
        io.StringIO(request_(tenant.id, "GET", "/transactions.csv").text, newline="")
    )
    assert line["transaction_id"] == str(before.transaction_id)
