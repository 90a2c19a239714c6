"""The errors of expressions over the fields of card payments."""

from __future__ import annotations

import pytest

from scoring.errors import InvalidExpression
from scoring.event_type.fields import EventType
from scoring.expressions import compile_expression
from tests.support.expressions.events import a_field

EVENT_TYPE = EventType(
    "card_payment",
    "TX_FRAUD",
    (
        a_field("TX_DATETIME", "timestamp", role="time"),
        a_field("BIRTH", "timestamp"),
        a_field("CUSTOMER_ID", "entity", entity="customer"),
        a_field("TERMINAL_ID", "entity", entity="terminal"),
        a_field("TX_AMOUNT", "number"),
        a_field("FLAG", "boolean"),
        a_field("CHANNEL", "category", values=("pos", "web")),
        a_field("SHOP", "category"),
        a_field("NOTE", "text"),
        a_field("DROPPED", "number", ignored=True),
    ),
)


def error_of(source: str, *, is_stateless: bool = False) -> InvalidExpression:
    with pytest.raises(InvalidExpression) as caught:
        compile_expression(source, EVENT_TYPE, is_stateless=is_stateless)
    return caught.value
