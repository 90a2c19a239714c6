"""PaySim as an event type has the limits of the PaySim transaction."""

from __future__ import annotations

import pytest

from scoring.errors import InvalidRequest
from scoring.event_type.checks import check_event_type
from scoring.event_type.document import from_document, to_document
from scoring.event_type.validation import EventValidator
from scoring.transaction import (
    MAX_AMOUNT,
    MAX_BALANCE,
    MAX_STEP,
    PAYSIM,
    TRANSACTION_TYPES,
    WIRE_NAMES,
    from_wire,
)
from serving.schemas import TransactionIn
from tests.support.factories import a_transaction

VALIDATOR = EventValidator(PAYSIM)


def test_it_is_a_valid_event_type() -> None:
    check_event_type(PAYSIM)
    assert from_document(to_document(PAYSIM)) == PAYSIM


def test_it_has_the_fields_of_the_contract_in_their_order() -> None:
    assert [f.name for f in PAYSIM.fields if not f.ignored] == list(WIRE_NAMES.values())
    assert {f.name for f in PAYSIM.fields} | {"external_id"} == set(TransactionIn.model_fields)
    assert PAYSIM.fields[1].values == TRANSACTION_TYPES, "the order of the codes"


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"step": MAX_STEP, "amount": MAX_AMOUNT, "name_orig": "!" * 64},
        {"step": 0, "amount": 0.0, "oldbalance_org": -MAX_BALANCE, "oldbalance_dest": MAX_BALANCE},
        {"type": "DEBIT"},
    ],
)
def test_a_valid_transaction_is_a_valid_event_with_the_same_values(
    changed: dict[str, object],
) -> None:
    transaction = a_transaction(**changed)
    event = VALIDATOR.validate(transaction.document(), now_us=0)
    assert from_wire(event.values) == transaction
    assert event.time_us is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("step", value) for value in (-1, MAX_STEP + 1, 2**40, 1.0)],
        *[("type", value) for value in ("transfer", "", "WIRE", "TRANSFER ")],
        *[("amount", value) for value in (-0.01, MAX_AMOUNT * 1.01, float("nan"), float("inf"))],
        *[("oldbalanceOrg", value) for value in (float("nan"), MAX_BALANCE * 1.01, "1")],
        *[("oldbalanceDest", value) for value in (-MAX_BALANCE * 1.01, float("-inf"), True)],
        *[("nameOrig", value) for value in ("", "C" * 129, "C1\n")],
        *[("nameDest", value) for value in ("", "M\t1")],
    ],
)
def test_a_value_that_the_contract_refuses_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        VALIDATOR.validate(a_transaction().document() | {name: value}, now_us=0)
    assert [error.field for error in refused.value.errors] == [name]


def test_balances_after_the_payment_are_accepted_and_dropped() -> None:
    body = a_transaction().document()
    event = VALIDATOR.validate(body | {"newbalanceOrig": "?", "newbalanceDest": None}, now_us=0)
    assert event == VALIDATOR.validate(body, now_us=0)
