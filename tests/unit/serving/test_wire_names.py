"""Every place that spells out a transaction's wire names has those of WIRE_NAMES."""

from __future__ import annotations

from dataclasses import fields

import pytest
from pydantic import BaseModel

from api.review.schemas import TransactionOut
from benchmarks.load.payloads import transactions
from benchmarks.systems import reference
from persistence.decisions.insert_sql import INPUT
from persistence.decisions.rows import TRANSACTION_COLUMNS, body_digest
from scoring.transaction import WIRE_NAMES, Transaction, from_wire
from sentinel.local.demo.samples import SAMPLES
from serving.schemas import TransactionIn
from tests.support.factories import a_transaction

IGNORED = {"newbalanceOrig", "newbalanceDest", "external_id"}


def test_each_attribute_but_the_callers_own_id_has_a_wire_name() -> None:
    assert [field.name for field in fields(Transaction)] == [*WIRE_NAMES, "external_id"]


@pytest.mark.parametrize("schema", [TransactionIn, TransactionOut, reference.TransactionIn])
def test_a_schema_has_the_wire_names(schema: type[BaseModel]) -> None:
    assert set(schema.model_fields) - IGNORED == set(WIRE_NAMES.values())


def test_a_request_a_row_and_the_wire_make_the_same_transaction() -> None:
    transaction = a_transaction(external_id="order-1")
    body = transaction.document() | {"external_id": "order-1"}
    assert TransactionIn.model_validate(body).to_domain() == transaction
    assert from_wire(body) == transaction


def test_the_columns_are_stored_under_the_attributes_names() -> None:
    assert set(TRANSACTION_COLUMNS) <= set(INPUT)


@pytest.mark.parametrize("body", [*transactions(3), *(sample.transaction for sample in SAMPLES)])
def test_a_body_of_the_benchmarks_or_the_demo_is_on_the_wire(body: dict[str, object]) -> None:
    assert from_wire(body).document() == body


def test_the_digest_of_a_stored_request_never_changes() -> None:
    transaction = a_transaction(
        step=212,
        type="TRANSFER",
        amount=181250.75,
        name_orig="C1305486145",
        oldbalance_org=181250.75,
        name_dest="C553264065",
        oldbalance_dest=0.0,
        external_id="order-1",
    )
    digest = "912ca9758702b75e62e900cba6a06cd13a5fa5000ffdbdfa0b9464f518260916"
    assert body_digest(transaction).hex() == digest
