"""What the name of a column says: entities, ids of rows, the amount."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from scoring.event_type.fields import Field
from tests.support.data.event_files import (
    LABEL,
    ROWS,
    Infer,
    cells,
    comments,
    field,
    write_csv,
)
from training.event_types.infer import infer


@pytest.mark.parametrize(
    ("name", "entity", "role"),
    [
        ("CUSTOMER_ID", "customer", "payer"), ("customerId", "customer", "payer"),
        ("customerid", "customer", "payer"), ("card1", "card", "payer"),
        ("account_number", "account", "payer"), ("nameOrig", "account", "payer"),
        ("nameDest", "account", "payee"), ("receiver_account", "account", "payee"),
        ("merchant", "merchant", "payee"), ("terminal_id", "terminal", "payee"),
        ("device_id", "device", None), ("IPAddress", "ip", None), ("ip", "ip", None),
        ("email", "email", None), ("user_id", "user", "payer"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["{}", "c{}"])
def test_a_name_tells_an_entity(draft: Infer, name: str, entity: str, role: Any, form: str) -> None:
    found = draft([form.format(i % 99) for i in range(ROWS)], name=name)
    assert field(found, name) == Field(name, "entity", role=role, entity=entity)


@pytest.mark.parametrize(
    "name", ["customer_age", "card_type", "merchant_category", "device_count", "is_user", "chip"]
)
def test_a_name_that_describes_something_is_no_entity(draft: Infer, name: str) -> None:
    assert field(draft([str(i % 99) for i in range(ROWS)], name=name), name).kind == "integer"


def test_a_few_values_are_no_entity_unless_the_name_says_so(draft: Infer) -> None:
    assert field(draft(cells("visa", "amex", "jcb"), name="card"), "card").kind == "category"
    assert field(draft(cells("a", "b", "c"), name="shop_id"), "shop_id").kind == "entity"


def test_whole_floats_of_pandas_are_ids(draft_parquet: Infer) -> None:
    x = pa.array([None, *(float(i % 70) for i in range(ROWS - 1))])
    found = draft_parquet(x, name="customer_id")
    expected = Field("customer_id", "entity", role="payer", entity="customer", optional=True)
    assert field(found, "customer_id") == expected


def test_ids_with_a_decimal_point_are_questioned(draft: Infer) -> None:
    found = draft([f"{i % 70}.0" for i in range(ROWS)], name="customer_id")
    assert field(found, "customer_id").kind == "number"
    assert "without a decimal point and make it an entity" in comments(found, "customer_id")


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("x", [str(i) for i in range(ROWS)]),
        ("x", [str(i) for i in range(ROWS, 0, -1)]),
        ("payment_id", [str(7 * i) for i in range(ROWS)]),
        ("uuid", [f"{i:032x}g" for i in range(ROWS)]),
    ],
)
def test_a_column_that_numbers_the_rows_is_ignored(draft: Infer, name: str, x: list[Any]) -> None:
    found = draft(x, name=name)
    assert field(found, name).ignored
    assert "numbers the rows" in comments(found, name)


def test_the_first_best_name_of_an_amount_is_the_amount(tmp_path: Path) -> None:
    columns = {
        "price": cells(1.5, 2.5, 3.5),
        "Amount": cells(-1.5, 20, 3),
        "total_visits": cells(1, 2, 3),
        "y": LABEL,
    }
    found = infer(write_csv(tmp_path / "a.csv", columns), "y")
    assert field(found, "Amount") == Field("Amount", "number", role="amount")
    assert "So might be price. A max such as 10000" in comments(found, "Amount")
    assert field(found, "price").role is None


def test_an_amount_of_whole_numbers_is_a_number(draft: Infer) -> None:
    for x in (cells(1, 2, 3), cells(0, 1, 1)):
        expected = Field("amount", "number", role="amount", minimum=0.0)
        assert field(draft(x, name="amount"), "amount") == expected


def test_names_from_after_the_decision_are_ignored_or_questioned(draft: Infer) -> None:
    assert field(draft(name="isFraudReported"), "isFraudReported").ignored
    assert field(draft(name="chargeback_date"), "chargeback_date").ignored
    found = draft(name="newbalanceOrig")
    assert "state after the payment" in comments(found, "newbalanceOrig")
    assert "state after" not in comments(draft(name="newsletter"), "newsletter")
