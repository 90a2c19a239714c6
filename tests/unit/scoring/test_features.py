from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.features import FEATURE_NAMES, PAYSIM_FEATURES
from scoring.transaction import (
    MAX_AMOUNT,
    MAX_BALANCE,
    MAX_STEP,
    TRANSACTION_TYPES,
    Transaction,
)
from tests.support.factories import a_transaction
from tests.support.paths import PROJECT
from training.data.loading import from_table

money = st.one_of(
    st.floats(0, MAX_AMOUNT, allow_nan=False),
    st.integers(0, 10**12).map(lambda cents: cents / 100),
)
balances = st.one_of(st.floats(-MAX_BALANCE, MAX_BALANCE), money, st.just(0.0), st.just(-0.0))
# from_regex draws each character of [CM][!-~]{0,63} alone: these tests took 2.7 times as long.
accounts = st.builds(
    str.__add__,
    st.sampled_from("CM"),
    st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), max_size=63),
)
types = st.sampled_from(TRANSACTION_TYPES)
# Often the amount itself (None), because `empties_account` depends on it.
payer_balances = st.one_of(st.none(), balances)


@st.composite
def transactions(draw: st.DrawFn) -> Transaction:
    amount = draw(money)
    balance = draw(payer_balances)
    return Transaction(
        step=draw(st.integers(0, MAX_STEP)),
        type=draw(types),
        amount=amount,
        name_orig=draw(accounts),
        oldbalance_org=amount if balance is None else balance,
        name_dest=draw(accounts),
        oldbalance_dest=draw(balances),
    )


def as_table(rows: list[Transaction]) -> pa.Table:
    return pa.table(
        {
            "step": [row.step for row in rows],
            "type": [row.type for row in rows],
            "amount": [row.amount for row in rows],
            "nameOrig": [row.name_orig for row in rows],
            "oldbalanceOrg": [row.oldbalance_org for row in rows],
            "nameDest": [row.name_dest for row in rows],
            "oldbalanceDest": [row.oldbalance_dest for row in rows],
            "isFraud": [0] * len(rows),
        }
    )


def served(transaction: Transaction) -> np.ndarray[Any, Any]:
    return PAYSIM_FEATURES.matrix_of([transaction])


@settings(max_examples=200, deadline=None)
@given(st.lists(transactions(), min_size=1, max_size=20))
def test_training_and_serving_compute_the_same_bits(rows: list[Transaction]) -> None:
    rows = sorted(rows, key=lambda row: row.step)
    trained = PAYSIM_FEATURES.matrix(from_table(as_table(rows), "test").columns)
    row_by_row = np.vstack([served(row) for row in rows])
    assert trained.tobytes() == row_by_row.tobytes()


def computed_by_hand(t: Transaction) -> list[float]:
    """The features of a transaction as the first release computed them, in its operations."""
    return [
        float(TRANSACTION_TYPES.index(t.type)),
        t.amount,
        t.oldbalance_org,
        t.oldbalance_dest,
        t.oldbalance_org - t.amount,
        t.amount / (max(t.oldbalance_org, 0.0) + 1.0),
        float(abs(t.amount - t.oldbalance_org) < 0.005 and t.amount > 0),
        t.amount / (max(t.oldbalance_dest, 0.0) + 1.0),
        float(t.oldbalance_dest <= 0),
        float(t.name_dest[0] == "M"),
        float(t.step) % 24.0,
    ]


@settings(max_examples=500, deadline=None)
@given(transactions())
def test_the_features_have_the_bits_of_the_first_release(transaction: Transaction) -> None:
    assert served(transaction).tobytes() == np.array([computed_by_hand(transaction)]).tobytes()


@given(transactions())
def test_every_feature_of_a_valid_transaction_is_finite(transaction: Transaction) -> None:
    assert np.isfinite(served(transaction)).all()


def test_the_matrix_is_contiguous_float64_with_one_column_for_each_feature() -> None:
    matrix = PAYSIM_FEATURES.matrix_of([a_transaction()] * 3)
    assert matrix.shape == (3, len(FEATURE_NAMES))
    assert matrix.dtype == np.float64
    assert matrix.flags.c_contiguous


def test_no_feature_uses_a_balance_after_the_transaction() -> None:
    used = {*FEATURE_NAMES, *PAYSIM_FEATURES.compiled.fields}
    assert not any("newbalance" in name.replace("_", "") for name in used)
    described = PAYSIM_FEATURES.described.features
    assert not any("after" in feature.description for feature in described)


@pytest.mark.parametrize(
    ("changes", "name", "value"),
    [
        ({"amount": 0.3, "oldbalance_org": 0.1 + 0.2}, "empties_account", 1.0),
        ({"amount": 100.0, "oldbalance_org": 100.01}, "empties_account", 0.0),
        ({"amount": 0.0, "oldbalance_org": 0.0}, "empties_account", 0.0),
        ({"amount": 50.0, "oldbalance_org": 99.0}, "amount_share", 0.5),
        ({"amount": 50.0, "oldbalance_org": -99.0}, "amount_share", 50.0),
        ({"oldbalance_dest": 0.0}, "dest_is_empty", 1.0),
        ({"oldbalance_dest": 0.01}, "dest_is_empty", 0.0),
        ({"name_dest": "M1"}, "dest_is_merchant", 1.0),
        ({"name_dest": "C1"}, "dest_is_merchant", 0.0),
        ({"step": 49}, "hour_of_day", 1.0),
    ],
)
def test_a_feature_has_the_value_that_its_name_describes(
    changes: dict[str, Any], name: str, value: float
) -> None:
    assert served(a_transaction(**changes))[0, FEATURE_NAMES.index(name)] == value


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"type": "TRANSFER"}, {"type": "TRANSFER"}),
        ({"type": "PAYMENT", "name_dest": "M1"}, {"type": "PAYMENT", "dest_is_merchant": "yes"}),
        ({"step": 0}, {"hour_of_day": "00:00"}),
        ({"step": 37}, {"hour_of_day": "13:00"}),
        ({"step": 23}, {"hour_of_day": "23:00"}),
        ({"oldbalance_dest": 1.0}, {"dest_is_empty": "no", "dest_is_merchant": "no"}),
    ],
)
def test_a_code_is_shown_as_people_know_it(changes: dict[str, Any], shown: dict[str, str]) -> None:
    row = served(a_transaction(**changes))[0].tolist()
    words = {
        name: PAYSIM_FEATURES.described.display_values[index].get(row[index])
        for index, name in enumerate(FEATURE_NAMES)
    }
    assert shown.items() <= words.items()


def test_a_quantity_and_an_unknown_code_are_not_replaced_by_words() -> None:
    for name in ("amount", "oldbalance_org", "balance_left", "amount_share"):
        assert not PAYSIM_FEATURES.described.display_values[FEATURE_NAMES.index(name)]
    types = PAYSIM_FEATURES.described.display_values[FEATURE_NAMES.index("type")]
    assert list(types.values()) == list(TRANSACTION_TYPES)
    assert types.get(5.0) is types.get(0.5) is None


@pytest.mark.parametrize(
    ("name", "low", "high", "shown"),
    [
        ("type", None, 1.0, "PAYMENT"),
        ("type", 3.0, None, "CASH_OUT, TRANSFER"),
        ("type", None, None, "PAYMENT, CASH_IN, DEBIT, CASH_OUT, TRANSFER"),
        ("hour_of_day", 2.0, 4.0, "02:00, 03:00"),
        ("hour_of_day", 16.0, None, "16:00 to 23:00"),
        ("empties_account", 1.0, None, "yes"),
        ("amount", 1.0, 2.0, None),
        ("score", None, 0.5, None),
    ],
)
def test_a_range_of_codes_is_shown_as_people_know_it(
    name: str, low: float | None, high: float | None, shown: str | None
) -> None:
    feature = PAYSIM_FEATURES.described.find(name)
    assert (feature.display_range(low, high) if feature else None) == shown


def test_the_documentation_lists_every_feature_with_its_description() -> None:
    document = (PROJECT / "docs/data.md").read_text()
    section = document.partition("## The features\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", section, re.M)
    assert rows == [
        (feature.name, feature.description) for feature in PAYSIM_FEATURES.described.features
    ]
