from __future__ import annotations

from typing import Any

import pytest

from scoring.errors import InvalidRequest
from scoring.transaction import MAX_AMOUNT, MAX_BALANCE, MAX_STEP, TRANSACTION_TYPES
from tests.support.factories import a_transaction

INVALID = {
    "step": [-1, MAX_STEP + 1, 2**40],
    "type": ["transfer", "", "WIRE", "TRANSFER "],
    "amount": [-0.01, MAX_AMOUNT * 1.01, float("nan"), float("inf"), float("-inf")],
    "oldbalance_org": [float("nan"), float("inf"), MAX_BALANCE * 1.01, -MAX_BALANCE * 1.01],
    "oldbalance_dest": [float("nan"), float("-inf"), MAX_BALANCE * 1.01],
    "name_orig": ["", "C" * 65, "C 1", "C1\n", "Ç1"],
    "name_dest": ["", "M" * 200, "M\t1", "M1\n"],
    "external_id": ["", "x" * 129, "a b", "id\n"],
}
WIRE = {
    "oldbalance_org": "oldbalanceOrg",
    "oldbalance_dest": "oldbalanceDest",
    "name_orig": "nameOrig",
    "name_dest": "nameDest",
}


@pytest.mark.parametrize(
    ("name", "value"), [(n, v) for n, values in INVALID.items() for v in values]
)
def test_a_value_out_of_bounds_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as raised:
        a_transaction(**{name: value})
    assert [error.field for error in raised.value.errors] == [WIRE.get(name, name)]
    assert raised.value.errors[0].message.startswith("must be")


def test_one_error_names_every_invalid_field() -> None:
    with pytest.raises(InvalidRequest) as raised:
        a_transaction(step=-1, amount=-1.0, type="WIRE")
    assert {error.field for error in raised.value.errors} == {"step", "amount", "type"}


@pytest.mark.parametrize("kind", TRANSACTION_TYPES)
def test_every_known_type_is_accepted(kind: str) -> None:
    assert a_transaction(type=kind).type == kind


def test_the_bounds_are_accepted() -> None:
    a_transaction(
        step=MAX_STEP, amount=MAX_AMOUNT, oldbalance_org=-MAX_BALANCE, oldbalance_dest=MAX_BALANCE,
        name_orig="!" * 64, external_id="~" * 128,
    )  # fmt: skip
    a_transaction(step=0, amount=0.0)
