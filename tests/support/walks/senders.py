"""Three kinds of senders: their event types, models, valid bodies, faults and changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from scoring.event_type.document import from_document
from scoring.event_type.fields import EventType
from scoring.model.fraud_model import FraudModel
from scoring.transaction import TRANSACTION_TYPES
from tests.support.event_types import an_event_type
from tests.support.factories import a_model
from tests.support.own_models import WITH_WINDOWS, a_model_of, features_of

Body = dict[str, Any]
START = datetime(2024, 3, 1, tzinfo=UTC)
MONEY = st.integers(0, 20_000_000).map(lambda cents: cents / 100)


@dataclass(frozen=True)
class Fault:
    """What makes a body invalid.

    Attributes:
        changes: fields that replace those of a valid body; None leaves one out.
        field: field that the problem names.
    """

    changes: Mapping[str, Any]
    field: str


@dataclass(frozen=True)
class Widening:
    """A compatible change of the event type.

    Attributes:
        name: field that is added or widened.
        field: its document afterwards.
        value: value of the field that is valid then, and was not before.
    """

    name: str
    field: Mapping[str, Any]
    value: Any


@dataclass(frozen=True)
class Sender:
    """A tenant that sends events of one type.

    Attributes:
        name: slug of the tenant.
        event_type: event type at the beginning; None for PaySim's.
        model: model in production.
        bodies: strategy of valid bodies, whose entities are of a small set.
        entities: names of the entity fields.
        faults: what makes a body invalid.
        widenings: compatible changes.
        breaking: changes of fields that are not compatible; None removes the field.
    """

    name: str
    event_type: EventType | None
    model: FraudModel
    bodies: st.SearchStrategy[Body]
    entities: tuple[str, ...]
    faults: tuple[Fault, ...]
    widenings: tuple[Widening, ...] = ()
    breaking: tuple[tuple[str, Mapping[str, Any] | None], ...] = ()


def _bodies(
    required: Mapping[str, st.SearchStrategy[Any]],
    optional: Mapping[str, st.SearchStrategy[Any]] | None = None,
) -> st.SearchStrategy[Body]:
    return st.fixed_dictionaries(dict(required), optional=dict(optional or {}))


PAYSIM = Sender(
    "walk-paysim",
    None,
    a_model(),
    _bodies(
        {
            "step": st.integers(0, 743),
            "type": st.sampled_from(TRANSACTION_TYPES),
            "amount": MONEY,
            "nameOrig": st.sampled_from(["C1", "C2"]),
            "oldbalanceOrg": MONEY,
            "nameDest": st.sampled_from(["C3", "M1"]),
            "oldbalanceDest": MONEY.map(lambda money: money - 100.0),
        }
    ),
    ("nameOrig", "nameDest"),
    (
        Fault({"amount": -1}, "amount"),
        Fault({"type": "LOAN"}, "type"),
        Fault({"nameDest": None}, "nameDest"),
        Fault({"step": 1.5}, "step"),
        Fault({"surprise": 1}, "surprise"),
    ),
)

_CARD_WINDOWS = WITH_WINDOWS | {
    "events_90d": "count(by=CUSTOMER_ID, window='90d')",
    "spent_90d": "sum(TX_AMOUNT, by=TERMINAL_ID, window='90d')",
    "large_90d": "count(by=[CUSTOMER_ID, TERMINAL_ID], window='90d', where=TX_AMOUNT > 50)",
    "channels_7d": "distinct(CHANNEL, by=CUSTOMER_ID, window='7d')",
    "risk": "fraud_rate(by=CUSTOMER_ID, window='28d', delay='1d')",
    "last": "seconds_since_last(by=TERMINAL_ID)",
}
CARDS = Sender(
    "walk-cards",
    an_event_type(),
    a_model_of(features_of(_CARD_WINDOWS)).as_served(),
    _bodies(
        {
            # A few times of a month, so that some are equal and many are late.
            "TX_DATETIME": st.integers(0, 80).map(
                lambda n: (START + timedelta(hours=9 * n)).isoformat()
            ),
            "CUSTOMER_ID": st.sampled_from(["C1", "C2"]),
            "TERMINAL_ID": st.sampled_from(["T1", "T2"]),
            "TX_AMOUNT": st.sampled_from([0.1, 0.2, 49.99, 50.0, 50.01, 999.5]),
        },
        {"CHANNEL": st.sampled_from(["pos", "web", "atm"])},
    ),
    ("CUSTOMER_ID", "TERMINAL_ID"),
    (
        Fault({"TX_AMOUNT": -0.01}, "TX_AMOUNT"),
        Fault({"TX_AMOUNT": "57"}, "TX_AMOUNT"),
        Fault({"CHANNEL": "moon"}, "CHANNEL"),
        Fault({"TX_DATETIME": "2024-03-01T12:00:00"}, "TX_DATETIME"),
        Fault({"TX_DATETIME": None}, "TX_DATETIME"),
        Fault({"CUSTOMER_ID": None}, "CUSTOMER_ID"),
        Fault({"surprise": 1}, "surprise"),
    ),
    (
        Widening("ITEMS", {"kind": "integer", "optional": True}, 3),
        Widening(
            "TX_AMOUNT",
            {"kind": "number", "role": "amount", "min": 0, "max": 2_000_000},
            1_500_000.0,
        ),
        Widening(
            "CHANNEL",
            {"kind": "category", "values": ["pos", "web", "atm", "app"], "optional": True},
            "app",
        ),
    ),
    (
        ("TX_AMOUNT", None),
        ("CHANNEL", {"kind": "category", "values": ["web", "pos", "atm"], "optional": True}),
        ("SHOP", {"kind": "text"}),
    ),
)

_LOAN = from_document(
    {
        "name": "loan_application",
        "label": "DEFAULTED",
        "fields": {
            "APPLICANT": {"kind": "entity", "entity": "person", "role": "payer"},
            "REQUESTED": {"kind": "number", "role": "amount", "min": 0},
            "INCOME": {"kind": "number", "optional": True},
            "AGE": {"kind": "integer", "min": 18, "max": 99, "optional": True},
            "EMPLOYED": {"kind": "boolean", "optional": True},
            "JOB": {"kind": "category", "values": ["clerk", "cook", "nurse"], "optional": True},
            "TOWN": {"kind": "category", "optional": True},
            "PURPOSE": {"kind": "text", "optional": True},
            "BRANCH": {"kind": "text", "ignored": True},
        },
    }
)
_LOAN_FEATURES = {
    "share": "REQUESTED / INCOME",
    "age": "AGE",
    "no_income": "is_missing(INCOME)",
    "employed": "EMPLOYED",
    "job": "code(JOB)",
    "town": "code(TOWN)",
}
LOANS = Sender(
    "walk-loans",
    _LOAN,
    a_model_of(
        features_of(_LOAN_FEATURES, _LOAN, {"TOWN": ("Basel", "Bern", "Genf")}), seed=4
    ).as_served(),
    _bodies(
        {"APPLICANT": st.sampled_from(["P1", "P2"]), "REQUESTED": MONEY},
        {
            "INCOME": MONEY,
            "AGE": st.integers(18, 99),
            "EMPLOYED": st.booleans(),
            "JOB": st.sampled_from(["clerk", "cook", "nurse"]),
            "TOWN": st.sampled_from(["Basel", "Genf", "Oz"]),
            "PURPOSE": st.sampled_from(["a car", "=1+1", "\U0001f600"]),
            "BRANCH": st.sampled_from([1, None, ["x"]]),
        },
    ),
    ("APPLICANT",),
    (
        Fault({"REQUESTED": None}, "REQUESTED"),
        Fault({"AGE": 17}, "AGE"),
        Fault({"AGE": 30.5}, "AGE"),
        Fault({"EMPLOYED": "yes"}, "EMPLOYED"),
        Fault({"JOB": "astronaut"}, "JOB"),
        Fault({"surprise": 1}, "surprise"),
    ),
    (
        Widening("AGE", {"kind": "integer", "min": 18, "max": 120, "optional": True}, 101),
        Widening(
            "JOB",
            {"kind": "category", "values": ["clerk", "cook", "nurse", "pilot"], "optional": True},
            "pilot",
        ),
        Widening("PETS", {"kind": "category", "values": ["cat", "dog"], "optional": True}, "cat"),
    ),
    (
        ("AGE", {"kind": "number", "optional": True}),
        ("TOWN", {"kind": "category", "values": ["Bern"], "optional": True}),
        ("INCOME", {"kind": "number"}),
        ("REQUESTED", {"kind": "number", "min": 0}),
    ),
)
SENDERS = (PAYSIM, CARDS, LOANS)
