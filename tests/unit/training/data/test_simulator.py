"""The simulated month has the shape of PaySim's data."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from scoring.features import FEATURE_NAMES, PAYSIM_FEATURES
from training.data.loading import from_table
from training.data.simulator import HOURS, simulate


def test_the_same_seed_gives_the_same_month(month: pa.Table) -> None:
    assert simulate(40_000, seed=3).equals(month)
    assert not simulate(40_000, seed=4).equals(month)


def test_the_month_has_paysims_columns_hours_and_types(month: pa.Table) -> None:
    assert month.column_names == [
        "step", "type", "amount", "nameOrig", "oldbalanceOrg", "newbalanceOrig",
        "nameDest", "oldbalanceDest", "newbalanceDest", "isFraud", "isFlaggedFraud",
    ]  # fmt: skip
    step = np.asarray(month["step"])
    assert (step.min(), step.max()) == (1, HOURS)
    assert (np.diff(step) >= 0).all()
    counts = {
        c["values"]: c["counts"] / len(month) for c in month["type"].value_counts().to_pylist()
    }
    published = {
        "CASH_OUT": 0.352, "PAYMENT": 0.338, "CASH_IN": 0.220, "TRANSFER": 0.084, "DEBIT": 0.007,
    }  # fmt: skip
    assert counts == pytest.approx(published, abs=0.012)


def test_only_merchants_take_payments_and_they_show_no_balance(month: pa.Table) -> None:
    rows = month.to_pandas()
    merchant = rows.nameDest.str.startswith("M")
    assert (merchant == (rows.type == "PAYMENT")).all()
    assert (rows[merchant].oldbalanceDest == 0).all()
    assert rows.nameOrig.str.startswith("C").all()


def test_money_adds_up_to_the_cent(month: pa.Table) -> None:
    rows = month.to_pandas()
    cents = (rows[["amount", "oldbalanceOrg", "newbalanceOrig"]] * 100).round().astype(int)
    paid_in = rows.type == "CASH_IN"
    expected = np.where(
        paid_in,
        cents.oldbalanceOrg + cents.amount,
        np.maximum(cents.oldbalanceOrg - cents.amount, 0),
    )
    assert (cents.newbalanceOrig == expected).all()
    assert (cents.amount > 0).all()


def test_an_accounts_balance_after_is_its_balance_before_next_time(month: pa.Table) -> None:
    rows = month.to_pandas()
    customers = rows[~((rows.type == "CASH_OUT") & (rows.isFraud == 1))].copy()
    following = customers.groupby("nameOrig").oldbalanceOrg.shift(-1)
    known = following.notna()
    assert np.isclose(following[known], customers.newbalanceOrig[known], atol=0.005).mean() > 0.99


def test_fraud_is_rare_and_only_in_transfers_and_cash_outs(month: pa.Table) -> None:
    rows = month.to_pandas()
    assert 0.003 < rows.isFraud.mean() < 0.01
    assert set(rows[rows.isFraud == 1].type) == {"TRANSFER", "CASH_OUT"}


def test_the_problem_is_hard_enough_to_be_worth_calibrating() -> None:
    data = from_table(simulate(120_000, seed=5), "simulator")
    matrix = data.matrix(PAYSIM_FEATURES)
    empties = matrix[:, FEATURE_NAMES.index("empties_account")] == 1
    precision = data.is_fraud[empties].mean()
    recall = empties[data.is_fraud].mean()
    assert 0.3 < precision < 0.8, "honest customers empty their accounts too"
    assert 0.6 < recall < 0.9, "thieves also take a part"
    half = len(data) // 2
    early, late = empties[:half], empties[half:]
    assert data.is_fraud[half:][late].mean() < data.is_fraud[:half][early].mean() - 0.05, (
        "it drifts"
    )
